"""An open Outlook mailbox: what `base.Session` promises, by Microsoft Graph.

A remote name is a folder's id, which never changes; a remote id is a message's immutable id, the same in every folder
of the mailbox. Cursors are `delta.Cursor`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, date, datetime, time

from postroom.providers.base import (
    Changes,
    FetchedHeader,
    FetchedMessage,
    RemoteFolder,
    RemoteIdentity,
    RemoteMessage,
    Sought,
    Uploaded,
    Window,
)
from postroom.providers.errors import Unsupported
from postroom.providers.outlook import appending, delta, fetching, searching, uploads
from postroom.providers.outlook.folders import FolderList
from postroom.providers.outlook.graph import Graph
from postroom.providers.outlook.items import Item, newest_first
from postroom.providers.outlook.listing import list_days
from postroom.providers.outlook.watching import Watch

MOST_KNOWN = 1_000  # items of a listing that are kept for the fetch that follows it


class OutlookSession:
    """See base.Session. Made by `outlook.provider`; `pause_seconds` says how long to wait between two looks."""

    def __init__(self, graph: Graph, pause_seconds: Callable[[], float]) -> None:
        self._graph = graph
        self._folders = FolderList(graph)
        self._watch = Watch(graph, pause_seconds)
        self._known: dict[str, Item] = {}
        self._bodies: dict[str, bytes] = {}  # of a fetch that was broken off: the next one asks for the others

    async def list_folders(self) -> Sequence[RemoteFolder]:
        return await self._folders.read()

    async def list_window(
        self,
        remote_name: str,
        since: date | None,
        before: date | None = None,
        addresses: Sequence[str] | None = None,
    ) -> Window:
        if addresses is not None:
            raise Unsupported
        start = _midnight(since) if since else None
        if before is not None:  # days before a window that was listed: its cursor stays
            items = await list_days(self._graph, remote_name, start, _midnight(before))
            return Window(self._listed(newest_first(items)), "")
        everything = await self._list_everything(remote_name)
        items = everything.newest_first
        if start is not None:
            items = [item for item in items if item.received_at is not None and item.received_at >= start]
        return Window(self._listed(items), everything.cursor(remote_name))

    async def list_all(self, remote_name: str) -> Changes:
        everything = await self._list_everything(remote_name)
        return Changes(self._listed(everything.newest_first), everything.cursor(remote_name), is_full=True)

    async def list_changes(self, remote_name: str, cursor: str) -> Changes:
        before = delta.Cursor.read(self._graph, remote_name, cursor)
        since = await delta.list_since(self._graph, before)
        self._watch.listed(remote_name, since.link)
        if not since.items and not since.removed and not before.is_old:
            return Changes((), cursor)  # as it was: nothing has to be saved
        touched = self._listed(since.newest_first)
        return Changes((), since.cursor(remote_name), removed=tuple(since.removed), touched=touched)

    async def poll(self, cursors: Mapping[str, str]) -> frozenset[str]:
        return await self._watch.poll(cursors)

    async def fetch_headers(self, remote_name: str, remote_ids: Sequence[str]) -> Sequence[FetchedHeader]:
        read = await fetching.fetch_headers(self._graph, remote_name, remote_ids)
        self._keep([item for _, item in read])
        return [header for header, _ in read]

    async def fetch(self, remote_name: str, remote_ids: Sequence[str]) -> Sequence[FetchedMessage]:
        known = {one: self._known[one] for one in remote_ids if one in self._known}
        self._bodies = {one: self._bodies[one] for one in remote_ids if one in self._bodies}
        fetched = await fetching.fetch_messages(self._graph, remote_name, remote_ids, known, self._bodies)
        self._bodies = {}
        return fetched

    async def fetch_large(self, remote_name: str, remote_id: str, size: int, write: Callable[[bytes], None]) -> None:
        await fetching.fetch_large(self._graph, remote_id, size, write)

    async def wait(self, remote_name: str, timeout_seconds: float) -> frozenset[str]:
        self._known, self._bodies = {}, {}  # an idle session is small
        return await self._watch.wait(remote_name, timeout_seconds)

    async def find_by_message_id(
        self, remote_name: str, internet_message_id: str, submission: str = ""
    ) -> Sequence[str]:
        return await fetching.find_by_message_id(self._graph, remote_name, internet_message_id)

    async def search(self, remote_name: str, sought: Sought, most: int) -> Sequence[FetchedHeader]:
        return await searching.search(self._graph, remote_name, sought, most)

    async def append(self, remote_name: str, raw: bytes, flags: Sequence[str] = ()) -> None:
        await appending.append(self._graph, remote_name, raw, flags)

    async def find_upload(self, upload: str) -> Uploaded:
        return await uploads.find_upload(self._graph, upload)

    async def list_identities(self) -> Sequence[RemoteIdentity]:
        raise Unsupported  # Exchange sends from other addresses of a mailbox only where its administrator allows it

    async def close(self) -> None:
        await self._graph.close()

    async def _list_everything(self, remote_name: str) -> delta.Round:
        everything = await delta.list_everything(self._graph, remote_name)
        self._watch.listed(remote_name, everything.link)
        return everything

    def _listed(self, items: Sequence[Item]) -> tuple[RemoteMessage, ...]:
        self._keep(items)
        return tuple([item.listed for item in items])

    def _keep(self, items: Sequence[Item]) -> None:
        """Remember when messages arrived and their flags: their MIME text tells neither."""
        self._known = {item.remote_id: item for item in items[:MOST_KNOWN]}


def _midnight(day: date) -> datetime:
    return datetime.combine(day, time(), UTC)
