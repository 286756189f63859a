"""matching.py alone: facts in, filings out."""

from __future__ import annotations

from datetime import UTC, datetime
from uuid import UUID, uuid5

from postroom.correspondence.facts import MessageFacts
from postroom.filing import matching
from postroom.filing.matching import CONTACT, Record, WorkspaceFacts, match
from postroom.filing.models import Reason
from postroom.records.models import RecordType

SPACE = UUID("7d0c2a6e-93b0-4f3e-8a66-8f4f9e0f8d11")
NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
ANNA, BEN = uuid5(SPACE, "anna"), uuid5(SPACE, "ben")
DEAL = Record(3, uuid5(SPACE, "deal"))
FACTS = WorkspaceFacts(
    contacts={"anna@work.example": ANNA, "anna@home.example": ANNA, "ben@work.example": BEN, "us@own.example": BEN},
    own_keys=frozenset({"us@own.example"}),
)


def message(name: str, *people: str, thread: str = "t") -> MessageFacts:
    """A message from the first of the people to the others."""
    participants = tuple(("to" if index else "from", key) for index, key in enumerate(people))
    return MessageFacts(uuid5(SPACE, name), uuid5(SPACE, thread), NOON, False, f"<{name}@x>", "", participants)


def reasons(messages: list[MessageFacts], facts: WorkspaceFacts = FACTS) -> dict[tuple[UUID, UUID], tuple[str, str]]:
    filings = match(messages, facts).filings
    found = {(filing.message_id, filing.record.id): (filing.reason, filing.address) for filing in filings}
    assert len(found) == len(filings)
    return found


def test_the_names_are_those_of_the_models() -> None:
    assert set(matching.STRONGEST_FIRST) <= set(Reason.values)
    assert [matching.MANUAL, matching.THREAD] == [Reason.MANUAL, Reason.THREAD]
    assert RecordType.CONTACT == CONTACT


def test_an_address_files_on_its_contact() -> None:
    first = message("a", "anna@work.example", "stranger@x.example")
    assert reasons([first]) == {(first.message_id, ANNA): ("address", "anna@work.example")}


def test_two_addresses_of_a_contact_are_one_filing() -> None:
    first = message("a", "anna@home.example", "anna@work.example")
    assert reasons([first]) == {(first.message_id, ANNA): ("address", "anna@home.example")}


def test_own_addresses_match_nobody() -> None:
    assert reasons([message("a", "us@own.example", "stranger@x.example")]) == {}


def test_a_reply_from_another_address_lands_on_the_same_record() -> None:
    first, reply = message("a", "anna@work.example"), message("b", "anna@mobile.example")
    assert reasons([reply, first]) == {
        (first.message_id, ANNA): ("address", "anna@work.example"),
        (reply.message_id, ANNA): ("thread", ""),
    }


def test_another_thread_stays_off() -> None:
    first, other = message("a", "anna@work.example"), message("b", "stranger@x.example", thread="u")
    assert (other.message_id, ANNA) not in reasons([first, other])


def test_what_was_sent_from_a_record_is_on_it() -> None:
    first = message("a", "us@own.example", "ben@work.example")
    facts = WorkspaceFacts(FACTS.contacts, FACTS.own_keys, sent_from={first.message_id: DEAL})
    assert reasons([first], facts) == {
        (first.message_id, DEAL.id): ("sent_from_record", ""),
        (first.message_id, BEN): ("address", "ben@work.example"),
    }


def test_sent_from_a_contact_is_stronger_than_its_address() -> None:
    first = message("a", "us@own.example", "ben@work.example")
    facts = WorkspaceFacts(FACTS.contacts, FACTS.own_keys, sent_from={first.message_id: Record(CONTACT, BEN)})
    assert reasons([first], facts) == {(first.message_id, BEN): ("sent_from_record", "")}


def test_records_of_older_messages_reach_the_new_one() -> None:
    reply = message("b", "stranger@x.example")
    facts = WorkspaceFacts(thread_records={reply.thread_id: frozenset({DEAL})})
    assert reasons([reply], facts) == {(reply.message_id, DEAL.id): ("thread", "")}
    assert match([reply], facts).spreads == frozenset()


def test_records_of_the_new_message_reach_older_ones() -> None:
    reply = message("b", "anna@work.example")
    facts = WorkspaceFacts(FACTS.contacts, thread_records={reply.thread_id: frozenset({DEAL})})
    assert match([reply], facts).spreads == {(reply.thread_id, Record(CONTACT, ANNA))}
