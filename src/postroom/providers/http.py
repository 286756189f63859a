"""HTTP to providers: one pool of connections for each event loop, bounded answers, errors of our tree.

httpx (DESIGN.md 5). Addresses come from the operator's settings, never from a person or a message; nothing is
redirected, so no answer leads elsewhere.
"""

from __future__ import annotations

import asyncio
import logging
import random
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from functools import lru_cache
from typing import Any, TypeVar
from urllib.parse import urlsplit
from weakref import WeakKeyDictionary

import httpx

from postroom import __version__
from postroom.providers.errors import ProtocolViolation, ProviderError, Unreachable, WrongSettings
from postroom.providers.guard import NetworkPolicy

Answer = TypeVar("Answer")

CONNECT_SECONDS = 10.0
POOL_SECONDS = 30.0
TIMEOUT = httpx.Timeout(30.0, connect=CONNECT_SECONDS, pool=POOL_SECONDS)
LIMITS = httpx.Limits(max_connections=200, max_keepalive_connections=50, keepalive_expiry=60.0)
MOST_OCTETS = 160 * 1024 * 1024  # of one answer that is held in memory
PAUSES_SECONDS = (0.2, 1.0)  # before a read is made again
_PASSING = {"connection_lost", "server_unavailable"}
_USER_AGENT = f"Postroom/{__version__}"

# httpx logs the address of every request, and what is searched for stands in it.
logging.getLogger("httpx").setLevel(logging.WARNING)


class HttpClient:
    """Makes requests. Shared by all sessions of a provider in this process."""

    def __init__(self, policy: NetworkPolicy, timeout: httpx.Timeout = TIMEOUT) -> None:
        self._policy = policy
        self._timeout = timeout
        self._clients: WeakKeyDictionary[asyncio.AbstractEventLoop, httpx.AsyncClient] = WeakKeyDictionary()

    async def request(
        self,
        method: str,
        url: str,
        *,
        headers: Mapping[str, str] | None = None,
        params: Mapping[str, Any] | list[tuple[str, Any]] | None = None,
        json: Any = None,
        data: Mapping[str, str] | None = None,
        content: bytes | None = None,
        timeout_seconds: float | None = None,
    ) -> httpx.Response:
        """Send a request and read its whole answer, whatever its status.

        Raises Unreachable when there is no answer (`request_sent` in its facts says whether the server may have seen
        the request), WrongSettings for certificates, ProtocolViolation for an answer that is too large.
        """
        async with self.stream(
            method,
            url,
            headers=headers,
            params=params,
            json=json,
            data=data,
            content=content,
            timeout_seconds=timeout_seconds,
        ) as response:
            octets = bytearray()
            with told(url):
                async for piece in response.aiter_bytes():
                    octets += piece
                    if len(octets) > MOST_OCTETS:
                        raise ProtocolViolation("flood", host=urlsplit(url).hostname, limit=MOST_OCTETS)
            return httpx.Response(
                response.status_code,
                headers=[(name, value) for name, value in response.headers.multi_items() if name not in _DECODED],
                content=bytes(octets),
                request=response.request,
            )

    @asynccontextmanager
    async def stream(
        self,
        method: str,
        url: str,
        *,
        headers: Mapping[str, str] | None = None,
        params: Mapping[str, Any] | list[tuple[str, Any]] | None = None,
        json: Any = None,
        data: Mapping[str, str] | None = None,
        content: bytes | None = None,
        timeout_seconds: float | None = None,
    ) -> AsyncIterator[httpx.Response]:
        """Send a request and give the answer out before its body was read. Raises as `request` does."""
        client = self._client()
        request = client.build_request(
            method,
            url,
            headers={"User-Agent": _USER_AGENT, **(headers or {})},
            params=params,
            json=json,
            data=data,
            content=content,
            timeout=self._timeout if timeout_seconds is None else _timeout(timeout_seconds),
        )
        with told(url):
            response = await client.send(request, stream=True)
        try:
            yield response
        finally:
            await response.aclose()

    def _client(self) -> httpx.AsyncClient:
        loop = asyncio.get_running_loop()
        if loop not in self._clients:
            self._clients[loop] = httpx.AsyncClient(
                verify=_context(self._policy), timeout=self._timeout, limits=LIMITS, follow_redirects=False
            )
        return self._clients[loop]

    async def close(self) -> None:
        """Close this loop's connections."""
        client = self._clients.pop(asyncio.get_running_loop(), None)
        if client is not None:
            await client.aclose()


def _timeout(seconds: float) -> httpx.Timeout:
    """So long for an answer. A connection is there soon, or there is no way to it."""
    return httpx.Timeout(seconds, connect=min(seconds, CONNECT_SECONDS), pool=min(seconds, POOL_SECONDS))


_DECODED = {"content-encoding", "content-length", "transfer-encoding"}  # httpx has undone them


async def again(ask: Callable[[], Awaitable[Answer]]) -> Answer:
    """The answer to a question that changes nothing, asked again where a try met a passing fault.

    A cut connection and a 5xx without a word about when to come again are everyday matters of a large service. What
    takes long to fail (no route, no answer in time) is for the caller to back off from.
    """
    for pause_seconds in PAUSES_SECONDS:
        try:
            return await ask()
        except Unreachable as error:
            if not is_passing(error) or error.retry_after_seconds is not None:
                raise
        await asyncio.sleep(pause_seconds * (0.5 + random.random()))  # noqa: S311  not all of us at once
    return await ask()


def is_passing(error: Unreachable) -> bool:
    """Whether it was a cut connection or a fault of the server's, and neither took long to fail."""
    return error.code in _PASSING


class told:
    """Within, errors of httpx become ours."""

    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        usual = 443 if parts.scheme == "https" else 80
        self._facts: dict[str, Any] = {"host": parts.hostname, "port": parts.port or usual}

    def __enter__(self) -> None:
        """Nothing to prepare."""

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        if isinstance(error, httpx.HTTPError):
            raise error_of(error, **self._facts) from error


def error_of(error: httpx.HTTPError, **facts: Any) -> ProviderError:
    """httpx's exceptions in our classes. `request_sent` is False where the server cannot have seen the request."""
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, ssl.SSLCertVerificationError):
            return WrongSettings("certificate_not_trusted", request_sent=False, **facts)
        cause = cause.__cause__ or cause.__context__
    match error:
        case httpx.ConnectTimeout() | httpx.PoolTimeout():
            return Unreachable("timed_out", request_sent=False, **facts)
        case httpx.ConnectError() | httpx.UnsupportedProtocol() | httpx.ProxyError():
            return Unreachable("unreachable", request_sent=False, **facts)
        case httpx.TimeoutException():
            return Unreachable("timed_out", request_sent=True, **facts)
        case httpx.RemoteProtocolError() | httpx.ReadError() | httpx.WriteError() | httpx.CloseError():
            return Unreachable("connection_lost", request_sent=True, **facts)
    return Unreachable("unreachable", request_sent=True, **facts)


@lru_cache(maxsize=8)  # reading the authorities takes 40 ms, and each event loop has a client of its own
def _context(policy: NetworkPolicy) -> ssl.SSLContext:
    context = ssl.create_default_context()
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    if policy.ca_file:
        context.load_verify_locations(policy.ca_file)
    return context
