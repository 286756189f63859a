"""Which folders there are, and which are read. Junk, trash and drafts hold nothing that belongs on a record."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from uuid import UUID

from postroom.sync.remote import RemoteFolder
from postroom.sync.state import FolderState

LEFT_OUT = frozenset({"junk", "trash", "drafts"})
_FIRST = {"inbox": 0, "sent": 1}


def listed_once(folders: Sequence[RemoteFolder]) -> tuple[RemoteFolder, ...]:
    """The folders that can be read, inbox and sent first; one that is listed twice counts once."""
    by_name = {folder.remote_name: folder for folder in folders if folder.is_selectable}
    return tuple(sorted(by_name.values(), key=lambda folder: (_FIRST.get(folder.role, 2), folder.remote_name)))


def left_out(folders: Sequence[RemoteFolder]) -> frozenset[str]:
    """The names of folders that are not read unless their owner chose them.

    What shows all mail again (role all), or a part of the inbox, is left out where an inbox exists: it would double
    every fetch.
    """
    has_inbox = any(folder.role == "inbox" for folder in folders)
    return frozenset(
        folder.remote_name
        for folder in folders
        if folder.role in LEFT_OUT or (has_inbox and (folder.role == "all" or folder.sorts_inbox))
    )


def renamed(known: Sequence[FolderState], listed: Sequence[RemoteFolder]) -> dict[UUID, str]:
    """The new names of folders that were renamed: the old name is gone, and the same identity has a new one.

    Only where there is no doubt: what looks like several folders on either side is taken for a folder that went and
    another that came, which loses nothing and costs a second fetch.
    """
    names, new_names = {folder.remote_name for folder in known}, {folder.remote_name for folder in listed}
    gone = [folder for folder in known if folder.remote_name not in new_names and folder.identity]
    gone_often = Counter(folder.identity for folder in gone)
    listed_often = Counter(folder.identity for folder in listed)
    came = {folder.identity: folder.remote_name for folder in listed if folder.remote_name not in names}
    return {
        folder.id: came[folder.identity]
        for folder in gone
        if folder.identity in came and gone_often[folder.identity] == listed_often[folder.identity] == 1
    }
