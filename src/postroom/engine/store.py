"""What the engine needs stored, as a protocol. PostgreSQL keeps it (correspondence/store.py); a double ships beside.

A store is blocking and belongs to one thread: sessions call it through a thread, imports directly.
Every save carries the mailbox's epoch and raises Fenced when another worker has claimed the mailbox since.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol
from uuid import UUID

from postroom.sync.remote import RemoteFolder
from postroom.sync.state import (
    Conflict,
    Fenced,
    FolderState,
    Hold,
    Known,
    KnownMessage,
    MailboxState,
    Match,
    NewHeader,
    NewMessage,
    Page,
    PlannedSlice,
    Rebuild,
    Saved,
    SliceState,
)

__all__ = [
    "Conflict",
    "Fenced",
    "FolderState",
    "Hold",
    "Known",
    "KnownMessage",
    "MailboxState",
    "Match",
    "NewHeader",
    "NewMessage",
    "Page",
    "PlannedSlice",
    "Rebuild",
    "Saved",
    "SliceState",
    "Store",
]


class Store(Protocol):
    def load_mailbox(self, mailbox_id: UUID) -> MailboxState: ...

    def save_folders(self, mailbox_id: UUID, epoch: int, folders: Sequence[RemoteFolder]) -> tuple[FolderState, ...]:
        """Add new folders, rename known ones, mark those that are gone as not synced; return all that are synced.

        What is open of the import of a folder that is gone is dropped, and its cursor with it.
        """
        ...

    def save_plan(
        self,
        mailbox_id: UUID,
        epoch: int,
        cursors: dict[UUID, str],
        slices: Sequence[PlannedSlice],
        *,
        replaces: bool = True,
    ) -> tuple[UUID, ...]:
        """Store the import's slices and the folders' cursors at once; return the slices' ids in their order.

        The slices stand for all that is to be imported (`replaces`), or come beside those that are open.
        """
        ...

    def find_slice(self, slice_id: UUID) -> SliceState | None:
        """The slice, or None when it is done or its mailbox is gone."""
        ...

    def known_remote_ids(self, folder_id: UUID) -> set[str]: ...

    def wanted(self, mailbox_id: UUID, limit: int) -> list[tuple[UUID, str, tuple[str, ...]]]:
        """Sightings that a record wants now: (folder id, remote name, remote ids) a folder."""
        ...

    def save_page(self, page: Page) -> Saved: ...

    def choose_wanted(self, mailbox_id: UUID, headers: Sequence[NewHeader]) -> frozenset[str]:
        """The remote ids whose message belongs to a record, to a thread on one, or was sent from here."""
        ...

    def known_messages(self, folder_id: UUID) -> Known: ...

    def save_rebuild(self, rebuild: Rebuild) -> tuple[UUID, ...]:
        """All of `rebuild` in one transaction; the ids of its slices. Raises Fenced or Conflict."""
        ...

    def close(self) -> None: ...
