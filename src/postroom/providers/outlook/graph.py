"""One mailbox's conversation with Graph: tokens, turns, links, batches, errors of our tree."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from functools import partial
from typing import Any
from urllib.parse import urlsplit

import httpx

from postroom.providers.base import Credentials
from postroom.providers.errors import AllowanceUsed, ProtocolViolation, WrongSettings
from postroom.providers.http import again, told
from postroom.providers.outlook.errors import UNTOLD_WAIT_SECONDS, error_for
from postroom.providers.outlook.requests import BATCH_PARTS, BATCH_PATH, PAGE_ITEMS, Call, is_shared, mailbox_path
from postroom.providers.outlook.responses import Answer, link, read_answer, read_batch, unreadable
from postroom.providers.outlook.switchboard import AT_ONCE, SIT_OUT_SECONDS, Switchboard, Use

MOST_TRIES = 4  # of a part of a batch that is told to come again, or met a fault
FAULT_PAUSE_SECONDS = 0.3
LONG_SECONDS = 120.0  # a page of a large folder, a large body


class Graph:
    """Calls to Graph for one mailbox. `mailbox` is where it lies: "/me" or "/users/{address}".

    `api` is the address of the API without a slash at its end. A call is made again once with a fresh token after a
    401; any other refusal is the caller's to read, by `ask` as an error. Pages have `page_items` items.
    """

    def __init__(
        self,
        switchboard: Switchboard,
        api: str,
        credentials: Credentials,
        page_items: int = PAGE_ITEMS,
        *,
        sends: bool = False,
    ) -> None:
        self._switchboard = switchboard
        self._api = api.rstrip("/")
        self._credentials = credentials
        self.page_items = page_items
        self.host = urlsplit(api).hostname or ""
        self.mailbox = mailbox_path(credentials)
        self.is_shared = is_shared(credentials)
        self._use: Use = "sending" if sends else "import" if credentials.is_for_import else "session"
        self.at_once = AT_ONCE[self._use]  # calls that are made together
        self._turns = switchboard.turns(self.host, credentials.address)
        self._is_open = True
        switchboard.take_place()

    @property
    def facts(self) -> dict[str, Any]:
        """What fills the sentences about an error."""
        return {
            "host": self.host,
            "address": self._credentials.address,
            "username": self._credentials.sign_in_user or self._credentials.address,
        }

    async def ask(self, call: Call) -> Answer:
        """The answer to a call; a refusal raises by the table in errors.py. What only reads may be asked again."""
        return await (again(partial(self._ask, call)) if call.only_reads else self._ask(call))

    async def pages(self, call: Call) -> AsyncIterator[Answer]:
        """The pages of a list, by their nextLinks. Raises as `ask`, and ProtocolViolation for pages in a circle."""
        followed = set[str]()
        while True:
            page = await self.ask(call)
            yield page
            following = link(page, "nextLink")
            if not following:
                return
            if following in followed:
                raise unreadable("a nextLink that was there before")
            followed.add(following)
            call = replace(call, path=self.path_of(following))

    async def send(self, call: Call, timeout_seconds: float = LONG_SECONDS) -> Answer:
        """The answer to a call, whatever its status. Raises Unreachable, or Throttled before anything is sent."""
        token = await self._token()
        answer = await self._send(call, timeout_seconds, token)
        if answer.status == 401:
            answer = await self._send(call, timeout_seconds, await self._token(token))
        return answer

    async def batch(self, calls: Sequence[Call]) -> list[Answer]:
        """The answers to GET calls, in their order, whatever their statuses: those of one page fail one by one.

        Parts that are told to come again do; raises Throttled when the wait is too long to sit out.
        """
        answers: list[Answer] = []
        for first in range(0, len(calls), BATCH_PARTS):
            answers += await self._batch(calls[first : first + BATCH_PARTS])
        return answers

    @asynccontextmanager
    async def stream(self, call: Call) -> AsyncIterator[httpx.Response]:
        """The answer before its body is read, of a call that was no error."""
        token = await self._token()
        for is_last in (False, True):
            async with (
                self._turn(call.units),
                self._switchboard.http.stream(
                    call.method, self._api + call.path, headers=self._headers(call, token)
                ) as response,
            ):
                if response.status_code == 401 and not is_last:
                    token = await self._token(token)
                    continue
                if response.status_code != 200:
                    with told(self._api):
                        await response.aread()
                    answer = read_answer(response.status_code, response.headers, response.content)
                    await self._heed([answer])
                    raise error_for(answer, call.about, is_shared=self.is_shared, **self.facts)
                yield response
                return

    async def elsewhere(
        self, method: str, url: str, *, headers: Mapping[str, str] | None = None, content: bytes | None = None
    ) -> Answer:
        """A call to an address that Graph gave out and that is its own permission: our token never goes there.

        Raises ProtocolViolation for one that is less protected than the API itself.
        """
        try:
            is_protected = urlsplit(url).scheme in ("https", urlsplit(self._api).scheme)
        except ValueError:
            is_protected = False
        if not is_protected:
            raise ProtocolViolation("unexpected_answer", server_words=f"a link to {url[:200]}", **self.facts)
        async with self._turn():
            response = await self._switchboard.http.request(
                method, url, headers=headers, content=content, timeout_seconds=LONG_SECONDS
            )
            answer = read_answer(response.status_code, response.headers, response.content)
            await self._heed([answer])
            return answer

    def checked(self, answer: Answer, call: Call) -> Answer:
        """The answer, unless it is a refusal."""
        if not answer.is_success:
            raise error_for(answer, call.about, is_shared=self.is_shared, **self.facts)
        return answer

    def path_of(self, link: str) -> str:
        """The path of a nextLink or deltaLink. One that leads elsewhere would carry the token there: it is refused."""
        if not self.is_ours(link):
            raise ProtocolViolation("unexpected_answer", server_words=f"a link to {link[:200]}", **self.facts)
        parts = urlsplit(link)
        path = parts.path.removeprefix(urlsplit(self._api).path)
        return f"{path}?{parts.query}" if parts.query else path

    def is_ours(self, link: str) -> bool:
        """Whether a link leads to this API: same scheme, host and port, and below its path."""
        try:
            theirs, ours = urlsplit(link), urlsplit(self._api)
            return _origin(theirs) == _origin(ours) and theirs.path.startswith(ours.path + "/") and not theirs.username
        except ValueError:
            return False

    async def close(self) -> None:
        """Leave; once."""
        if self._is_open:
            self._is_open = False
            await self._switchboard.leave()

    async def _batch(self, calls: Sequence[Call]) -> list[Answer]:
        answers: dict[int, Answer] = {}
        waiting = list(range(len(calls)))
        for _ in range(MOST_TRIES):
            parts = await self._batch_once([calls[one] for one in waiting])
            answers.update(zip(waiting, parts, strict=True))
            await self._heed(parts)
            refused = [number for number in waiting if answers[number].status == 401]
            failed = [number for number in waiting if answers[number].status >= 500]
            waiting = [number for number in waiting if _comes_again(answers[number]) or number in failed] + refused
            if not waiting:
                break
            if failed:
                await asyncio.sleep(FAULT_PAUSE_SECONDS)
            if refused:
                await self._token(self._last_token)
        for number in waiting:
            self.checked(answers[number], calls[number])
        return [answers[number] for number in range(len(calls))]

    async def _batch_once(self, calls: Sequence[Call]) -> list[Answer]:
        # The parts have headers of their own: those of the batch do not reach them.
        parts = [
            {"id": str(number), "method": call.method, "url": call.path, "headers": call.all_headers(self.page_items)}
            for number, call in enumerate(calls)
        ]
        return read_batch(await self.ask(Call("POST", BATCH_PATH, json={"requests": parts})), len(parts))

    async def _ask(self, call: Call) -> Answer:
        return self.checked(await self.send(call), call)

    async def _send(self, call: Call, timeout_seconds: float, token: str) -> Answer:
        async with self._turn(call.units):
            response = await self._switchboard.http.request(
                call.method,
                self._api + call.path,
                headers=self._headers(call, token),
                json=call.json,
                content=call.content,
                timeout_seconds=timeout_seconds,
            )
            answer = read_answer(response.status_code, response.headers, response.content)
            await self._heed([answer])  # before the turn ends: who waits for it must know
            return answer

    @asynccontextmanager
    async def _turn(self, units: int = 1) -> AsyncIterator[None]:
        """A turn to ask for something now, paid for. Raises Throttled where patience would take long."""
        async with self._turns.turn(self._use):
            await self._pay(units)
            yield

    async def _pay(self, units: int) -> None:
        """What another process was told holds for this one: it is sat out as what this one was told itself."""
        allowance, clock = self._credentials.allowance, asyncio.get_running_loop().time
        end = clock() + SIT_OUT_SECONDS
        while allowance is not None:
            try:
                await allowance.take(units)
                return
            except AllowanceUsed as used:
                seconds = used.retry_after_seconds or 0.0
                if clock() + seconds > end:
                    raise
                await asyncio.sleep(seconds)

    async def _heed(self, answers: Sequence[Answer]) -> None:
        """Nobody asks while the mailbox wants patience: nobody here, and in no other process."""
        wanted = [answer.retry_after_seconds for answer in answers if _comes_again(answer)]
        seconds = max((UNTOLD_WAIT_SECONDS if wait is None else wait for wait in wanted), default=0.0)
        if seconds > 0:
            self._turns.stay_away(seconds)
            if self._credentials.allowance is not None:
                await self._credentials.allowance.rest(seconds)

    def _headers(self, call: Call, token: str) -> Mapping[str, str]:
        return {"Authorization": f"Bearer {token}", **call.all_headers(self.page_items)}

    _last_token = ""

    async def _token(self, refused: str = "") -> str:
        if self._credentials.tokens is None:
            raise WrongSettings("settings_missing", server="OAuth")
        self._last_token = await self._credentials.tokens.access_token(refused)
        return self._last_token


def _comes_again(answer: Answer) -> bool:
    """Whether the answer asks to be asked again later: throttled, or a fault that names a time."""
    return answer.status == 429 or (answer.status >= 500 and answer.retry_after_seconds is not None)


def _origin(parts: Any) -> tuple[str, str | None, int | None]:
    usual = {"https": 443, "http": 80}.get(parts.scheme)
    return parts.scheme, parts.hostname, parts.port or usual
