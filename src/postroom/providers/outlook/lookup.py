"""What a listing tells of messages that are known by their ids: when they arrived, their flags and sizes.

An application has 10,000 requests in ten minutes for a mailbox, and each part of a batch is one. Messages that are
looked up together lie close together as a rule, so that a few pages of what arrived between them tell of nearly all.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from postroom.providers.errors import MessageGone
from postroom.providers.outlook.graph import Graph
from postroom.providers.outlook.items import Item, read_item
from postroom.providers.outlook.listing import RESOLUTION, list_days
from postroom.providers.outlook.requests import Call, get_listed
from postroom.providers.outlook.responses import Answer

MANY = 10  # messages, from which on a listing costs less than asking for each


async def look_up(graph: Graph, remote_name: str, remote_ids: Sequence[str]) -> dict[str, Item]:
    """The items by their ids, and others that were listed beside them; those that are gone are missing."""
    items: dict[str, Item] = {}
    if len(remote_ids) >= MANY:
        sample = {remote_ids[place]: None for place in (0, len(remote_ids) // 2, -1)}
        items = {item.remote_id: item for item, _ in await read_each(graph, list(sample), get_listed)}
        arrived = sorted(item.received_at for item in items.values() if item.received_at)
        if arrived:
            most_pages = 1 + 2 * len(remote_ids) // graph.page_items
            listed = await list_days(graph, remote_name, arrived[0], arrived[-1] + RESOLUTION, most_pages)
            items |= {item.remote_id: item for item in listed if item.is_complete}
    left = [remote_id for remote_id in remote_ids if remote_id not in items]
    return items | {item.remote_id: item for item, _ in await read_each(graph, left, get_listed)}


async def read_each(
    graph: Graph, remote_ids: Sequence[str], ask: Callable[[str, str], Call]
) -> list[tuple[Item, Mapping[str, Any]]]:
    """What is asked of each message, under the id that it was asked by; those that are gone are left out."""
    calls = [ask(graph.mailbox, remote_id) for remote_id in remote_ids]
    found: list[tuple[Item, Mapping[str, Any]]] = []
    for remote_id, call, answer in zip(remote_ids, calls, await graph.batch(calls), strict=True):
        if (fields := _unless_gone(graph, call, answer)) is not None:
            found.append((read_item({**fields, "id": remote_id}), fields))
    return found


def _unless_gone(graph: Graph, call: Call, answer: Answer) -> Mapping[str, Any] | None:
    try:
        return graph.checked(answer, call).fields()
    except MessageGone:
        return None
