"""Which folders are read. Junk, trash and drafts hold nothing that belongs on a record."""

from __future__ import annotations

from collections.abc import Sequence

from postroom.sync.remote import RemoteFolder

LEFT_OUT = frozenset({"junk", "trash", "drafts"})
_FIRST = {"inbox": 0, "sent": 1}


def worth_reading(folders: Sequence[RemoteFolder]) -> tuple[RemoteFolder, ...]:
    """The folders to be synced, inbox and sent first; a folder that is listed twice counts once.

    A folder that shows all mail again (role all) is left out where an inbox exists: it would double every fetch.
    """
    has_inbox = any(folder.role == "inbox" for folder in folders)
    chosen = {
        folder.remote_name: folder
        for folder in folders
        if folder.is_selectable and folder.role not in LEFT_OUT and not (folder.role == "all" and has_inbox)
    }
    return tuple(sorted(chosen.values(), key=lambda folder: (_FIRST.get(folder.role, 2), folder.remote_name)))
