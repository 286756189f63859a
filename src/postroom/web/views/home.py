"""/: the next step of a new workspace; later what is going on."""

from __future__ import annotations

from django.http import HttpResponse
from django.shortcuts import render

from postroom.filing.access import visible_messages
from postroom.mailboxes.access import visible_mailboxes
from postroom.mailboxes.models import mailbox_topic
from postroom.records.access import contacts
from postroom.web.events.topics import stream_url
from postroom.web.mailbox_card import card
from postroom.web.rights import MemberRequest, signed_in

LATEST = 8


@signed_in
def home(request: MemberRequest) -> HttpResponse:
    member = request.member
    mailboxes = list(visible_mailboxes(member))
    people = contacts(member)
    if not mailboxes or not people.exists():
        context = {"section": "home", "has_mailbox": bool(mailboxes), "has_contact": people.exists()}
        return render(request, "postroom/home/first_run.html", context)
    context = {
        "section": "home",
        "cards": [card(member, mailbox) for mailbox in mailboxes],
        "latest_contacts": people.prefetch_related("addresses").order_by("-created_at")[:LATEST],
        "latest_messages": visible_messages(member).order_by("-at")[:LATEST],
        "events_url": stream_url(member, [mailbox_topic(mailbox.pk) for mailbox in mailboxes]),
    }
    return render(request, "postroom/home/home.html", context)
