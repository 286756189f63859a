"""/: the next step of a new workspace; later what is going on."""

from __future__ import annotations

from datetime import timedelta
from typing import Final

from django.db.models import Exists, OuterRef, Q
from django.http import HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils import timezone

from postroom.correspondence.models import Message
from postroom.filing.access import visible_messages
from postroom.filing.models import Filing
from postroom.mailboxes.access import visible_mailboxes
from postroom.mailboxes.models import mailbox_topic
from postroom.outbox.access import visible_submissions
from postroom.outbox.models import State, Submission
from postroom.records.access import contacts
from postroom.records.models import RecordType
from postroom.web.events.topics import stream_url
from postroom.web.mailbox_card import cards
from postroom.web.rights import MemberRequest, signed_in
from postroom.workspaces.members import Member

LATEST = 8
FAILURES_STAY: Final = timedelta(days=7)


@signed_in
def home(request: MemberRequest) -> HttpResponse:
    member = request.member
    mailboxes = list(visible_mailboxes(member))
    people = contacts(member)
    if not mailboxes or not people.exists():
        context = {"section": "home", "has_mailbox": bool(mailboxes), "has_contact": people.exists()}
        return render(request, "postroom/home/first_run.html", context)
    notices = Submission.objects.filter(message_id=OuterRef("pk"), author=None)  # Postroom's own letters
    latest = list(visible_messages(member).filter(~Exists(notices)).order_by("-at")[:LATEST])
    waiting = unsent(member)
    topics = [mailbox_topic(mailbox.pk) for mailbox in mailboxes] + [f"submission:{one.pk}" for one in waiting]
    context = {
        "section": "home",
        "cards": cards(member, mailboxes),
        "unsent": waiting,
        "latest_contacts": people.prefetch_related("addresses").order_by("-created_at")[:LATEST],
        "latest_messages": list(zip(latest, links(latest), strict=True)),
        "events_url": stream_url(member, topics),
    }
    return render(request, "postroom/home/home.html", context)


def unsent(member: Member) -> list[Submission]:
    """What has not left yet or failed lately, newest first: a message written without a record is seen nowhere else."""
    on_its_way = Q(state__in=[State.QUEUED, State.SENDING, State.IN_DOUBT, State.UNKNOWN])
    failed = Q(state=State.FAILED, created_at__gt=timezone.now() - FAILURES_STAY)
    return list(visible_submissions(member).filter(on_its_way | failed).order_by("-created_at")[:LATEST])


def links(messages: list[Message]) -> list[str]:
    """For each message the place where it opens: in the timeline of a contact or deal that it is on; "" for none."""
    filings = Filing.objects.filter(message_id__in=[message.pk for message in messages], removed_by_id=None)
    names = {RecordType.DEAL: "deal_emails", RecordType.CONTACT: "contact_emails"}
    found = {
        filing.message_id: reverse(names[RecordType(filing.record_type)], args=[filing.record_id])
        for filing in filings.filter(record_type__in=names)
    }
    return [f"{found[message.pk]}?open={message.pk}" if message.pk in found else "" for message in messages]
