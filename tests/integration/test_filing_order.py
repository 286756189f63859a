"""Final filings, and what is kept, do not depend on the order in which messages and contacts come and go, nor on
whether mail is read whole or headers first (DESIGN.md 5, invariant 4)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import pytest
from django.db import connection
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from postroom.correspondence.models import Message, Placement, Sighting
from postroom.engine.store import NewMessage
from postroom.filing.models import Filing
from postroom.filing.people import add_contact, change_contact, delete_contact
from postroom.mailboxes.models import Keep, Mailbox
from postroom.records.models import Contact
from postroom.workspaces.members import Member
from postroom.workspaces.models import Membership, User, Workspace
from tests.integration.mailroom import Mailroom, open_mailroom, write

OWN, SHARED = "alice@own.example", "sales@own.example"
PEOPLE = ("anna@a.example", "anna@b.example", "ben@a.example", "stranger@x.example", "passing@x.example")
_TABLES = (
    "filing_filing, correspondence_message, correspondence_thread, correspondence_threadref, correspondence_body,"
    " correspondence_participant, correspondence_placement, correspondence_sighting"
)


@dataclass(frozen=True)
class Arrival:
    """Something that happens: a message, by name, in a mailbox; a contact's address; or one that comes and goes."""

    kind: str
    name: str
    sender: str = ""
    to: str = OWN
    answers: str = ""
    mailbox: str = OWN


ADDRESSES = [
    Arrival("address", "Anna", "anna@a.example"),
    Arrival("address", "Anna", "anna@b.example"),
    Arrival("address", "Ben", "ben@a.example"),
]
# Happens twice: the first time the address comes, the second time it goes.
PASSING = [Arrival("passing", "Anna", "passing@x.example"), Arrival("passing", "Ida", "stranger@x.example")]


@st.composite
def histories(draw: st.DrawFn) -> tuple[list[Arrival], list[Arrival]]:
    """Up to five messages in one or two mailboxes and some addresses, in two orders."""
    arrivals = draw(st.lists(st.sampled_from(ADDRESSES), unique=True))
    arrivals += 2 * draw(st.lists(st.sampled_from(PASSING), unique=True))
    for name in "ABCDE"[: draw(st.integers(1, 5))]:
        sender, to = draw(st.sampled_from((*PEOPLE, OWN))), draw(st.sampled_from((*PEOPLE, OWN)))
        answers = draw(st.sampled_from(["", *"ABCDEX"]))
        for mailbox in draw(st.sampled_from([(OWN,), (SHARED,), (OWN, SHARED)])):
            arrivals.append(Arrival("message", name, sender, to, answers, mailbox))
    return draw(st.permutations(arrivals)), draw(st.permutations(arrivals))


@pytest.fixture
def member(transactional_db: None) -> Member:
    workspace, user = Workspace.objects.create(name="Own"), User.objects.create(email="alice@own.example")
    return Member(workspace, user, Membership.objects.create(workspace=workspace, user=user))


@pytest.fixture
def room() -> Iterator[Mailroom]:
    with open_mailroom() as room:
        yield room


@dataclass(frozen=True)
class Outcome:
    """(message, record, reason, address) of filings; messages; (mailbox, message) of placements and of sightings."""

    filings: set[tuple[str, str, str, str]]
    messages: list[str]
    placed: set[tuple[str, str]]
    sighted: set[tuple[str, str]]


