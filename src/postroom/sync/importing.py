"""The first import: planned once, then worked off slice by slice, newest first.

The folders' cursors are stored together with the slices and come from the same listing: what the listing held is
in the slices, what arrives later is found by catching up, and nothing falls between.
"""

from __future__ import annotations

from uuid import UUID

from postroom.sync.asks import (
    KnownRemoteIds,
    ListFolders,
    ListWindow,
    SaveFolders,
    SavePage,
    SavePlan,
    Steps,
)
from postroom.sync.folders import worth_reading
from postroom.sync.pages import slices
from postroom.sync.reading import HEADERS_AT_ONCE, Chosen, choose
from postroom.sync.remote import Window
from postroom.sync.state import FolderState, Page, PlannedSlice, Saved, SliceState


def plan_import(days: int, *, only_new_folders: bool = False) -> Steps[tuple[UUID, ...]]:
    """List every folder's window and store the slices that are not known yet. Returns the slices' ids.

    A folder that was planned before keeps its cursor: what happened since then still has to be caught up.
    `only_new_folders` plans just those that were never listed, as at every later sign-in: beside what is still open.
    """
    remote = yield ListFolders()
    folders: tuple[FolderState, ...] = yield SaveFolders(worth_reading(remote))
    cursors: dict[UUID, str] = {}
    planned: list[PlannedSlice] = []
    for folder in folders:
        if only_new_folders and folder.cursor:
            continue
        window: Window = yield ListWindow(folder.remote_name, days)
        known: set[str] = yield KnownRemoteIds(folder.id)
        if not folder.cursor:
            cursors[folder.id] = window.cursor
        planned += _cut(folder.id, window, known)
    # By position, so that the newest of every folder comes before the old of any.
    planned.sort(key=lambda piece: piece.position)
    if only_new_folders and not cursors:
        return ()
    ids: tuple[UUID, ...] = yield SavePlan(cursors, tuple(planned), replaces=not only_new_folders)
    return ids


def _cut(folder_id: UUID, window: Window, known: set[str]) -> list[PlannedSlice]:
    listed = [message for message in window.messages if message.remote_id not in known]
    sizes = [message.size for message in listed]
    return [
        PlannedSlice(
            folder_id,
            position,
            remote_ids=tuple(message.remote_id for message in listed[start:end]),
            sizes=tuple(sizes[start:end]),
        )
        for position, (start, end) in enumerate(slices(sizes))
    ]


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
