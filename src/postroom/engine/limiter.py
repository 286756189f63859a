"""How fast a process opens connections: so many a second, fewer a second to one host, and few at once to it.

A worker that starts with a thousand mailboxes would else open a thousand connections in its first second: to the
name server and to mail servers that count (Gmail: 15 for each mailbox; small ones: 10 or 20 for each address).
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Rates:
    """Per second: starts of connections in all and to one host; `at_once`: in the act of connecting to one host.

    A burst is what may start at once after a quiet time.
    """

    per_second: float = 40.0
    burst: int = 40
    host_per_second: float = 10.0
    host_burst: int = 20
    at_once: int = 10


@dataclass(slots=True)
class Pace:
    """A leaky bucket by its theoretical arrival time (GCRA, ITU-T I.371): one number instead of a queue."""

    per_second: float
    burst: int
    _due: float = field(default=float("-inf"), init=False)

    def reserve(self, now: float) -> float:
        """Take the next place; return the seconds until it comes."""
        earliest = now - (self.burst - 1) / self.per_second
        place = max(self._due, earliest)
        self._due = place + 1 / self.per_second
        return max(0.0, place - now)

    def is_quiet(self, now: float) -> bool:
        """Whether it would say what a new one says."""
        return self._due <= now - (self.burst - 1) / self.per_second


@dataclass(slots=True)
class _Host:
    pace: Pace
    slots: asyncio.Semaphore
    users: int = 0


class ConnectLimiter:
    """One for each process. `clock` and `sleep` are the event loop's unless a test brings its own."""

    def __init__(
        self,
        rates: Rates | None = None,
        *,
        clock: Callable[[], float] | None = None,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._rates = rates or Rates()
        self._pace = Pace(self._rates.per_second, self._rates.burst)
        self._hosts: dict[str, _Host] = {}
        self._clock = clock
        self._sleep = sleep

    @asynccontextmanager
    async def connecting(self, host: str) -> AsyncIterator[None]:
        """Wait for a turn; within, the connection is opened and signed in."""
        own = self._hosts.get(host)
        if own is None:
            rates = self._rates
            own = _Host(Pace(rates.host_per_second, rates.host_burst), asyncio.Semaphore(rates.at_once))
            self._hosts[host] = own
        own.users += 1
        try:
            # A slow host fills its own places, and takes none of the common pace while it does.
            async with own.slots:
                if (seconds := own.pace.reserve(self._now())) > 0:
                    await self._sleep(seconds)
                if (seconds := self._pace.reserve(self._now())) > 0:
                    await self._sleep(seconds)
                yield
        finally:
            own.users -= 1
            if not own.users and own.pace.is_quiet(self._now()):
                self._hosts.pop(host, None)

    def _now(self) -> float:
        return self._clock() if self._clock is not None else asyncio.get_running_loop().time()
