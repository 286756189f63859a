"""Messages by their ids: whole, as headers, or in pieces. Nothing here marks anything as read."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from postroom.providers.base import FetchedHeader, FetchedMessage
from postroom.providers.errors import MessageGone, ProtocolViolation, Throttled, Unsupported
from postroom.providers.http import told
from postroom.providers.outlook import requests
from postroom.providers.outlook.graph import Graph
from postroom.providers.outlook.header_block import header_block
from postroom.providers.outlook.items import Item, read_item
from postroom.providers.outlook.lookup import look_up
from postroom.providers.outlook.requests import DECIDING, LISTED
from postroom.providers.outlook.responses import values

PIECE_OCTETS = 1024 * 1024
LIMIT_OCTETS = 64 * 1024 * 1024  # that any message may have, whatever its size was said to be
MOST_TRIES = 4  # of one body that is put off
LONGEST_MESSAGE_ID = 900  # characters; RFC 5322 section 2.1.1 lets a line have 998


async def fetch_messages(
    graph: Graph,
    remote_name: str,
    remote_ids: Sequence[str],
    known: Mapping[str, Item],
    bodies: dict[str, bytes],
) -> list[FetchedMessage]:
    """Whole messages; those that are gone are left out. `known` are items that need not be asked for again.

    `bodies` grows by what is read, also where an error ends it; what it holds is not read again.
    """
    unknown = [remote_id for remote_id in remote_ids if remote_id not in known]
    found = await look_up(graph, remote_name, unknown, LISTED)
    items = {**{remote_id: read_item(message) for remote_id, message in found.items()}, **known}
    wanted = [one for one in remote_ids if one in items]
    waiting = iter([one for one in wanted if one not in bodies])

    async def read() -> None:
        for remote_id in waiting:
            body = await _read_mime(graph, remote_id)
            if body is not None:
                bodies[remote_id] = body

    await _together([read() for _ in range(min(graph.at_once, len(wanted)))])
    return [
        FetchedMessage(one, bodies[one], items[one].received_at or datetime.now(UTC), items[one].flags or ())
        for one in wanted
        if one in bodies
    ]


async def fetch_headers(graph: Graph, remote_name: str, remote_ids: Sequence[str]) -> list[tuple[FetchedHeader, Item]]:
    """The header fields that decide, and the items; those that are gone are left out."""
    fetched = []
    for message in (await look_up(graph, remote_name, remote_ids, DECIDING)).values():
        item = read_item(message)
        received_at = item.received_at or datetime.now(UTC)
        block = header_block(message)
        fetched.append((FetchedHeader(item.remote_id, block, item.size or 0, received_at, item.flags or ()), item))
    return fetched


async def fetch_large(graph: Graph, remote_id: str, size: int, write: Callable[[bytes], None]) -> None:
    """One message in pieces; raise MessageGone."""
    # Exchange tells the size in its store, where files are not in base64: the MIME text has a third more, and folds.
    limit = max(2 * size, LIMIT_OCTETS)
    done = 0
    async with graph.stream(requests.get_mime(graph.mailbox, remote_id)) as response:
        with told(str(response.url)):
            async for piece in response.aiter_bytes(PIECE_OCTETS):
                done += len(piece)
                if done > limit:
                    raise ProtocolViolation("literal_too_large", size=done, limit=limit)
                write(piece)


async def find_by_message_id(graph: Graph, remote_name: str, internet_message_id: str) -> list[str]:
    """The remote ids of the folder's messages with exactly this Message-ID."""
    if not internet_message_id.isprintable() or not 0 < len(internet_message_id) <= LONGEST_MESSAGE_ID:
        raise Unsupported("message_id_not_searchable", internet_message_id=internet_message_id[:100])
    answer = await graph.ask(requests.find_by_message_id(graph.mailbox, remote_name, internet_message_id))
    # Exchange compares without regard to case.
    return [str(one["id"]) for one in values(answer) if one.get("internetMessageId") == internet_message_id]


async def _read_mime(graph: Graph, remote_id: str) -> bytes | None:
    """A message's MIME text, None when it is gone. Put off for a moment, it is asked for again: others were read."""
    call = requests.get_mime(graph.mailbox, remote_id)
    for tries_left in reversed(range(MOST_TRIES)):
        try:
            return (await graph.ask(call)).octets
        except MessageGone:
            return None
        except Throttled:
            if not tries_left:
                raise
    raise AssertionError  # the last try returns or raises


async def _together(reading: Sequence[Any]) -> None:
    """Run them at once; the first error cancels the others."""
    tasks = [asyncio.ensure_future(one) for one in reading]
    try:
        await asyncio.gather(*tasks)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
