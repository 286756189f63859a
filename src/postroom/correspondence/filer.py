"""What the page writer needs from filing, which lies above it: a protocol (filing/filer.py implements it)."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol
from uuid import UUID

from psycopg import Connection

from postroom.correspondence.facts import MessageFacts


@dataclass(frozen=True, slots=True)
class FilingBatch:
    """New messages of one page, or headers of messages that may be wanted.

    `old_threads` were there before the page. `merges` maps threads that are gone, or would be, to those that take them
    in.
    `is_ours` says that the messages come from a Sent folder or our outbox: only then may they name a submission.
    """

    workspace_id: UUID
    messages: Sequence[MessageFacts]
    old_threads: frozenset[UUID]
    merges: Mapping[UUID, UUID]
    own_keys: frozenset[str]
    is_ours: bool


@dataclass(frozen=True, slots=True)
class Filed:
    """Which of the messages are on a record now, and the records that got something.

    `kept_ids` are messages that stay although they are on no record: they were sent from here. `spread_threads` were
    there before, and stand on a record more than they did.
    """

    message_ids: frozenset[UUID] = frozenset()
    record_ids: frozenset[UUID] = frozenset()
    kept_ids: frozenset[UUID] = frozenset()
    spread_threads: frozenset[UUID] = frozenset()


@dataclass(frozen=True, slots=True)
class SentFrom:
    """What a copy in a Sent folder is a copy of: the message it was stored as, if it was, and the ids it goes by.

    `names` are the Message-IDs it was given here and left with, its provider having put another in the place of ours.
    """

    message_id: UUID | None
    names: tuple[str, ...]


class Filer(Protocol):
    def sent_from_here(
        self, connection: Connection[Any], workspace_id: UUID, mailbox_id: UUID, messages: Sequence[MessageFacts]
    ) -> Mapping[UUID, SentFrom]:
        """Of messages out of a Sent folder of this mailbox, by their `message_id`, those that were sent through it.

        Through another one does not count: who puts a copy into his own Sent folder must not get to see the original.
        """
        ...

    def wants(self, connection: Connection[Any], batch: FilingBatch) -> frozenset[UUID]:
        """Those of a batch's messages that would be on a record, or stay without one, were it filed. Writes nothing."""
        ...

    def file(self, connection: Connection[Any], batch: FilingBatch) -> Filed:
        """Write the filings of a page's new messages, within the open transaction."""
        ...

    def file_again(self, connection: Connection[Any], batch: FilingBatch) -> None:
        """Add what a batch's messages are filed on now. What they were filed on stays, as do removals by hand."""
        ...

    def move(self, connection: Connection[Any], moved: Mapping[UUID, UUID]) -> None:
        """Give what hangs on messages (keys) that turned out to be others to those."""
        ...

    def filed_among(self, connection: Connection[Any], message_ids: Collection[UUID]) -> Filed:
        """Of stored messages, those that are on a record and those that were sent from here."""
        ...


class NoFiler:
    """Files nothing: for tests of the store alone."""

    def sent_from_here(
        self, connection: Connection[Any], workspace_id: UUID, mailbox_id: UUID, messages: Sequence[MessageFacts]
    ) -> Mapping[UUID, SentFrom]:
        return {}

    def wants(self, connection: Connection[Any], batch: FilingBatch) -> frozenset[UUID]:
        return frozenset()

    def file(self, connection: Connection[Any], batch: FilingBatch) -> Filed:
        return Filed()

    def file_again(self, connection: Connection[Any], batch: FilingBatch) -> None:
        return

    def move(self, connection: Connection[Any], moved: Mapping[UUID, UUID]) -> None:
        return

    def filed_among(self, connection: Connection[Any], message_ids: Collection[UUID]) -> Filed:
        return Filed()
