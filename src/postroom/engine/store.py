"""What the engine needs stored, as a protocol. PostgreSQL keeps it (correspondence/store.py); a double ships beside.

A store is blocking and belongs to one thread: sessions call it through a thread, imports directly.
Every save carries the mailbox's epoch and raises Fenced when another worker has claimed the mailbox since.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import date, datetime, timedelta
from typing import Protocol
from uuid import UUID

from postroom.sync.remote import RemoteFolder
from postroom.sync.state import (
    Addresses,
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
    Placed,
    PlannedSlice,
    Rebuild,
    Saved,
    SliceState,
    Wanted,
)

__all__ = [
    "ASKED_AGAIN",
    "Addresses",
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
    "Placed",
    "PlannedSlice",
    "Rebuild",
    "Saved",
    "SliceState",
    "Store",
    "Wanted",
]


ASKED_AGAIN = timedelta(minutes=10)  # longer than anybody takes to commit a contact


class Store(Protocol):
    def load_mailbox(self, mailbox_id: UUID) -> MailboxState: ...

    def save_folders(
        self, mailbox_id: UUID, epoch: int, folders: Sequence[RemoteFolder], left_out: Collection[str] = ()
    ) -> tuple[FolderState, ...]:
        """Make the stored folders those that are listed; return all that are synced.

        New ones are added, renamed ones keep what they have, in those that are gone nothing sits any more. Synced is
        what the owner chose, else all but `left_out`. What is open of the import of a folder that is not synced is
        dropped, and its cursor with it.
        """
        ...

    def save_plan(
        self,
        mailbox_id: UUID,
        epoch: int,
        cursors: dict[UUID, str],
        slices: Sequence[PlannedSlice],
        listed_since: Mapping[UUID, date] | None = None,
        asked_until: datetime | None = None,
    ) -> tuple[UUID, ...]:
        """Store slices beside those that are open, and the folders' cursors and days; the slices' ids in their order.

        Cursors and days (FolderState.listed_since) are given of folders that were listed. `asked_until` (Addresses)
        where the mailbox was asked for addresses; it never goes back.
        """
        ...

    def find_slice(self, slice_id: UUID) -> SliceState | None:
        """The slice, or None when it is done or its mailbox is gone."""
        ...

    def wanted(self, mailbox_id: UUID, limit: int) -> list[Wanted]:
        """Sightings that a record wants now, the newest `limit`, by folder."""
        ...

    def save_page(self, page: Page) -> Saved:
        """Save a page whole or not at all. Raises Fenced, and Conflict when somebody saved the folder or the slice
        meanwhile, or when what was to be placed is not stored any more."""
        ...

    def find_placed(self, mailbox_id: UUID, remote_ids: Sequence[str]) -> tuple[Placed, ...]:
        """The messages that a folder of the mailbox has under one of these ids, or had when they left it; one each."""
        ...

    def addresses(self, mailbox_id: UUID, *, is_new: bool = False) -> Addresses:
        """What the mail of the workspace's records is found by; `is_new`: that the mailbox was not asked for.

        None of the workspace's own addresses and domains. Of those that came within ASKED_AGAIN before the mailbox was
        asked last, some may not have been there to see, so they are new as well.
        """
        ...

    def choose_wanted(self, mailbox_id: UUID, headers: Sequence[NewHeader]) -> frozenset[str]:
        """The remote ids whose message belongs to a record, to a thread on one, or was sent from here."""
        ...

    def known_messages(
        self, folder_id: UUID, *, for_matching: bool = False, remote_ids: Sequence[str] | None = None
    ) -> Known:
        """Everything stored of a folder; what tells its messages from others is empty unless it is `for_matching`.

        With `remote_ids` only what is stored or planned of these; matching does not ask what is planned.
        """
        ...

    def save_rebuild(self, rebuild: Rebuild) -> tuple[UUID, ...]:
        """All of `rebuild` in one transaction; the ids of its slices. Raises Fenced or Conflict."""
        ...

    def close(self) -> None: ...
