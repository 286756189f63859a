"""Catching up: what happened in a folder since its cursor. New mail first, in pages; the cursor moves last.

Invariants (each a test in tests/unit/sync):
- The cursor is saved with the last page of a listing, never before: a crash lists the same changes again, and
  saving a message twice changes nothing.
- Absence means deleted only in a full listing (Changes.is_full).
- After a reset every earlier remote id is void; the messages themselves stay.
"""

from __future__ import annotations

from uuid import UUID

from postroom.sync.asks import FetchMessages, KnownRemoteIds, ListChanges, ListWindow, LoadWanted, SavePage, Steps
from postroom.sync.pages import pages
from postroom.sync.remote import Changes, Window
from postroom.sync.state import FolderState, Page, Saved

WANTED_AT_ONCE = 500


def catch_up(folder: FolderState, mailbox_id: UUID, epoch: int, days: int) -> Steps[Saved]:
    """Bring one folder up to date. Returns what is new. `days` bounds what a full listing fetches."""
    cursor, version = folder.cursor, folder.version
    new = filed = kept = 0
    while True:
        changes: Changes = yield ListChanges(folder.remote_name, cursor)
        added, removed = changes.added, changes.removed
        if changes.is_full:
            # Everything the folder holds tells what is gone; what is missing here is only what lies in the window.
            known: set[str] = yield KnownRemoteIds(folder.id)
            removed = tuple(known - {message.remote_id for message in changes.added})
            window: Window = yield ListWindow(folder.remote_name, days)
            added = tuple(message for message in window.messages if message.remote_id not in known)
        sizes = [message.size for message in added]
        for start, end in pages(sizes):
            ids = tuple(message.remote_id for message in added[start:end])
            messages = yield FetchMessages(folder.remote_name, ids)
            if end < len(added):  # more pages of this listing: save the messages, leave the cursor
                saved: Saved = yield SavePage(
                    Page(mailbox_id, epoch, folder.id, messages, is_live=not changes.was_reset)
                )
                new, filed, kept = new + saved.new, filed + saved.filed, kept + saved.kept
        if added or removed or changes.flagged or changes.cursor != cursor:
            saved = yield SavePage(
                Page(
                    mailbox_id,
                    epoch,
                    folder.id,
                    messages if added else (),
                    cursor=changes.cursor,
                    version=version,
                    removed=removed,
                    flagged=tuple((message.remote_id, message.flags) for message in changes.flagged),
                    is_live=not changes.was_reset,
                )
            )
            version += 1
            new, filed, kept = new + saved.new, filed + saved.filed, kept + saved.kept
        cursor = changes.cursor
        if not changes.has_more:
            return Saved(new, filed, kept)


def fetch_wanted(mailbox_id: UUID, epoch: int) -> Steps[Saved]:
    """Fetch the messages that were only sighted and that a record wants now."""
    new = filed = kept = 0
    for folder_id, remote_name, remote_ids in (yield LoadWanted()):
        for start in range(0, len(remote_ids), WANTED_AT_ONCE):
            asked = tuple(remote_ids[start : start + WANTED_AT_ONCE])
            messages = yield FetchMessages(remote_name, asked)
            gone = set(asked) - {message.remote_id for message in messages}
            page = Page(mailbox_id, epoch, folder_id, messages, removed=tuple(gone), is_live=True)
            saved: Saved = yield SavePage(page)
            new, filed, kept = new + saved.new, filed + saved.filed, kept + saved.kept
    return Saved(new, filed, kept)
