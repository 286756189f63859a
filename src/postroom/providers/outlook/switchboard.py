"""What the sessions and senders of Outlook in one process share: connections, and turns at each mailbox.

Graph serves an application four requests at once for each mailbox ("Application is over its MailboxConcurrency
limit"), and fails faster the more is asked inside a Retry-After (learn.microsoft.com/graph/throttling). None is made
while a mailbox asks for patience.

The four are served to all processes together, which know nothing of each other. So they are shared out: an import reads
by two (one slice of a mailbox at a time, Capabilities.units_a_minute), which is what 10,000 requests in ten minutes
feed; the session has one, and what people send has one of its own, so that it never waits for a long reading.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Literal
from weakref import WeakKeyDictionary

from postroom.providers.errors import Throttled
from postroom.providers.guard import NetworkPolicy
from postroom.providers.http import HttpClient

Use = Literal["session", "import", "sending"]

AT_ONCE: Mapping[Use, int] = {"session": 1, "import": 2, "sending": 1}
SIT_OUT_SECONDS = 10.0  # a longer wait is for who called: an importer gives way


class Turns:
    """The turns at one mailbox, in one event loop."""

    def __init__(self, host: str) -> None:
        self._host = host
        self._semaphores = {use: asyncio.Semaphore(count) for use, count in AT_ONCE.items()}
        self._resume_at = 0.0

    @asynccontextmanager
    async def turn(self, use: Use) -> AsyncIterator[None]:
        """Wait for a turn. Raises Throttled where the mailbox asked for more patience than can be sat out."""
        await self._sit_out()
        async with self._semaphores[use]:
            await self._sit_out()
            yield

    def stay_away(self, seconds: float) -> None:
        """Nothing is asked for so long, by anybody."""
        self._resume_at = max(self._resume_at, asyncio.get_running_loop().time() + seconds)

    async def _sit_out(self) -> None:
        while (left := self._resume_at - asyncio.get_running_loop().time()) > 0:
            if left > SIT_OUT_SECONDS:
                raise Throttled("throttled", retry_after_seconds=left, host=self._host)
            await asyncio.sleep(left)


class Switchboard:
    """Shared connections and turns. Who takes a place gives it back; with the last place the connections close."""

    def __init__(self, policy: NetworkPolicy) -> None:
        self.http = HttpClient(policy)
        self._turns: WeakKeyDictionary[asyncio.AbstractEventLoop, dict[str, Turns]] = WeakKeyDictionary()
        self._places: WeakKeyDictionary[asyncio.AbstractEventLoop, int] = WeakKeyDictionary()

    @property
    def places(self) -> int:
        """How many sessions and senders are open."""
        return sum(self._places.values())

    def turns(self, host: str, address: str) -> Turns:
        """The turns at that mailbox."""
        known = self._turns.setdefault(asyncio.get_running_loop(), {})
        return known.setdefault(address.lower(), Turns(host))

    def take_place(self) -> None:
        loop = asyncio.get_running_loop()
        self._places[loop] = self._places.get(loop, 0) + 1

    async def leave(self) -> None:
        loop = asyncio.get_running_loop()
        self._places[loop] = self._places.get(loop, 1) - 1
        if self._places[loop] <= 0:
            await self.http.close()
