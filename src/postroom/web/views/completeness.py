"""/settings/mailboxes/<id>/proof/: what the server counts in each folder and month, and what of it is here."""

from __future__ import annotations

from uuid import UUID

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.http import require_POST, require_safe

from postroom.mailboxes.access import manageable_mailboxes, visible_mailboxes
from postroom.mailboxes.completeness import count_again
from postroom.web.not_now import refusal_told
from postroom.web.proof_panel import proof_panel
from postroom.web.rights import MemberRequest, own, signed_in


@signed_in
@require_safe
def proof(request: MemberRequest, mailbox_id: UUID) -> HttpResponse:
    """The section of the mailbox's page, for the open page that heard of a change."""
    if request.htmx and not visible_mailboxes(request.member).filter(pk=mailbox_id).exists():
        return HttpResponse(status=204)  # the page leaves (views/mailbox.py)
    mailbox = own(visible_mailboxes(request.member), mailbox_id)
    if not request.htmx:
        return redirect(f"{reverse('mailbox', args=[mailbox_id])}#proof")
    context = {"panel": proof_panel(request.member, mailbox)}
    return render(request, "postroom/mailboxes/_proof.html", context)


@signed_in
@require_POST
def count(request: MemberRequest, mailbox_id: UUID) -> HttpResponse:
    mailbox = own(manageable_mailboxes(request.member), mailbox_id)
    with refusal_told(request):
        count_again(mailbox)
        messages.success(request, f"{mailbox.address} is being counted again, folder by folder.")
    return redirect(f"{reverse('mailbox', args=[mailbox_id])}#proof")
