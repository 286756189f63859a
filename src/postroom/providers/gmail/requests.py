"""Calls of the Gmail API for one mailbox: paid for, signed in, and answered with JSON or an error of ours.

Reference: Google's discovery document of gmail v1. An access token that is refused is replaced once; refused again, the
mailbox has to be connected anew.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any
from urllib.parse import quote, urlencode, urlsplit
from weakref import WeakKeyDictionary

import httpx

from postroom.providers.base import Credentials, Tokens
from postroom.providers.errors import NeedsReconnect, ProtocolViolation, ProviderError
from postroom.providers.gmail.errors import error_for, patience_seconds
from postroom.providers.guard import NetworkPolicy
from postroom.providers.http import HttpClient, again, told

ME = "/gmail/v1/users/me"
MOST_ERROR_OCTETS = 64 * 1024

Parameters = Sequence[tuple[str, str]]


def segment(remote_id: str) -> str:
    """An id as one segment of a path."""
    return quote(remote_id, safe="")


def with_query(path: str, params: Parameters) -> str:
    """A path with its parameters, as it stands in a request."""
    return f"{path}?{urlencode(list(params))}" if params else path


class Exchange:
    """The connections that all mailboxes of an event loop share: closed with the last of those who use them."""

    def __init__(self, policy: NetworkPolicy, url: str) -> None:
        """`url` is Endpoints.api."""
        self.http = HttpClient(policy)
        self.url = url.rstrip("/")
        self._users: WeakKeyDictionary[asyncio.AbstractEventLoop, int] = WeakKeyDictionary()

    def enter(self) -> None:
        """One more uses them."""
        loop = asyncio.get_running_loop()
        self._users[loop] = self._users.get(loop, 0) + 1

    async def leave(self) -> None:
        """One less does."""
        loop = asyncio.get_running_loop()
        self._users[loop] -= 1
        if not self._users[loop]:
            await self.http.close()


class Api:
    """The API as one mailbox sees it. Holds no connection of its own; to be closed all the same."""

    __slots__ = ("_credentials", "_exchange", "_http", "_is_open", "_tokens", "_url", "host")

    def __init__(self, exchange: Exchange, credentials: Credentials) -> None:
        """Raises NeedsReconnect for credentials without a grant."""
        if credentials.tokens is None:
            raise NeedsReconnect(host=host_of(exchange.url), username=credentials.address)
        self._exchange = exchange
        self._http = exchange.http
        self._url = exchange.url
        self._credentials = credentials
        self._tokens: Tokens = credentials.tokens
        self._is_open = True
        self.host = host_of(exchange.url)
        exchange.enter()

    async def close(self) -> None:
        """Nothing is asked any more."""
        if self._is_open:
            self._is_open = False
            await self._exchange.leave()

    async def call(
        self,
        method: str,
        path: str,
        *,
        units: float,
        params: Parameters = (),
        json: Any = None,
        content: bytes | None = None,
        headers: Mapping[str, str] | None = None,
        timeout_seconds: float | None = None,
    ) -> dict[str, Any]:
        """One call and its answer, {} for an empty one. `path` begins with a slash. A GET may be made again.

        Raises the tree of errors; of Unreachable, `request_sent` in its facts says whether Google may have acted.
        """

        async def once() -> dict[str, Any]:
            async with self.stream(
                method,
                path,
                units=units,
                params=params,
                json=json,
                content=content,
                headers=headers,
                timeout_seconds=timeout_seconds,
            ) as response:
                octets = await self.read(response, _MOST_ANSWER_OCTETS)
            return parsed(octets, self.host)

        return await (again(once) if method == "GET" else once())

    @asynccontextmanager
    async def stream(
        self,
        method: str,
        path: str,
        *,
        units: float,
        params: Parameters = (),
        json: Any = None,
        content: bytes | None = None,
        headers: Mapping[str, str] | None = None,
        timeout_seconds: float | None = None,
    ) -> AsyncIterator[httpx.Response]:
        """As `call`, with the answer before its body was read; only answers that say yes come out of it."""
        token = await self._tokens.access_token()
        for is_last in (False, True):
            await self.pay(0 if is_last else units)  # right before it goes out: who waits for a rest, waits here
            async with self._http.stream(
                method,
                self._url + path,
                headers={**(headers or {}), "Authorization": f"Bearer {token}"},
                params=list(params) or None,
                json=json,
                content=content,
                timeout_seconds=timeout_seconds,
            ) as response:
                if response.is_success:
                    yield response
                    return
                body = await self.read(response, MOST_ERROR_OCTETS, cuts=True)
                if response.status_code != 401 or is_last:
                    error = self.error(response.status_code, body, response.headers)
                    await self.rest(patience_seconds(error))
                    raise error
            token = await self.replaced(token)

    async def read(self, response: httpx.Response, most: int, *, cuts: bool = False) -> bytes:
        """The body of an answer, or with `cuts` the first `most` octets of it; raise ProtocolViolation over that."""
        octets = bytearray()
        with told(self._url):
            async for piece in response.aiter_bytes():
                octets += piece
                if len(octets) > most:
                    if cuts:
                        break
                    raise ProtocolViolation("flood", host=self.host, limit=most)
        return bytes(octets[:most])

    async def pay(self, units: float) -> None:
        """Wait until the mailbox may spend so many units; raise AllowanceUsed when that takes too long."""
        if self._credentials.allowance is not None:
            await self._credentials.allowance.take(units)

    async def rest(self, seconds: float) -> None:
        """Let nobody ask for anything of this mailbox for so long."""
        if self._credentials.allowance is not None and seconds > 0:
            await self._credentials.allowance.rest(seconds)

    async def replaced(self, refused: str) -> str:
        """Another access token than the one that was refused, or NeedsReconnect."""
        return await self._tokens.access_token(refused)

    def error(self, status: int, body: bytes, headers: Mapping[str, str]) -> ProviderError:
        """The error for an answer that says no."""
        return error_for(status, body, headers, host=self.host, username=self._credentials.address)


_MOST_ANSWER_OCTETS = 32 * 1024 * 1024  # of an answer without bodies


def parsed(octets: bytes, host: str) -> dict[str, Any]:
    """An answer as JSON; raise ProtocolViolation when it is no object."""
    if not octets.strip():
        return {}
    try:
        value = json.loads(octets)
    except (ValueError, RecursionError) as error:
        raise ProtocolViolation("unexpected_answer", host=host) from error
    if not isinstance(value, dict):
        raise ProtocolViolation("unexpected_answer", host=host)
    return value


def host_of(url: str) -> str:
    """The host that an endpoint names."""
    return urlsplit(url).hostname or ""
