"""Messages of a folder between two moments, newest first.

Graph parts such a list by counting from its top ($skip), so that a message that is deleted while the pages are read
hides another between them. So each page begins at the moment at which the one before ended, and what comes twice
counts once.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from postroom.providers.outlook.graph import Graph
from postroom.providers.outlook.items import Item, read_item
from postroom.providers.outlook.requests import Call, list_between, list_larger
from postroom.providers.outlook.responses import link, unreadable, values

RESOLUTION = timedelta(seconds=1)  # of receivedDateTime


async def list_days(
    graph: Graph, remote_name: str, since: datetime | None, before: datetime, most_pages: int | None = None
) -> list[Item]:
    """What arrived in [since, before). Raises FolderGone. After `most_pages` the rest is left out."""
    found: dict[str, Item] = {}
    start = as_moment(since) if since else ""
    call = list_between(graph.mailbox, remote_name, start, as_moment(before), graph.page_items)
    pages, asked = 0, set[str]()
    while most_pages is None or pages < most_pages:
        page = await graph.ask(call)
        pages += 1
        items = [read_item(one) for one in values(page)]
        is_new = any(item.remote_id not in found for item in items)
        found |= {item.remote_id: item for item in items}
        following = link(page, "nextLink")
        if not following:
            break
        call = _next(graph, remote_name, start, items, following, is_new)
        if call.path in asked:  # nobody may walk in a circle
            raise unreadable("a page that was there before")
        asked.add(call.path)
    return list(found.values())


async def list_large(graph: Graph, remote_name: str, octets: int) -> list[Item]:
    """Messages of more octets than that, with nothing but their sizes. Nothing rests on their being all."""
    call = list_larger(graph.mailbox, remote_name, octets, graph.page_items)
    return [read_item(one) async for page in graph.pages(call) for one in values(page)]


def _next(graph: Graph, remote_name: str, start: str, items: list[Item], following: str, is_new: bool) -> Call:
    """From where this page ended; by its link where a whole page arrived in one second."""
    ended = items[-1].received_at if items else None
    if ended is None or not is_new or ended == items[0].received_at:
        return Call("GET", graph.path_of(following), "folder")
    return list_between(graph.mailbox, remote_name, start, as_moment(ended + RESOLUTION), graph.page_items)


def as_moment(moment: datetime) -> str:
    """A moment in an OData filter; Graph's are UTC, and so are ours."""
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")
