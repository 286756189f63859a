"""Messages of a folder between two moments, newest first.

Graph parts such a list by counting from its top ($skip), so that a message that is deleted while the pages are read
hides another between them. So each page begins at the moment at which the one before ended, and what comes twice
counts once.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from datetime import datetime, timedelta
from typing import Any

from postroom.providers.outlook.graph import Graph
from postroom.providers.outlook.items import Item, read_item
from postroom.providers.outlook.requests import LISTED, Call, Fields, list_between, list_larger
from postroom.providers.outlook.responses import link, unreadable, values

RESOLUTION = timedelta(seconds=1)  # of receivedDateTime


async def list_days(graph: Graph, remote_name: str, since: datetime | None, before: datetime) -> list[Item]:
    """What arrived in [since, before). Raises FolderGone."""
    pages = pages_between(graph, remote_name, since, before, LISTED)
    return [read_item(message) async for page in pages for message in page]


async def pages_between(
    graph: Graph, remote_name: str, since: datetime | None, before: datetime, fields: Fields
) -> AsyncIterator[list[Mapping[str, Any]]]:
    """The messages that arrived in [since, before), each once."""

    def until(moment: datetime) -> Call:
        start = as_moment(since) if since else ""
        return list_between(graph.mailbox, remote_name, start, as_moment(moment), fields, graph.page_items)

    call, asked, listed = until(before), set[str](), set[str]()
    while call.path not in asked:
        asked.add(call.path)
        page = await graph.ask(call)
        items = [read_item(message) for message in values(page)]
        new = {item.remote_id for item in items} - listed
        listed |= new
        yield [message for message in values(page) if message["id"] in new]
        following = link(page, "nextLink")
        if not following:
            return
        ended = items[-1].received_at if items else None
        if ended is None or not new or ended == items[0].received_at:  # a whole page arrived in one second
            call = Call("GET", graph.path_of(following), "folder")
        else:
            call = until(ended + RESOLUTION)
    raise unreadable("a page that was there before")  # nobody may walk in a circle


async def list_large(graph: Graph, remote_name: str, octets: int) -> list[Item]:
    """Messages of more octets than that, with nothing but their sizes. Nothing rests on their being all."""
    call = list_larger(graph.mailbox, remote_name, octets, graph.page_items)
    return [read_item(one) async for page in graph.pages(call) for one in values(page)]


def as_moment(moment: datetime) -> str:
    """A moment in an OData filter; Graph's are UTC, and so are ours."""
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")
