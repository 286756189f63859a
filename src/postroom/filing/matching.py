"""Which records a message belongs on, and why. Pure: facts in, filings out, nothing is looked up here.

Two kinds of reasons, and that is what makes the outcome independent of the order in which mail and contacts arrive:

- a message stands on a record *in its own right*: sent from the record, put there by hand, or one of its addresses;
- it stands there *by its thread*: some other message of the thread stands there in its own right, so that a reply from
  another address lands on the same record.

A filing by thread gives nobody else a right. One that was removed by hand gives none either and is never made again.
`refile.py` says the same in SQL for stored mail; tests/integration/test_filing_order.py holds the two together.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import NamedTuple
from uuid import UUID

from postroom.correspondence.facts import MessageFacts

# The values of models.Reason and records.models.RecordType, which would bring Django here (a test compares them).
MANUAL = "manual"
SENT_FROM_RECORD = "sent_from_record"
ADDRESS = "address"
THREAD = "thread"
CONTACT = 1

STRONGEST_FIRST = (MANUAL, SENT_FROM_RECORD, ADDRESS, THREAD)


# Record and NewFiling are tuples, because they are hashed and made several times a message of a first import, and a
# frozen dataclass does that at three times the cost.


class Record(NamedTuple):
    """What a message is filed on: the number of its kind and its id."""

    type: int
    id: UUID


@dataclass(frozen=True, slots=True)
class WorkspaceFacts:
    """What the workspace knows about the messages at hand.

    `contacts`: contact by address key. `own_keys`: addresses the workspace itself writes from, which match nobody.
    `sent_from`: by message id, the record a message was sent from.
    `thread_records`: by thread, the records its stored messages stand on in their own right.
    """

    contacts: Mapping[str, UUID] = field(default_factory=dict)
    own_keys: frozenset[str] = frozenset()
    sent_from: Mapping[UUID, Record] = field(default_factory=dict)
    thread_records: Mapping[UUID, frozenset[Record]] = field(default_factory=dict)


class NewFiling(NamedTuple):
    """A message on a record. `address` is the key that matched, only with the reason "address"."""

    message_id: UUID
    thread_id: UUID
    record: Record
    reason: str
    at: datetime
    address: str = ""


@dataclass(frozen=True, slots=True)
class Matched:
    """Filings of the new messages, and what their threads' older messages get: (thread, record) pairs."""

    filings: tuple[NewFiling, ...]
    spreads: frozenset[tuple[UUID, Record]]


def match(messages: Sequence[MessageFacts], workspace: WorkspaceFacts) -> Matched:
    """File new messages. At most one filing for each message and record, with the strongest reason."""
    own = [own_filings(message, workspace) for message in messages]
    filings = [filing for found in own for filing in found]
    spreads: set[tuple[UUID, Record]] = set()
    standing: dict[UUID, set[Record]] = {}
    for filing in filings:
        standing.setdefault(filing.thread_id, set()).add(filing.record)
    for thread_id, records in standing.items():
        older = workspace.thread_records.get(thread_id, frozenset())
        spreads.update((thread_id, record) for record in records - older)
    for message, found in zip(messages, own, strict=True):
        older = workspace.thread_records.get(message.thread_id, frozenset())
        by_thread = standing.get(message.thread_id, frozenset()) | older
        by_thread -= {filing.record for filing in found}
        for record in sorted(by_thread) if len(by_thread) > 1 else by_thread:
            filings.append(NewFiling(message.message_id, message.thread_id, record, THREAD, message.at))
    return Matched(tuple(filings), frozenset(spreads))


def own_filings(message: MessageFacts, workspace: WorkspaceFacts) -> list[NewFiling]:
    """The records a message stands on in its own right, one filing each, in the order of its participants."""
    found: dict[Record, NewFiling] = {}
    if record := workspace.sent_from.get(message.message_id):
        found[record] = NewFiling(message.message_id, message.thread_id, record, SENT_FROM_RECORD, message.at)
    for _, key in message.participants:
        contact_id = workspace.contacts.get(key)
        if contact_id is None or key in workspace.own_keys:
            continue
        record = Record(CONTACT, contact_id)
        if record not in found:
            found[record] = NewFiling(message.message_id, message.thread_id, record, ADDRESS, message.at, key)
    return list(found.values())
