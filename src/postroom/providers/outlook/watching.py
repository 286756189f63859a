"""What changes in a mailbox: Graph pushes to a public address only, so a session looks.

A deltaLink asked again answers with nothing where nothing happened, whoever asks: one such call is a look at a folder,
and one batch of them a poll of twenty.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping

from postroom.providers.errors import ListingExpired
from postroom.providers.outlook.delta import Cursor
from postroom.providers.outlook.graph import Graph
from postroom.providers.outlook.requests import get_folder, next_delta
from postroom.providers.outlook.responses import Answer, link, values

_COUNTS = "totalItemCount,unreadItemCount"


class Watch:
    """The looks of one session."""

    def __init__(self, graph: Graph, pause_seconds: Callable[[], float]) -> None:
        self._graph = graph
        self._pause_seconds = pause_seconds
        # By folder: the path of a deltaLink from which nothing was told yet.
        self._paths: dict[str, str] = {}
        self._counts: dict[str, tuple[object, ...]] = {}  # of folders that were never listed
        self._looked_at: dict[str, float] = {}  # the event loop's moments

    def listed(self, remote_name: str, link_: str) -> None:
        """What happens from this deltaLink on ends the next wait."""
        self._paths[remote_name] = self._graph.path_of(link_)
        self._counts.pop(remote_name, None)
        self._looked_at[remote_name] = asyncio.get_running_loop().time()

    async def poll(self, cursors: Mapping[str, str]) -> frozenset[str]:
        """The folders whose deltaLinks have something to tell, and those whose cursors mean nothing or are old."""
        changed: set[str] = set()
        asked: dict[str, Cursor] = {}
        for name, text in cursors.items():
            try:
                cursor = Cursor.read(self._graph, name, text)
            except ListingExpired:
                changed.add(name)  # listing the folder says so again
                continue
            if cursor.is_old:
                changed.add(name)
            else:
                asked[name] = cursor
        calls = [next_delta(cursor.path) for cursor in asked.values()]
        now = asyncio.get_running_loop().time()
        for (name, cursor), call, answer in zip(asked.items(), calls, await self._graph.batch(calls), strict=True):
            is_void = answer.status in (400, 404, 410)  # listing the folder tells what it is
            if is_void or _tells(self._graph.checked(answer, call)):
                changed.add(name)
            else:
                self._paths.setdefault(name, cursor.path)
                self._looked_at[name] = now
        return frozenset(changed)

    async def wait(self, remote_name: str, timeout_seconds: float) -> frozenset[str]:
        """Until this folder may have changed; empty when the time is over. Raises FolderGone.

        The pause begins with the last look, whoever made it: who polls and then waits asks once.
        """
        loop = asyncio.get_running_loop()
        end = loop.time() + timeout_seconds
        while True:
            looked_at = self._looked_at.get(remote_name)
            due = loop.time() if looked_at is None else looked_at + self._pause_seconds()
            await asyncio.sleep(max(0.0, min(due, end) - loop.time()))
            if due > end:
                return frozenset()
            self._looked_at[remote_name] = loop.time()
            if await self._look(remote_name):
                return frozenset({remote_name})

    async def _look(self, remote_name: str) -> bool:
        """Whether something was not told of yet; told of now."""
        path = self._paths.get(remote_name)
        if path is None:
            return await self._count(remote_name)
        has_news, delta = False, ""
        try:
            async for page in self._graph.pages(next_delta(path)):
                has_news = has_news or _tells(page)
                delta = link(page, "deltaLink")
        except ListingExpired:
            del self._paths[remote_name]
            return True
        self._paths[remote_name] = self._graph.path_of(delta)
        return has_news

    async def _count(self, remote_name: str) -> bool:
        """Of a folder that was never listed, what it holds is compared by numbers."""
        folder = (await self._graph.ask(get_folder(self._graph.mailbox, remote_name, _COUNTS))).fields()
        counts = tuple(folder.get(name) for name in _COUNTS.split(","))
        known = self._counts.setdefault(remote_name, counts)
        self._counts[remote_name] = counts
        return known != counts


def _tells(page: Answer) -> bool:
    return bool(values(page)) or bool(link(page, "nextLink"))
