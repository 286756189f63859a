"""HTTP servers of ours on loopback, each in a thread of its own, so that sync and async tests use them alike.

A server answers one request with one `Answer`; an answer may come late, or be torn instead of sent.
"""

from __future__ import annotations

import asyncio
import json
import socket
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from email.utils import formatdate
from typing import Any, Self
from urllib.parse import parse_qsl, unquote

import uvicorn


@dataclass(frozen=True, slots=True)
class Request:
    """`path` is unquoted, `query` the last value of each name, `headers` have names in lower case, with
    all values of one joined by commas (RFC 9110 section 5.3).
    """

    method: str
    path: str
    query: Mapping[str, str]
    headers: Mapping[str, str]
    body: bytes
    query_string: str = ""

    def json(self) -> Any:
        """The body as JSON; raises ValueError."""
        return json.loads(self.body or b"null")

    def form(self) -> dict[str, str]:
        """The body as a form, the last value of each name."""
        return dict(self.pairs())

    def query_values(self, name: str) -> list[str]:
        """Every value of one name in the query."""
        return [value for one, value in parse_qsl(self.query_string, keep_blank_values=True) if one == name]

    def pairs(self) -> list[tuple[str, str]]:
        """The body as a form, with every value of a name."""
        return parse_qsl(self.body.decode(), keep_blank_values=True)

    @property
    def bearer(self) -> str:
        """The access token that came along, "" where there is none."""
        scheme, _, token = self.headers.get("authorization", "").partition(" ")
        return token if scheme.lower() == "bearer" else ""


@dataclass(slots=True)
class Answer:
    """What goes back. `torn`: after `delay_seconds` the connection is reset instead, without an octet of an answer."""

    status: int = 200
    body: bytes = b""
    headers: dict[str, str] = field(default_factory=dict)
    delay_seconds: float = 0.0
    torn: bool = False


def json_answer(status: int, value: Any, headers: Mapping[str, str] | None = None) -> Answer:
    """`value` as JSON."""
    return Answer(status, json.dumps(value).encode(), {"Content-Type": "application/json", **(headers or {})})


def html_answer(status: int, page: str) -> Answer:
    """A page for a browser."""
    return Answer(status, page.encode(), {"Content-Type": "text/html; charset=utf-8", "Cache-Control": "no-store"})


def redirect(url: str) -> Answer:
    """Send a browser on."""
    return Answer(302, b"", {"Location": url, "Cache-Control": "no-store"})


class Served:
    """A server while it is entered. Subclasses answer; `url` has no slash at its end.

    `lock` is held by whoever reads or changes what the server knows: its own thread and the tests' are two.
    """

    url: str

    def __init__(self) -> None:
        self.lock = threading.RLock()
        # With the protocol named, asyncio switches Nagle's algorithm off: 0.4 ms a request, not 44.
        self._listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
        self._listener.bind(("127.0.0.1", 0))
        self._listener.listen(512)
        self.url = f"http://127.0.0.1:{self._listener.getsockname()[1]}"
        self._server = uvicorn.Server(
            uvicorn.Config(
                self._app,
                interface="asgi3",
                loop="asyncio",
                lifespan="off",
                ws="none",
                log_config=None,
                access_log=False,
                proxy_headers=False,
                server_header=False,
                date_header=False,
            )
        )
        self._thread = threading.Thread(target=lambda: asyncio.run(self._serve()), daemon=True)
        self._ready = threading.Event()
        self._stop: Callable[[], object] = lambda: None

    async def answer(self, request: Request) -> Answer:
        """Answer one request."""
        raise NotImplementedError

    def __enter__(self) -> Self:
        self._thread.start()
        if not self._ready.wait(timeout=10):
            raise RuntimeError("The server did not start.")
        return self

    def __exit__(self, *_: object) -> None:
        self._stop()
        self._thread.join(timeout=10)
        self._listener.close()

    async def _serve(self) -> None:
        """Serve until it is stopped. uvicorn's own loop looks ten times a second: that is a test's usual length."""
        config, loop, over = self._server.config, asyncio.get_running_loop(), asyncio.Event()
        config.load()
        self._server.lifespan = config.lifespan_class(config)
        await self._server.startup(sockets=[self._listener])
        self._stop = lambda: loop.call_soon_threadsafe(over.set)
        self._ready.set()
        await over.wait()
        for server in self._server.servers:
            server.close()
        for connection in list(self._server.server_state.connections):
            connection.transport.abort()
        for task in list(self._server.server_state.tasks):
            task.cancel()
        await asyncio.gather(*self._server.server_state.tasks, return_exceptions=True)
        await asyncio.sleep(0)

    async def _app(self, scope: Any, receive: Any, send: Any) -> None:
        body = bytearray()
        while (message := await receive())["type"] == "http.request":
            body += message["body"]
            if not message.get("more_body"):
                break
        answer = await self.answer(
            Request(
                method=scope["method"],
                path=unquote(scope["path"]),
                query=dict(parse_qsl(scope["query_string"].decode(), keep_blank_values=True)),
                headers=_joined(scope["headers"]),
                body=bytes(body),
                query_string=scope["query_string"].decode(),
            )
        )
        if answer.delay_seconds:
            await asyncio.sleep(answer.delay_seconds)
        if answer.torn:
            receive.__self__.transport.abort()  # uvicorn has no way of its own to tear a connection
            await receive()  # until it has noticed
            return
        date = formatdate(usegmt=True)
        headers = {"Date": date, "Content-Length": str(len(answer.body)), **answer.headers}
        await send(
            {
                "type": "http.response.start",
                "status": answer.status,
                "headers": [(name.lower().encode(), value.encode("latin-1")) for name, value in headers.items()],
            }
        )
        await send({"type": "http.response.body", "body": answer.body})


def _joined(headers: list[tuple[bytes, bytes]]) -> dict[str, str]:
    joined: dict[str, str] = {}
    for name, value in headers:
        key, text = name.decode().lower(), value.decode("latin-1")
        joined[key] = f"{joined[key]}, {text}" if key in joined else text
    return joined
