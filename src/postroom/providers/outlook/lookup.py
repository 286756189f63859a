"""Messages that are known by their ids: when they arrived, their flags, sizes and headers.

An application has 10,000 requests in ten minutes for a mailbox, and each part of a batch is one. Messages that are
looked up together lie close together as a rule, so that a few pages of what arrived between them tell of nearly all.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from postroom.providers.errors import FolderGone, MessageGone
from postroom.providers.outlook.graph import Graph
from postroom.providers.outlook.items import read_item
from postroom.providers.outlook.listing import RESOLUTION, pages_between
from postroom.providers.outlook.requests import Call, Fields, get_message
from postroom.providers.outlook.responses import Answer

Message = Mapping[str, Any]
MANY = 10  # messages, from which on a listing costs less than asking for each


async def look_up(graph: Graph, remote_name: str, remote_ids: Sequence[str], fields: Fields) -> dict[str, Message]:
    """The messages by their ids, in the order asked for; those that are gone are missing."""
    found: dict[str, Message] = {}
    if len(remote_ids) >= MANY:
        sample = {remote_ids[place]: None for place in (0, len(remote_ids) // 2, -1)}
        found = await _each(graph, list(sample), fields)
        found |= await _between(graph, remote_name, frozenset(remote_ids), fields, list(found.values()))
    found |= await _each(graph, [remote_id for remote_id in remote_ids if remote_id not in found], fields)
    return {remote_id: found[remote_id] for remote_id in remote_ids if remote_id in found}


async def _between(
    graph: Graph, remote_name: str, wanted: frozenset[str], fields: Fields, sample: Sequence[Message]
) -> dict[str, Message]:
    """Those of the wanted that a few pages tell of, between the moments at which the sample arrived."""
    arrived = sorted(moment for message in sample if (moment := read_item(message).received_at))
    if not arrived:
        return {}
    found: dict[str, Message] = {}
    pages_left = 1 + 2 * len(wanted) // min(graph.page_items, fields.most_items)
    try:
        async for page in pages_between(graph, remote_name, arrived[0], arrived[-1] + RESOLUTION, fields):
            found |= {one["id"]: one for one in page if one["id"] in wanted and read_item(one).is_complete}
            pages_left -= 1
            if pages_left <= 0 or len(found) == len(wanted):
                break
    except FolderGone:  # its messages may lie elsewhere by now
        pass
    return found


async def _each(graph: Graph, remote_ids: Sequence[str], fields: Fields) -> dict[str, Message]:
    """Each by itself, under the id that it was asked by."""
    calls = [get_message(graph.mailbox, remote_id, fields) for remote_id in remote_ids]
    found: dict[str, Message] = {}
    for remote_id, call, answer in zip(remote_ids, calls, await graph.batch(calls), strict=True):
        if (message := _unless_gone(graph, call, answer)) is not None:
            found[remote_id] = {**message, "id": remote_id}
    return found


def _unless_gone(graph: Graph, call: Call, answer: Answer) -> Message | None:
    try:
        return graph.checked(answer, call).fields()
    except MessageGone:
        return None
