"""One page of a stranger's website over https, by the same guarded connections as to mail servers.

The name is resolved once, all its addresses are checked, and the connection goes to a checked one; the certificate is
verified for the name. An HTTP client of its own would look the name up again, or would have to be told another name
than the one in the address. So a request is one message, and the answer is all that comes until the connection ends
(RFC 9112 section 9.6); the standard library takes it apart.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from http.client import HTTPException, HTTPResponse
from io import BytesIO
from typing import Final, cast
from urllib.parse import urlsplit

from postroom import __version__
from postroom.providers.base import ServerSettings
from postroom.providers.errors import ProtocolViolation, WrongSettings
from postroom.providers.guard import NetworkPolicy, ascii_host, resolve
from postroom.providers.imap.connect import attach, connect_tcp

HTTPS_PORT: Final = 443
MOST_OCTETS: Final = 64 * 1024  # of an answer with its header; the largest file of the public database has 21 kB


@dataclass(frozen=True, slots=True)
class Answer:
    """`location` is where a redirect leads, as it was written."""

    status: int
    location: str
    is_packed: bool
    body: bytes


class _Exchange(asyncio.Protocol):
    """Sends a request as soon as it may, and keeps what is said until the other side has ended."""

    def __init__(self, request: bytes) -> None:
        self._request = request
        self._transport: asyncio.Transport | None = None
        self.octets = bytearray()
        self.ended = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)  # uvloop's does not inherit from asyncio's
        self._transport.write(self._request)

    def data_received(self, data: bytes) -> None:
        self.octets += data
        if len(self.octets) > MOST_OCTETS:
            self.abort()

    def connection_lost(self, exc: Exception | None) -> None:
        if not self.ended.done():
            self.ended.set_result(None)

    def abort(self) -> None:
        if self._transport is not None:
            self._transport.abort()


async def ask(url: str, port: int, policy: NetworkPolicy) -> Answer:
    """GET an https address on that port and no other. Waits for as long as the caller does.

    Raises WrongSettings (for an address that is none, too), Unreachable, or ProtocolViolation.
    """
    try:
        parts = urlsplit(url)
        host, written = ascii_host(parts.hostname or ""), parts.port
    except ValueError as error:
        raise WrongSettings("host_unknown") from error
    target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    is_plain = target.isascii() and target.isprintable() and " " not in target
    if parts.scheme != "https" or (written or port) != port or parts.username is not None or not is_plain:
        raise WrongSettings("host_not_allowed", host=host)
    addresses = await resolve(host, port, policy, ports=frozenset({port}))
    settings = ServerSettings(host, port, "tls", "", "")
    exchange = await attach(
        await connect_tcp(settings, addresses), settings, policy, lambda: _Exchange(_request(host, port, target))
    )
    try:
        await exchange.ended
    finally:
        exchange.abort()
        await asyncio.sleep(0)  # the transport lets go in the loop's next round
    return _read(bytes(exchange.octets), host)


def _request(host: str, port: int, target: str) -> bytes:
    lines = (
        f"GET {target} HTTP/1.1",
        f"Host: {host if port == HTTPS_PORT else f'{host}:{port}'}",
        f"User-Agent: Postroom/{__version__}",
        "Accept-Encoding: identity",
        "Connection: close",
    )
    return "".join(f"{line}\r\n" for line in (*lines, "")).encode("ascii")


class _Heard:
    """What HTTPResponse takes for a socket."""

    def __init__(self, octets: bytes) -> None:
        self._octets = octets

    def makefile(self, mode: str) -> BytesIO:
        return BytesIO(self._octets)


def _read(octets: bytes, host: str) -> Answer:
    if len(octets) > MOST_OCTETS:
        raise ProtocolViolation("flood", host=host, limit=MOST_OCTETS)
    response = HTTPResponse(_Heard(octets))  # type: ignore[arg-type]  # all it wants is makefile()
    try:
        response.begin()
        body = response.read()
    except (HTTPException, ValueError) as error:
        raise ProtocolViolation("unexpected_answer", host=host) from error
    finally:
        response.close()
    packing = response.headers.get("Content-Encoding", "identity")
    return Answer(response.status, response.headers.get("Location", ""), packing.lower() != "identity", body)
