"""An open IMAP mailbox: what `base.Session` promises, in commands and answers.

A remote id is "<uidvalidity>.<uid>". A cursor is `cursor.Cursor` as JSON: new mail has UIDs from `uidnext` on.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, date, datetime

from postroom.providers.base import (
    Changes,
    FetchedHeader,
    FetchedMessage,
    RemoteFolder,
    RemoteIdentity,
    Sought,
    Uploaded,
    Window,
)
from postroom.providers.errors import FolderGone, Unsupported
from postroom.providers.imap import fetching, listing, searching
from postroom.providers.imap.commands import Argument, Payload, Verbatim, search_date
from postroom.providers.imap.cursor import Cursor, OpenFolder
from postroom.providers.imap.dialogue import Dialogue
from postroom.providers.imap.folders import FolderList
from postroom.providers.imap.transport import Connection
from postroom.providers.imap.watching import Watch


class ImapSession:
    """See base.Session. Made by `imap.provider`, over a connection that is signed in."""

    def __init__(self, connection: Connection) -> None:
        self._dialogue = Dialogue(connection)
        self._folders = FolderList(self._dialogue)
        self._watch = Watch(self._dialogue)

    async def list_folders(self) -> Sequence[RemoteFolder]:
        folders = await self._folders.read()
        self._watch.folders_listed()
        return folders

    async def list_window(
        self,
        remote_name: str,
        since: date | None,
        before: date | None = None,
        addresses: Sequence[str] | None = None,
    ) -> Window:
        if addresses is not None:
            raise Unsupported
        folder = await self._open_to_list(remote_name)
        return await listing.list_window(self._dialogue, folder, since, before)

    async def list_all(self, remote_name: str) -> Changes:
        folder = await self._open_to_list(remote_name)
        self._watch.take_flag_news(remote_name)
        return await listing.list_everything(self._dialogue, folder)

    async def list_changes(self, remote_name: str, cursor: str) -> Changes:
        before = Cursor.read(cursor)
        folder = await self._open_to_list(remote_name)
        flags_stirred, unseen = self._watch.take_flag_news(remote_name)
        return await listing.list_changes(self._dialogue, folder, before, flags_stirred=flags_stirred, unseen=unseen)

    async def poll(self, cursors: Mapping[str, str]) -> frozenset[str]:
        return await self._watch.poll(cursors)

    async def fetch_headers(self, remote_name: str, remote_ids: Sequence[str]) -> Sequence[FetchedHeader]:
        folder = await self._dialogue.examine(remote_name, may_be_open=True)
        return await fetching.fetch_headers(self._dialogue, folder, remote_ids)

    async def fetch(self, remote_name: str, remote_ids: Sequence[str]) -> Sequence[FetchedMessage]:
        folder = await self._dialogue.examine(remote_name, may_be_open=True)
        return await fetching.fetch_messages(self._dialogue, folder, remote_ids)

    async def fetch_large(self, remote_name: str, remote_id: str, size: int, write: Callable[[bytes], None]) -> None:
        folder = await self._dialogue.examine(remote_name, may_be_open=True)
        await fetching.fetch_large(self._dialogue, folder, remote_id, size, write)

    async def wait(self, remote_name: str, timeout_seconds: float) -> frozenset[str]:
        return await self._watch.wait(remote_name, timeout_seconds)

    async def find_by_message_id(
        self, remote_name: str, internet_message_id: str, submission: str = ""
    ) -> Sequence[str]:
        folder = await self._dialogue.examine(remote_name)
        return await fetching.find_by_message_id(self._dialogue, folder, internet_message_id, submission)

    async def search(self, remote_name: str, sought: Sought, most: int) -> Sequence[FetchedHeader]:
        folder = await self._dialogue.examine(remote_name)
        return await searching.search(self._dialogue, folder, sought, most)

    async def append(self, remote_name: str, raw: bytes, flags: Sequence[str] = ()) -> None:
        when = datetime.now(UTC)
        stamp = f'"{when.day:2}-{search_date(when).partition("-")[2]} {when:%H:%M:%S} +0000"'
        arguments: list[Argument] = [Verbatim("APPEND"), remote_name]
        if flags:
            arguments.append(Verbatim(f"({' '.join(map(_flag, flags))})"))
        await self._dialogue.run(*arguments, Verbatim(stamp), Payload(raw), refused=FolderGone, remote_name=remote_name)

    async def find_upload(self, upload: str) -> Uploaded:
        raise Unsupported

    async def list_identities(self) -> Sequence[RemoteIdentity]:
        raise Unsupported

    async def close(self) -> None:
        await self._dialogue.connection.close()

    async def _open_to_list(self, remote_name: str) -> OpenFolder:
        folder = await self._dialogue.examine(remote_name)
        self._watch.listing(folder)
        return folder


def _flag(flag: str) -> str:
    if not re.fullmatch(r"\\?[A-Za-z0-9$_.-]+", flag):
        raise Unsupported("unsafe_argument")
    return flag
