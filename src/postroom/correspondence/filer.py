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
    """New messages of one page.

    `old_threads` were there before the page. `merges` maps threads that are gone to those that took them in.
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

    `kept_ids` are messages that stay although they are on no record: they were sent from here.
    """

    message_ids: frozenset[UUID] = frozenset()
    record_ids: frozenset[UUID] = frozenset()
    kept_ids: frozenset[UUID] = frozenset()


class Filer(Protocol):
    def file(self, connection: Connection[Any], batch: FilingBatch) -> Filed:
        """Write the filings of a page's new messages, within the open transaction."""
        ...

    def filed_among(self, connection: Connection[Any], message_ids: Collection[UUID]) -> frozenset[UUID]:
        """Those of the messages that are on a record."""
        ...


class NoFiler:
    """Files nothing: for tests of the store alone."""

    def file(self, connection: Connection[Any], batch: FilingBatch) -> Filed:
        return Filed()

    def filed_among(self, connection: Connection[Any], message_ids: Collection[UUID]) -> frozenset[UUID]:
        return frozenset()
