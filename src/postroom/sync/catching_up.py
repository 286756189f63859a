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
from postroom.sync.manner import WHOLE, Manner
from postroom.sync.pages import pages
from postroom.sync.placing import match_placed, moved_on, without
from postroom.sync.reading import read_listed
from postroom.sync.rebuilding import RENUMBERED_OFTEN, is_resting, rebuild
from postroom.sync.remote import Changes, CursorExpired, FolderClosed, RemoteMessage
from postroom.sync.state import FolderState, Known, Page, Saved, Wanted
from postroom.sync.sweeping import compare, sweep
from postroom.sync.taking_in import take_in


def catch_up(
    folder: FolderState,
    mailbox_id: UUID,
    epoch: int,
    since: date,
    manner: Manner = WHOLE,
    *,
    is_nightly: bool = False,
) -> Steps[Saved]:
    """Bring one folder up to date. Returns what is new.

    `since` bounds what a full listing fetches of a folder that does not know since when it is listed. `is_nightly` as
    in sweep, for a comparison that the listing makes needed: it counts as the night's.
    """
    if is_resting(folder):
        return Saved()
    if folder.may_remove:  # the owner has answered: what is missing is known only to a comparison
        return (yield from sweep(folder, mailbox_id, epoch, since, manner, is_nightly=is_nightly))
    total = Saved()
    while True:
        try:
            changes: Changes = yield ListChanges(folder.remote_name, folder.cursor)
        except CursorExpired:
            swept = sweep(folder, mailbox_id, epoch, since, manner, is_nightly=is_nightly)
            return total + (yield from swept)
        if changes.was_reset:
            step = rebuild(folder, mailbox_id, epoch, since, changes, manner)
        elif changes.is_full:
            step = compare(folder, mailbox_id, epoch, since, changes, manner, is_nightly=is_nightly)
        else:
            step = _apply(folder, mailbox_id, epoch, changes, manner)
        saved = yield from step
        total += saved
        if not changes.has_more:
            return total
        folder = replace(folder, cursor=changes.cursor, version=folder.version + 1, held=saved.asked or folder.held)


def _apply(folder: FolderState, mailbox_id: UUID, epoch: int, changes: Changes, manner: Manner) -> Steps[Saved]:
    """Save what happened since the cursor."""
    removal = Removal(changes.removed)
    if needs_comparing(folder, changes.removed):
        known = yield KnownMessages(folder.id)
        moved = yield from moved_on(changes.removed, manner)
        removal = restrain(folder, known, changes.removed, is_whole=False, moved=moved)
    is_read_again = folder.held == RENUMBERED_OFTEN
    if changes == Changes((), folder.cursor, tells_flags=changes.tells_flags) and not is_read_again:
        return Saved()
    added, flagged = yield from _resolve(folder, changes, manner)
    last = Page(
        mailbox_id,
        epoch,
        folder.id,
        (),
        cursor=changes.cursor,
        version=folder.version,
        removed=removal.remote_ids,
        flagged=tuple((message.remote_id, message.flags) for message in flagged),
        is_live=True,
        hold=removal.hold,
        releases=is_read_again and removal.hold is None,
    )
    return (yield from take_in(folder.remote_name, added, last, manner))


def _resolve(
    folder: FolderState, changes: Changes, manner: Manner
) -> Steps[tuple[Sequence[RemoteMessage], Sequence[RemoteMessage]]]:
    """What is new in the folder, and what has other flags, by what is stored.

    The provider may not say which (`touched`). And where ids are mailbox-wide reading is dear, so that it may end in
    the midst of a long listing: what was read until then is not read again.
    """
    news = (*changes.added, *changes.touched) if manner.ids_are_mailbox_wide else changes.touched
    told = {message.remote_id: message for message in news}  # a replay may tell of one several times
    flagged = {message.remote_id: message for message in changes.flagged}
    if not told and not (flagged and manner.ids_are_mailbox_wide):
        return changes.added, changes.flagged
    known: Known = yield KnownMessages(folder.id, remote_ids=(*told, *flagged))
    flags = {message.remote_id: frozenset(message.flags) for message in known.messages}
    # What is planned the import reads as it is by then, under another slice (progress.py); unless it only has to be
    # placed, for which the flags of now are needed.
    planned = [one for one in (told | flagged).values() if one.remote_id in known.planned - flags.keys()]
    placed = {match.listed.remote_id for match in (yield from match_placed(planned, manner))}
    stored = known.planned.union(flags, known.sighted)
    came = [one for one in (told | flagged).values() if one.remote_id in placed]
    came += [one for remote_id, one in told.items() if remote_id not in stored]
    if not manner.ids_are_mailbox_wide:
        came = [*changes.added, *came]
    changed = [one for one in told.values() if flags.get(one.remote_id, frozenset(one.flags)) != frozenset(one.flags)]
    changed += [one for one in planned if one.remote_id not in placed]
    return came, [*changes.flagged, *changed]


def fetch_wanted(mailbox_id: UUID, epoch: int, manner: Manner = WHOLE) -> Steps[Saved]:
    """Fetch messages that were only sighted and that a record wants now: as many as are loaded at once.

    Those of a folder that cannot be opened wait: it opens again, or the next listing of the folders forgets them.
    """
    total = Saved()
    wanted: Sequence[Wanted] = yield LoadWanted()
    for folder in wanted:
        with suppress(FolderClosed):
            for start, end in pages(folder.sizes, most=manner.page_messages):
                listed = [RemoteMessage(*one) for one in zip(folder.remote_ids, folder.sizes, strict=True)][start:end]
                placed = yield from match_placed(listed, manner, tells_flags=False)
                found = yield from read_listed(folder.remote_name, without(listed, placed), manner.whole)
                there = {message.remote_id for message in found.messages}
                there |= {match.listed.remote_id for match in placed}
                gone = [message.remote_id for message in listed if message.remote_id not in there]
                page = Page(
                    mailbox_id,
                    epoch,
                    folder.folder_id,
                    found.messages,
                    removed=tuple(gone),
                    is_live=True,
                    placed=placed,
                )
                saved: Saved = yield SavePage(page)
                total += replace(saved, removed=len(gone))
    return total
