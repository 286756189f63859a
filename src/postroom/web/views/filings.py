"""Taking a message off a record, and putting it back."""

from __future__ import annotations

from uuid import UUID

from django.contrib import messages
from django.http import Http404, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.views.decorators.http import require_POST

from postroom.correspondence.models import Message
from postroom.filing.access import find_message
from postroom.filing.models import Filing
from postroom.filing.refile import file_by_hand, remove_filing
from postroom.records.access import find_record
from postroom.records.models import RecordType
from postroom.web.rights import MemberRequest, own, signed_in


@signed_in
@require_POST
def remove(request: MemberRequest, filing_id: UUID) -> HttpResponse:
    filing = _find(request, filing_id)
    if find_message(request.member, filing.message_id) is None:
        raise Http404
    remove_filing(request.member, filing)
    messages.success(request, "Removed from this record.", extra_tags=reverse("filing_restore", args=[filing.pk]))
    return redirect(_record_url(filing))


@signed_in
@require_POST
def restore(request: MemberRequest, filing_id: UUID) -> HttpResponse:
    """Undo a removal. Whoever removed it could see the message, even if now nothing shows it to him any more."""
    filing = _find(request, filing_id)
    removed_by_me = filing.removed_by_id == request.member.user.pk
    rows = Message.objects.filter(workspace_id=request.member.workspace_id)
    message = own(rows, filing.message_id) if removed_by_me else find_message(request.member, filing.message_id)
    if message is None:
        raise Http404
    file_by_hand(request.member, message, filing.record_type, filing.record_id)
    messages.success(request, "It is back on this record.")
    return redirect(_record_url(filing))


def _find(request: MemberRequest, filing_id: UUID) -> Filing:
    filing = own(Filing.objects.filter(workspace_id=request.member.workspace_id), filing_id)
    if find_record(request.member, filing.record_type, filing.record_id) is None:
        raise Http404
    return filing


def _record_url(filing: Filing) -> str:
    if filing.record_type == RecordType.CONTACT:
        return reverse("contact_emails", args=[filing.record_id])
    if filing.record_type == RecordType.DEAL:
        return reverse("deal_emails", args=[filing.record_id])
    return reverse("home")
