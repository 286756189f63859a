"""/events, answered before Django: a stream behind its middleware would hold a thread and a database connection."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any, Final
from urllib.parse import parse_qs

from postroom.web.events import topics
from postroom.web.events.hub import Hub, hub

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
Application = Callable[[Scope, Receive, Send], Awaitable[None]]

PING_SECONDS: Final = 20.0
_HEADERS: Final = [
    (b"content-type", b"text/event-stream"),
    (b"cache-control", b"no-store"),
    (b"x-accel-buffering", b"no"),
    (b"x-content-type-options", b"nosniff"),
]


class EventStreams:
    """ASGI: streams for `topics.PATH`, everything else goes to the wrapped application."""

    def __init__(self, application: Application, events: Hub = hub) -> None:
        self._application = application
        self._hub = events

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and scope["path"] == topics.PATH:
            await self._stream(scope, receive, send)
        else:
            await self._application(scope, receive, send)

    async def close(self) -> None:
        """End all streams; call it before the server waits for open responses."""
        await self._hub.close()

    async def _stream(self, scope: Scope, receive: Receive, send: Send) -> None:
        token = parse_qs(scope["query_string"].decode("latin-1")).get("token", [""])[0]
        ticket = topics.read_token(token)
        if ticket is None or scope["method"] != "GET":
            await send({"type": "http.response.start", "status": 403, "headers": [(b"content-type", b"text/plain")]})
            await send({"type": "http.response.body", "body": b"Load the page again.\n"})
            return
        await send({"type": "http.response.start", "status": 200, "headers": _HEADERS})
        waiter = self._hub.add(ticket.topics, ticket.drawn_at)
        hang_up = asyncio.ensure_future(_hang_up(receive))
        try:
            await _write(send, "retry: 500\n\n")  # the browser comes back soon after a restart
            while not waiter.is_over and not hang_up.done():
                told = asyncio.ensure_future(waiter.wait(PING_SECONDS))
                await asyncio.wait({told, hang_up}, return_when=asyncio.FIRST_COMPLETED)
                if not told.done():
                    told.cancel()
                    break
                await _write(send, "".join(map(_event, told.result())) or ": ping\n\n")
            if not hang_up.done():
                await send({"type": "http.response.body", "body": b"", "more_body": False})
        finally:
            hang_up.cancel()
            self._hub.remove(waiter)


def _event(topic: str) -> str:
    return f"event: changed\ndata: {json.dumps({'topic': topic})}\n\n"


async def _write(send: Send, text: str) -> None:
    await send({"type": "http.response.body", "body": text.encode(), "more_body": True})


async def _hang_up(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
