"""Where proofs of completeness are kept, as a protocol; mailboxes/completeness.py stores them."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Protocol
from uuid import UUID

from postroom.sync.completeness import Tally


@dataclass(frozen=True, slots=True)
class Due:
    """A month of a folder that is to be counted, by its first day."""

    folder_id: UUID
    month: date


class Proofs(Protocol):
    """Blocking; called from threads. What is saved is dropped when the epoch is not the mailbox's any more."""

    def due(self, mailbox_id: UUID, folder_ids: Collection[UUID], limit: int) -> Sequence[Due] | None:
        """Months of these folders to be counted now: those that somebody asked for first, then the newest.

        None while an import is under way and nobody asked.
        """
        ...

    def save(self, mailbox_id: UUID, epoch: int, folder_id: UUID, counted: Tally, filled: int) -> None:
        """Keep what was counted; `filled` messages were missing before, and were fetched."""
        ...


class NoProofs:
    """Nothing is ever due: for tests, and for whoever does not want any."""

    def due(self, mailbox_id: UUID, folder_ids: Collection[UUID], limit: int) -> Sequence[Due] | None:
        return ()

    def save(self, mailbox_id: UUID, epoch: int, folder_id: UUID, counted: Tally, filled: int) -> None: ...
