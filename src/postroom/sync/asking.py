"""Asking by address: where reading every header is dear, the provider is asked for the mail of records (DESIGN.md 5).

What such a mailbox held when it was connected is had by a search for all addresses of the workspace's records; what
arrives later is decided on by its header, as anywhere. An address that a record gets later is asked for over the whole
window, once: `asked_until` moves in the transaction that stores what was found. So what ends up stored does not depend
on which came first, the address or the mail.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from uuid import UUID

from postroom.sync.asks import KnownMessages, ListWindow, LoadAddresses, SavePlan, Steps
from postroom.sync.manner import Manner
from postroom.sync.remote import FolderClosed, RemoteMessage, Window
from postroom.sync.slicing import cut, slices_of
from postroom.sync.state import Addresses, FolderState, Known, PlannedSlice


@dataclass(frozen=True, slots=True)
class Asked:
    """What asking for new addresses came to: the ids of the slices with what was found, and what was asked for."""

    slice_ids: tuple[UUID, ...] = ()
    keys: frozenset[str] = frozenset()


def read_window(folder: FolderState, since: date, manner: Manner) -> Steps[Window]:
    """What of a folder's window is read at all, newest first."""
    keys: tuple[str, ...] | None = None
    if manner.by_address:
        addresses: Addresses = yield LoadAddresses()
        keys = addresses.keys
    window: Window = yield ListWindow(folder.remote_name, folder.listed_since or since, None, keys)
    return window


def plan_window(
    folder: FolderState, since: date, manner: Manner, addresses: Addresses | None
) -> Steps[tuple[Window, list[RemoteMessage]]]:
    """What of a folder is to be imported, with the cursor; and of it the mail of records, where that goes first.

    If the window begins earlier than it did, only the days before are listed. `addresses` are given where the manner
    asks for some.
    """
    before = folder.listed_since if folder.cursor else None
    if manner.by_address and addresses is not None:
        window: Window = yield ListWindow(folder.remote_name, since, before, addresses.keys)
        return window, []
    window = yield ListWindow(folder.remote_name, since, before)
    if addresses is None or not window.messages:
        return window, []
    found: Window = yield ListWindow(folder.remote_name, since, before, addresses.keys)
    first = {message.remote_id for message in found.messages}
    return window, [message for message in window.messages if message.remote_id in first]


def new_among(listed: Sequence[RemoteMessage], known: Known) -> list[RemoteMessage]:
    """Those that are neither stored, nor sighted, nor planned."""
    stored = known.planned.union(known.sighted, (message.remote_id for message in known.messages))
    return [message for message in listed if message.remote_id not in stored]


def ask_for_new(folders: Sequence[FolderState], since: date, asked: frozenset[str] = frozenset()) -> Steps[Asked]:
    """Ask for addresses that records got since the mailbox was asked last, but for those `asked` just now.

    Folders that were never listed are left out: their plan asks for all addresses.
    """
    new: Addresses = yield LoadAddresses(is_new=True)
    keys = tuple(key for key in new.keys if key not in asked)
    if not keys:
        return Asked()
    planned: list[PlannedSlice] = []
    for folder in folders:
        if not folder.is_synced or not folder.cursor:
            continue
        try:
            window: Window = yield ListWindow(folder.remote_name, folder.listed_since or since, None, keys)
        except FolderClosed:  # what it holds is asked for when it is compared with the server
            continue
        known: Known = yield KnownMessages(folder.id)
        planned += cut(folder.id, new_among(window.messages, known), slices_of(len(known.planned)))
    planned.sort(key=lambda piece: piece.position)
    ids: tuple[UUID, ...] = yield SavePlan({}, tuple(planned), asked_until=new.until)
    return Asked(ids, frozenset(keys))
