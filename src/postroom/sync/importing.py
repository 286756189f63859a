"""An import: planned, then worked off slice by slice, newest first.

The folders' cursors are stored together with the slices and come from the same listing: what the listing held is
in the slices, what arrives later is found by catching up, and nothing falls between.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from uuid import UUID

from postroom.sync.asks import (
    KnownMessages,
    ListFolders,
    ListWindow,
    SaveFolders,
    SavePage,
    SavePlan,
    Steps,
)
from postroom.sync.folders import left_out, listed_once
from postroom.sync.reading import HEADERS_AT_ONCE, Chosen, choose
from postroom.sync.remote import FolderClosed, RemoteFolder, Window
from postroom.sync.slicing import cut, slices_of
from postroom.sync.state import FolderState, Known, Page, PlannedSlice, Saved, SliceState


def plan_import(since: date, *, is_planned: bool = False) -> Steps[tuple[UUID, ...]]:
    """List what lies in the window and is neither stored nor planned, and store it as slices; their ids.

    A folder that was listed before keeps its cursor: what happened since then still has to be caught up. If the window
    begins earlier than it did, only the days before are listed; if it begins later, nothing is. Of a mailbox that
    `is_planned` nothing is saved when there was nothing to list.
    """
    remote: Sequence[RemoteFolder] = yield ListFolders()
    if not remote:  # a mailbox always has its inbox (RFC 3501 section 5.1): this server is not well
        return ()
    folders: tuple[FolderState, ...] = yield SaveFolders(listed_once(remote), left_out(remote))
    cursors: dict[UUID, str] = {}
    listed_since: dict[UUID, date] = {}
    planned: list[PlannedSlice] = []
    for folder in folders:
        if folder.cursor and folder.listed_since is not None and folder.listed_since <= since:
            continue
        before = folder.listed_since if folder.cursor else None
        try:
            window: Window = yield ListWindow(folder.remote_name, since, before)
        except FolderClosed:  # one that nobody may open must not keep the others from being read; later again
            continue
        known: Known = yield KnownMessages(folder.id)
        if not folder.cursor:
            cursors[folder.id] = window.cursor
        listed_since[folder.id] = since
        stored = known.planned.union(known.sighted, (message.remote_id for message in known.messages))
        added = [message for message in window.messages if message.remote_id not in stored]
        planned += cut(folder.id, added, slices_of(len(known.planned)))
    if is_planned and not listed_since:
        return ()
    # By position, so that the newest of every folder comes before the old of any.
    planned.sort(key=lambda piece: piece.position)
    ids: tuple[UUID, ...] = yield SavePlan(cursors, tuple(planned), listed_since)
    return ids


def import_slice(piece: SliceState, *, headers_first: bool = False) -> Steps[Saved]:
    """Read and save what is left of a slice, page by page. A crash repeats one page at most, and its headers."""
    total = Saved()
    done = piece.done_count
    while done < len(piece.remote_ids):
        stop = done + HEADERS_AT_ONCE if headers_first else len(piece.remote_ids)
        remote_ids, sizes = piece.remote_ids[done:stop], piece.sizes[done:stop]
        if headers_first:
            chosen = yield from choose(piece.remote_name, remote_ids, sizes)
        else:
            chosen = Chosen(remote_ids, sizes, frozenset(remote_ids))
        for start, end in chosen.pages():
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
                )
            )
            total = Saved(total.new + saved.new, total.filed + saved.filed, total.kept + saved.kept)
        done += len(remote_ids)
    return total
