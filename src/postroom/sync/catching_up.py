"""Catching up: what happened in a folder since its cursor. New mail first, in pages; the cursor moves last.

Invariants (each a test in tests/unit/sync):
- The cursor is saved with the last page of a listing, never before: a crash lists the same changes again, and
  saving a message twice changes nothing.
- Absence means deleted only in a full listing (Changes.is_full), and many deletions at once are asked about (brake.py).
- After a reset every earlier remote id is void; the messages are found again by what they are (rebuilding.py).
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import date
from uuid import UUID

from postroom.sync.asks import KnownMessages, ListChanges, LoadWanted, SavePage, Steps
from postroom.sync.brake import Removal, needs_comparing, restrain
from postroom.sync.pages import pages
from postroom.sync.reading import read
from postroom.sync.rebuilding import RENUMBERED_OFTEN, is_resting, rebuild
from postroom.sync.remote import Changes, CursorExpired, FolderClosed
from postroom.sync.state import FolderState, Page, Saved, Wanted
from postroom.sync.sweeping import compare, sweep
from postroom.sync.taking_in import take_in


def catch_up(
    folder: FolderState,
    mailbox_id: UUID,
    epoch: int,
    since: date,
    *,
    headers_first: bool = False,
    is_nightly: bool = False,
) -> Steps[Saved]:
    """Bring one folder up to date. Returns what is new.

    `since` bounds what a full listing fetches of a folder that does not know since when it is listed. `headers_first`:
    bodies only of messages that are wanted. `is_nightly` as in sweep, for a comparison that the listing makes needed:
    it counts as the night's.
    """
    if is_resting(folder):
        return Saved()
    if folder.may_remove:  # the owner has answered: what is missing is known only to a comparison
        return (yield from sweep(folder, mailbox_id, epoch, since, headers_first=headers_first, is_nightly=is_nightly))
    total = Saved()
    while True:
        try:
            changes: Changes = yield ListChanges(folder.remote_name, folder.cursor)
        except CursorExpired:
            swept = sweep(folder, mailbox_id, epoch, since, headers_first=headers_first, is_nightly=is_nightly)
            return total + (yield from swept)
        if changes.was_reset:
            step = rebuild(folder, mailbox_id, epoch, since, changes, headers_first=headers_first)
        elif changes.is_full:
            step = compare(
                folder, mailbox_id, epoch, since, changes, headers_first=headers_first, is_nightly=is_nightly
            )
        else:
            step = _apply(folder, mailbox_id, epoch, changes, headers_first=headers_first)
        saved = yield from step
        total += saved
        if not changes.has_more:
            return total
        folder = replace(folder, cursor=changes.cursor, version=folder.version + 1, held=saved.asked or folder.held)


def _apply(folder: FolderState, mailbox_id: UUID, epoch: int, changes: Changes, *, headers_first: bool) -> Steps[Saved]:
    """Save what happened since the cursor."""
    removal = Removal(changes.removed)
    if needs_comparing(folder, changes.removed):
        known = yield KnownMessages(folder.id)
        removal = restrain(folder, known, changes.removed, is_whole=False)
    is_read_again = folder.held == RENUMBERED_OFTEN
    if changes == Changes((), folder.cursor, tells_flags=changes.tells_flags) and not is_read_again:
        return Saved()
    last = Page(
        mailbox_id,
        epoch,
        folder.id,
        (),
        cursor=changes.cursor,
        version=folder.version,
        removed=removal.remote_ids,
        flagged=tuple((message.remote_id, message.flags) for message in changes.flagged),
        is_live=True,
        hold=removal.hold,
        releases=is_read_again and removal.hold is None,
    )
    return (yield from take_in(folder.remote_name, changes.added, last, headers_first=headers_first))


def fetch_wanted(mailbox_id: UUID, epoch: int) -> Steps[Saved]:
    """Fetch messages that were only sighted and that a record wants now: as many as are loaded at once.

    Those of a folder that cannot be opened wait: it opens again, or the next listing of the folders forgets them.
    """
    total = Saved()
    wanted: Sequence[Wanted] = yield LoadWanted()
    for folder in wanted:
        with suppress(FolderClosed):
            for start, end in pages(folder.sizes):
                asked = folder.remote_ids[start:end]
                found = yield from read(folder.remote_name, asked, headers_first=False, sizes=folder.sizes[start:end])
                gone = sorted(set(asked) - {message.remote_id for message in found.messages})
                page = Page(mailbox_id, epoch, folder.folder_id, found.messages, removed=tuple(gone), is_live=True)
                saved: Saved = yield SavePage(page)
                total += replace(saved, removed=len(gone))
    return total
