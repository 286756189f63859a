"""/settings/mailboxes/<id>/preview/: what an import would bring, and the yes to it."""

from __future__ import annotations

from uuid import UUID

from asgiref.sync import async_to_sync
from django.contrib import messages
from django.http import HttpResponse, HttpResponseBase
from django.shortcuts import redirect, render
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_POST, require_safe

from postroom.filing.forget import has_history
from postroom.mailboxes.access import manageable_mailboxes
from postroom.mailboxes.models import Mailbox
from postroom.mailboxes.sealing import Unsealable
from postroom.mailboxes.start import begin_import
from postroom.providers.errors import ProviderError
from postroom.web import preview_page
from postroom.web.lines import STREAM_HEADER, stream
from postroom.web.rights import MemberRequest, own, signed_in


@signed_in
@require_safe
@never_cache
def show(request: MemberRequest, mailbox_id: UUID) -> HttpResponse:
    """The page; its script has the mail counted at once. A mailbox that was begun has its own page."""
    mailbox = own(manageable_mailboxes(request.member), mailbox_id)
    return _page(request, mailbox) if mailbox.awaits_start else redirect("mailbox", mailbox.pk)


@signed_in
@require_POST
@never_cache
def count(request: MemberRequest, mailbox_id: UUID) -> HttpResponseBase:
    """Count: live to a page with script, whole to one without."""
    mailbox = own(manageable_mailboxes(request.member).filter(awaits_start=True), mailbox_id)
    if STREAM_HEADER in request.headers:
        return stream(preview_page.lines(request.member, mailbox))
    try:
        planned, counts = async_to_sync(preview_page.whole)(mailbox)
    except (ProviderError, Unsealable) as error:
        return _page(request, mailbox, verdict=preview_page.failure_html(error), was_counted=True)
    return _page(request, mailbox, preview=preview_page.preview(request.member, planned, counts), was_counted=True)


@signed_in
@require_POST
def begin(request: MemberRequest, mailbox_id: UUID) -> HttpResponse:
    mailbox = own(manageable_mailboxes(request.member), mailbox_id)
    if begin_import(request.member, mailbox):
        messages.success(request, f"The last {mailbox.backfill_days} days of {mailbox.address} are being imported.")
    return redirect("mailbox", mailbox.pk)


def _page(request: MemberRequest, mailbox: Mailbox, **report: object) -> HttpResponse:
    context = {
        "section": "settings",
        "mailbox": mailbox,
        "has_history": has_history(mailbox.pk),
        "seen_by": preview_page.seen_by(request.member, mailbox.kind, mailbox.sharing, mailbox),
        **report,
    }
    return render(request, "postroom/preview/show.html", context)
