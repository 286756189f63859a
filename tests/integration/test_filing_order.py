"""Final filings do not depend on the order in which messages and contacts arrive (DESIGN.md 5, invariant 4)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import pytest
from django.db import connection
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from postroom.correspondence.models import Message
from postroom.filing.models import Filing
from postroom.filing.people import add_contact, change_contact
from postroom.records.models import Contact, Deal
from postroom.workspaces.members import Member
from postroom.workspaces.models import Membership, User, Workspace
from tests.integration.mailroom import Mailroom, open_mailroom, write

OWN = "sales@own.example"
PEOPLE = ("anna@a.example", "anna@b.example", "ben@a.example", "stranger@x.example")
_TABLES = (
    "filing_filing, correspondence_message, correspondence_thread, correspondence_threadref, correspondence_body,"
    " correspondence_participant, correspondence_placement, correspondence_sighting"
)


@dataclass(frozen=True)
class Arrival:
    """Something that happens: a message, by name, or a contact's address."""

    kind: str
    name: str
    sender: str = ""
    to: str = OWN
    answers: str = ""


ADDRESSES = [
    Arrival("address", "Anna", "anna@a.example"),
    Arrival("address", "Anna", "anna@b.example"),
    Arrival("address", "Ben", "ben@a.example"),
]


@st.composite
def histories(draw: st.DrawFn) -> tuple[list[Arrival], list[Arrival]]:
    """Up to five messages and some addresses, in two orders."""
    arrivals = draw(st.lists(st.sampled_from(ADDRESSES), unique=True))
    for name in "ABCDE"[: draw(st.integers(1, 5))]:
        arrivals.append(
            Arrival(
                "message",
                name,
                draw(st.sampled_from((*PEOPLE, OWN))),
                draw(st.sampled_from((*PEOPLE, OWN))),
                draw(st.sampled_from(["", *"ABCDEX"])),
            )
        )
    return draw(st.permutations(arrivals)), draw(st.permutations(arrivals))


@pytest.fixture
def member(transactional_db: None) -> Member:
    workspace, user = Workspace.objects.create(name="Own"), User.objects.create(email="alice@own.example")
    return Member(workspace, user, Membership.objects.create(workspace=workspace, user=user))


@pytest.fixture
def room() -> Iterator[Mailroom]:
    with open_mailroom() as room:
        yield room


def live(member: Member, room: Mailroom, keep: str, arrivals: list[Arrival]) -> set[tuple[str, str, str, str]]:
    """Let a history happen in an empty workspace; (message, record, reason, address) of its filings."""
    with connection.cursor() as cursor:
        cursor.execute(f"TRUNCATE {_TABLES}, records_contact, mailboxes_mailbox, outbox_submission CASCADE")
    mailbox = room.connect(member, OWN, keep=keep)
    messages = {}
    for arrival in arrivals:
        if arrival.kind == "message":
            messages[arrival.name] = write(arrival.name, arrival.sender, arrival.to, answers=arrival.answers)
            room.deliver(mailbox, messages[arrival.name])
        else:
            meet(member, arrival)
        fetch_wanted(room, mailbox, messages)
    names = dict(Contact.objects.values_list("pk", "name")) | dict(Deal.objects.values_list("pk", "name"))
    subjects = dict(Message.objects.values_list("pk", "subject"))
    return {(subjects[row.message_id], names[row.record_id], row.reason, row.address) for row in Filing.objects.all()}


def meet(member: Member, arrival: Arrival) -> None:
    contact = Contact.objects.filter(workspace=member.workspace, name=arrival.name).first()
    if contact is None:
        add_contact(member, arrival.name, [arrival.sender])
    else:
        before = list(contact.addresses.values_list("address", flat=True))
        change_contact(member, contact, addresses=[*before, arrival.sender])


def fetch_wanted(room: Mailroom, mailbox: object, messages: dict[str, object]) -> None:
    """What the session does when it is woken."""
    while wanted := room.store.wanted(mailbox.pk, 100):  # type: ignore[attr-defined]
        ids = [remote_id for one in wanted for remote_id in one.remote_ids]
        room.deliver(mailbox, *(messages[remote_id] for remote_id in ids))  # type: ignore[arg-type]


@pytest.mark.parametrize("keep", ["everything", "records"])
@settings(max_examples=15, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(histories())
@example(  # C comes last and makes the threads of A and B one: B was there, and only A's has a record
    (
        [
            ADDRESSES[0],
            Arrival("message", "A", "anna@a.example"),
            Arrival("message", "B", "stranger@x.example", answers="C"),
            Arrival("message", "C", "stranger@x.example", answers="A"),
        ],
        [
            Arrival("message", "C", "stranger@x.example", answers="A"),
            Arrival("message", "B", "stranger@x.example", answers="C"),
            Arrival("message", "A", "anna@a.example"),
            ADDRESSES[0],
        ],
    )
)
def test_filings_do_not_depend_on_the_order(
    member: Member, room: Mailroom, keep: str, both: tuple[list[Arrival], list[Arrival]]
) -> None:
    assert live(member, room, keep, both[0]) == live(member, room, keep, both[1])
