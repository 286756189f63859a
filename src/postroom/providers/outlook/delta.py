"""What a folder holds, and what happened in it since, by delta (learn.microsoft.com/graph/delta-query-messages).

The first round lists everything, and its last page has the deltaLink to go on from. Nothing is promised but that: items
come in any order, again and again, as they were a while ago, an update with what changed alone, a page empty with more
behind it. What is told last of an item counts.

A cursor is JSON: {"folder": its remote name, "delta": the deltaLink whole, "day": when it was had}. Exchange keeps the
place of a deltaLink in a cache without a promised life, so one is made anew after a week in which nothing happened.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta

from postroom.providers.errors import ListingExpired, ProtocolViolation
from postroom.providers.outlook.graph import Graph
from postroom.providers.outlook.items import Item, newest_first, read_item
from postroom.providers.outlook.listing import list_large
from postroom.providers.outlook.lookup import look_up
from postroom.providers.outlook.requests import LISTED, Call, first_message_delta, next_delta
from postroom.providers.outlook.responses import Answer, link, values

MOST_ITEMS = 5_000_000
LARGE_OCTETS = 256 * 1024  # a page of smaller ones fits into memory, whatever sizes they have
RENEWED_AFTER = timedelta(days=7)


@dataclass(frozen=True, slots=True)
class Cursor:
    """A place in a folder's history. `path` is that of the deltaLink."""

    remote_name: str
    path: str
    day: date
    text: str = field(compare=False)

    @classmethod
    def read(cls, graph: Graph, remote_name: str, cursor: str) -> Cursor:
        """Raises ListingExpired for what is none, is another folder's, or leads elsewhere than to this API."""
        try:
            told = json.loads(cursor)
            folder, delta, day = told["folder"], told["delta"], date.fromisoformat(told["day"])
        except (ValueError, TypeError, KeyError, RecursionError) as error:
            raise ListingExpired from error
        if folder != remote_name or not isinstance(delta, str) or not graph.is_ours(delta):
            raise ListingExpired
        return cls(remote_name, graph.path_of(delta), day, cursor)

    @property
    def is_old(self) -> bool:
        return _today() - self.day > RENEWED_AFTER


@dataclass(slots=True)
class Round:
    """What the pages told, up to the deltaLink: items in the order in which they were first told."""

    items: dict[str, Item] = field(default_factory=dict)
    removed: dict[str, None] = field(default_factory=dict)
    link: str = ""
    pages: int = 0

    def take(self, page: Answer) -> None:
        """Note what a page tells. `@removed` is of what was deleted and of what was moved elsewhere."""
        for told in values(page):
            item = read_item(told)
            if "@removed" in told:
                self.items.pop(item.remote_id, None)
                self.removed[item.remote_id] = None
            else:
                earlier = self.items.get(item.remote_id)
                self.items[item.remote_id] = item.after(earlier) if earlier else item
                self.removed.pop(item.remote_id, None)
        self.pages += 1
        self.link = link(page, "deltaLink")
        if len(self.items) + len(self.removed) > MOST_ITEMS:
            raise ProtocolViolation("flood", limit=MOST_ITEMS)

    def cursor(self, remote_name: str) -> str:
        return json.dumps({"folder": remote_name, "delta": self.link, "day": _today().isoformat()})

    @property
    def newest_first(self) -> list[Item]:
        return newest_first(list(self.items.values()))


async def list_everything(graph: Graph, remote_name: str) -> Round:
    """The first round: all that the folder holds, with sizes of what is large. Raises FolderGone."""
    round_ = await _walk(graph, first_message_delta(graph.mailbox, remote_name))
    await _complete(graph, remote_name, round_, [item for item in round_.items.values() if not item.is_complete])
    for large in await list_large(graph, remote_name, LARGE_OCTETS) if round_.items else ():
        if large.remote_id in round_.items:
            round_.items[large.remote_id] = large.after(round_.items[large.remote_id])
    return round_


async def list_since(graph: Graph, cursor: Cursor) -> Round:
    """What happened since, with sizes. Raises ListingExpired and FolderGone."""
    round_ = await _walk(graph, next_delta(cursor.path))
    lacking = [item for item in round_.items.values() if not item.is_complete or item.size is None]
    await _complete(graph, cursor.remote_name, round_, lacking)
    return round_


async def _walk(graph: Graph, call: Call) -> Round:
    """The round that begins with this call; once anew when a link to its next page has expired meanwhile."""
    for is_last in (False, True):
        round_ = Round()
        try:
            async for page in graph.pages(call):
                round_.take(page)
        except ListingExpired:
            if is_last or not round_.pages:
                raise
            continue
        graph.path_of(round_.link)  # one that leads elsewhere is never kept
        break
    return round_


async def _complete(graph: Graph, remote_name: str, round_: Round, lacking: Sequence[Item]) -> None:
    """Ask for what was left out of these. What is gone meanwhile is told by the next round."""
    found = await look_up(graph, remote_name, [item.remote_id for item in newest_first(list(lacking))], LISTED)
    for item in lacking:
        if item.remote_id in found:
            round_.items[item.remote_id] = read_item(found[item.remote_id]).after(item)
        elif not item.is_complete:
            del round_.items[item.remote_id]


def _today() -> date:
    return datetime.now(UTC).date()
