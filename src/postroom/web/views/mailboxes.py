"""/settings/mailboxes/: the mailboxes a member sees, and what may be done with each."""

from __future__ import annotations

from uuid import UUID

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_POST, require_safe

from postroom.mailboxes import connect
from postroom.mailboxes.access import manageable_mailboxes, sendable_mailboxes, visible_mailboxes
from postroom.mailboxes.models import mailbox_topic
from postroom.mailboxes.waking import sync_as_asked
from postroom.web.events.topics import stream_url
from postroom.web.forms.mailboxes import DisconnectForm, HistoryForm, UsualMailboxForm
from postroom.web.mailbox_card import card, cards
from postroom.web.not_now import refusal_told
from postroom.web.rights import MemberRequest, own, signed_in


@signed_in
@require_safe
def index(request: MemberRequest) -> HttpResponse:
    member = request.member
    mailboxes = list(visible_mailboxes(member))
    shown = cards(member, mailboxes)
    context = {
        "section": "settings",
        "settings_page": "mailboxes",
        "cards": shown,
        "in_trouble": sum(1 for one in shown if one.needs_you),
        "events_url": stream_url(member, [mailbox_topic(mailbox.pk) for mailbox in mailboxes]),
        "most_days": connect.MAX_BACKFILL_DAYS,
        "usual": UsualMailboxForm(member) if sendable_mailboxes(member).exists() else None,
    }
    return render(request, "postroom/mailboxes/index.html", context)


@signed_in
@require_POST
def choose_usual(request: MemberRequest) -> HttpResponse:
    """Keep the mailbox the member usually writes from."""
    form = UsualMailboxForm(request.member, request.POST)
    if not form.is_valid():
        messages.error(request, "You may not send from this mailbox. Choose another one.")
        return redirect("mailboxes")
    mailbox = form.cleaned_data["mailbox"]
    membership = request.member.membership
    membership.default_mailbox_id = mailbox.pk if mailbox else None
    membership.save(update_fields=["default_mailbox_id"])
    messages.success(
        request,
        f"New messages start with {mailbox.address}."
        if mailbox
        else "You usually write from no mailbox in particular.",
    )
    return redirect("mailboxes")


@signed_in
@require_safe
def show_card(request: MemberRequest, mailbox_id: UUID) -> HttpResponse:
    """The card and its menu, for a page that was told that something changed; nothing of a mailbox that is gone."""
    if request.htmx and not visible_mailboxes(request.member).filter(pk=mailbox_id).exists():
        return HttpResponse()
    mailbox = own(visible_mailboxes(request.member), mailbox_id)
    return render(request, "postroom/mailboxes/_card_again.html", {"card": card(request.member, mailbox)})


@signed_in
@require_POST
def sync(request: MemberRequest, mailbox_id: UUID) -> HttpResponse:
    """Look for new mail now. `from` is "page" where the button of the mailbox's own page was pressed."""
    mailbox = own(visible_mailboxes(request.member), mailbox_id)
    with refusal_told(request):
        sync_as_asked(mailbox)
        messages.success(request, f"Looking for new mail in {mailbox.address}.")
    return redirect("mailbox", mailbox_id) if request.POST.get("from") == "page" else redirect("mailboxes")


@signed_in
@require_POST
def extend(request: MemberRequest, mailbox_id: UUID) -> HttpResponse:
    mailbox = own(manageable_mailboxes(request.member), mailbox_id)
    form = HistoryForm(request.POST)
    if not form.is_valid():
        messages.error(request, f"Type a number of days from 1 to {connect.MAX_BACKFILL_DAYS}.")
        return redirect("mailbox", mailbox_id)
    with refusal_told(request):
        connect.extend_backfill(request.member, mailbox, form.cleaned_data["days"])
        messages.success(request, f"Importing the last {form.cleaned_data['days']} days of {mailbox.address}.")
    return redirect("mailbox", mailbox_id)


@signed_in
@require_POST
def disconnect(request: MemberRequest, mailbox_id: UUID) -> HttpResponse:
    mailbox = own(manageable_mailboxes(request.member), mailbox_id)
    form = DisconnectForm(request.POST)
    if not form.is_valid():
        messages.error(request, "Choose what stays in Postroom.")
        return redirect("mailboxes")
    connect.disconnect(request.member, mailbox, keep_history=form.cleaned_data["keep"] == "history")
    messages.success(request, f"{mailbox.address} is disconnected. At its server nothing was deleted.")
    return redirect("mailboxes")
