"""An import: planned, then worked off slice by slice, newest first.

The folders' cursors are stored together with the slices and come from the same listing: what the listing held is
in the slices, what arrives later is found by catching up, and nothing falls between.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from uuid import UUID

from postroom.sync.asking import new_among, plan_window
from postroom.sync.asks import KnownMessages, ListFolders, LoadAddresses, SaveFolders, SavePage, SavePlan, Steps
from postroom.sync.folders import left_out, listed_once
from postroom.sync.manner import WHOLE, Manner
from postroom.sync.placing import match_placed
from postroom.sync.reading import HEADERS_AT_ONCE, Chosen, choose
from postroom.sync.remote import FolderClosed, RemoteFolder, RemoteMessage, Window
from postroom.sync.slicing import cut, slices_of
from postroom.sync.state import Addresses, FolderState, Known, Match, Page, PlannedSlice, Saved, SliceState


def plan_import(since: date, manner: Manner = WHOLE, *, is_planned: bool = False) -> Steps[tuple[UUID, ...]]:
    """List what lies in the window and is neither stored nor planned, and store it as slices; their ids.

    A folder that was listed before keeps its cursor: what happened since then still has to be caught up. If the window
    begins earlier than it did, only the days before are listed; if it begins later, nothing is. Of a mailbox that
    `is_planned` nothing is saved when there was nothing to list. A message that wears several labels is planned for
    each: the first slice that comes to it fetches it, the others place it.
    """
    remote: Sequence[RemoteFolder] = yield ListFolders()
    if not remote:  # a mailbox always has its inbox (RFC 3501 section 5.1): this server is not well
        return ()
    folders: tuple[FolderState, ...] = yield SaveFolders(listed_once(remote), left_out(remote))
    unlisted = [folder for folder in folders if not (folder.cursor and _is_listed(folder, since))]
    addresses: Addresses | None = None
    if unlisted and (manner.by_address or manner.customers_first):
        addresses = yield LoadAddresses()
    cursors: dict[UUID, str] = {}
    listed_since: dict[UUID, date] = {}
    planned: list[PlannedSlice] = []
    for folder in unlisted:
        try:
            window, first = yield from plan_window(folder, since, manner, addresses)
        except FolderClosed:  # one that nobody may open must not keep the others from being read; later again
            continue
        known: Known = yield KnownMessages(folder.id)
        if not folder.cursor:
            cursors[folder.id] = window.cursor
        listed_since[folder.id] = since
        planned += _cut(folder, window, first, known)
    if is_planned and not listed_since:
        return ()
    # By position, so that the newest of every folder comes before the old of any.
    planned.sort(key=lambda piece: piece.position)
    # What was asked for of only some folders has to be asked for again in the others.
    is_first = manner.by_address and not any(folder.cursor for folder in folders)
    asked_until = addresses.until if addresses is not None and is_first else None
    ids: tuple[UUID, ...] = yield SavePlan(cursors, tuple(planned), listed_since, asked_until)
    return ids


def _cut(folder: FolderState, window: Window, first: Sequence[RemoteMessage], known: Known) -> list[PlannedSlice]:
    """Slices of what is new of a window, behind those that are open; and the mail of records before the rest."""
    customers = {message.remote_id for message in first}
    added = new_among(window.messages, known)
    of_records = cut(folder.id, [one for one in added if one.remote_id in customers], slices_of(len(known.planned)))
    behind = slices_of(len(known.planned)) + len(of_records)
    return of_records + cut(folder.id, [one for one in added if one.remote_id not in customers], behind)


def _is_listed(folder: FolderState, since: date) -> bool:
    return folder.listed_since is not None and folder.listed_since <= since


def import_slice(piece: SliceState, manner: Manner = WHOLE) -> Steps[Saved]:
    """Read and save what is left of a slice, page by page. A crash repeats one page at most, and its headers."""
    total = Saved()
    done = piece.done_count
    while done < len(piece.remote_ids):
        stop = done + _at_once(piece, manner)
        remote_ids, sizes = piece.remote_ids[done:stop], piece.sizes[done:stop]
        placed = yield from _placed(remote_ids, sizes, manner)
        if manner.headers_first:
            chosen = yield from choose(piece.remote_name, remote_ids, sizes, placed.keys())
        else:
            chosen = Chosen(remote_ids, sizes, frozenset(remote_ids) - placed.keys())
        for start, end in chosen.pages(manner):
            found = yield from chosen.read(piece.remote_name, start, end)
            saved: Saved = yield SavePage(
                Page(
                    mailbox_id=piece.mailbox_id,
                    epoch=None,
                    folder_id=piece.folder_id,
                    messages=found.messages,
                    slice_id=piece.id,
                    slice_from=done + start,
                    slice_done=done + end,
                    passed_over=found.passed_over,
                    placed=tuple(placed[one] for one in remote_ids[start:end] if one in placed) if placed else (),
                )
            )
            total = Saved(total.new + saved.new, total.filed + saved.filed, total.kept + saved.kept)
        done += len(remote_ids)
    return total


def _at_once(piece: SliceState, manner: Manner) -> int:
    """How many messages of a slice are looked at together: as many as headers are had, or as are looked up."""
    if manner.headers_first:
        return manner.headers_at_once(HEADERS_AT_ONCE)
    return manner.page_messages if manner.ids_are_mailbox_wide else len(piece.remote_ids)


def _placed(remote_ids: tuple[str, ...], sizes: tuple[int, ...], manner: Manner) -> Steps[dict[str, Match]]:
    """What of a slice is stored by now, under its id in another folder."""
    if not manner.ids_are_mailbox_wide:
        return {}
    listed = [RemoteMessage(remote_id, size) for remote_id, size in zip(remote_ids, sizes, strict=True)]
    matches = yield from match_placed(listed, manner, tells_flags=False)
    return {match.listed.remote_id: match for match in matches}