class History:
    """Lets arrivals happen in an empty workspace: one mailbox that keeps `keep`, and one that keeps everything."""

    def __init__(self, member: Member, room: Mailroom, keep: str, *, headers_first: bool) -> None:
        with connection.cursor() as cursor:
            cursor.execute(f"TRUNCATE {_TABLES}, records_contact, mailboxes_mailbox, outbox_submission CASCADE")
        self.member, self.room = member, room
        self.deliver = room.deliver_headers_first if headers_first and keep == Keep.RECORDS else room.deliver
        self.mailboxes = {OWN: room.connect(member, OWN, keep=keep), SHARED: room.connect(member, SHARED)}
        self.messages: dict[str, NewMessage] = {}
        self.passing: set[Arrival] = set()

    def live(self, arrivals: list[Arrival]) -> Outcome:
        for arrival in arrivals:
            if arrival.kind == "message":
                message = write(arrival.name, arrival.sender, arrival.to, answers=arrival.answers)
                self.messages[arrival.name] = message
                self._bring(self.mailboxes[arrival.mailbox], message)
            elif arrival in self.passing:
                self._part(arrival)
            else:
                self._meet(arrival)
            self._fetch_wanted()
        return self._outcome()

    def _bring(self, mailbox: Mailbox, *messages: NewMessage) -> None:
        deliver = self.deliver if mailbox.address == OWN else self.room.deliver
        deliver(mailbox, *messages)

    def _meet(self, arrival: Arrival) -> None:
        if arrival.kind == "passing":
            self.passing.add(arrival)
        contact = self._find(arrival)
        if contact is None:
            add_contact(self.member, arrival.name, [arrival.sender])
        else:
            before = list(contact.addresses.values_list("address", flat=True))
            change_contact(self.member, contact, addresses=[*before, arrival.sender])

    def _part(self, arrival: Arrival) -> None:
        contact = self._find(arrival)
        assert contact is not None
        left = list(contact.addresses.exclude(address=arrival.sender).values_list("address", flat=True))
        if left:
            change_contact(self.member, contact, addresses=left)
        else:
            delete_contact(self.member, contact)

    def _find(self, arrival: Arrival) -> Contact | None:
        return Contact.objects.filter(workspace=self.member.workspace, name=arrival.name).first()

    def _fetch_wanted(self) -> None:
        """What the session does when it is woken."""
        mailbox = self.mailboxes[OWN]
        while wanted := self.room.store.wanted(mailbox.pk, 100):
            ids = [remote_id for one in wanted for remote_id in one.remote_ids]
            self.room.deliver(mailbox, *(self.messages[remote_id] for remote_id in ids))

    def _outcome(self) -> Outcome:
        names = dict(Contact.objects.values_list("pk", "name"))
        subjects = dict(Message.objects.values_list("pk", "subject"))
        addresses = {mailbox.pk: address for address, mailbox in self.mailboxes.items()}
        return Outcome(
            filings={(subjects[row.message_id], names[row.record_id], row.reason, row.address)
                     for row in Filing.objects.all()},
            messages=sorted(subjects.values()),
            placed={(addresses[row.mailbox_id], subjects[row.message_id]) for row in Placement.objects.all()},
            sighted={(addresses[row.mailbox_id], row.remote_id) for row in Sighting.objects.all()},
        )  # fmt: skip


@pytest.mark.parametrize("keep", ["everything", "records"])
@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
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
@example(  # B was passed over; what makes it wanted is the thread of A, an older message of the other mailbox
    (
        [
            ADDRESSES[0],
            Arrival("message", "A", "stranger@x.example", answers="X", mailbox=SHARED),
            Arrival("message", "B", "stranger@x.example", answers="X"),
            Arrival("message", "C", "anna@a.example", answers="A", mailbox=SHARED),
        ],
        [
            Arrival("message", "C", "anna@a.example", answers="A", mailbox=SHARED),
            Arrival("message", "B", "stranger@x.example", answers="X"),
            Arrival("message", "A", "stranger@x.example", answers="X", mailbox=SHARED),
            ADDRESSES[0],
        ],
    )
)
def test_the_outcome_does_not_depend_on_the_order(
    member: Member, room: Mailroom, keep: str, both: tuple[list[Arrival], list[Arrival]]
) -> None:
    first = History(member, room, keep, headers_first=True).live(both[0])
    assert first == History(member, room, keep, headers_first=False).live(both[1])
    if keep == Keep.RECORDS:
        on_record = {message for message, *_ in first.filings}
        assert {message for mailbox, message in first.placed if mailbox == OWN} <= on_record
