"""One LISTEN connection a process; every open stream of the process waits on it.

A notification is a hint: pages look again by themselves, so hints that fall together may become one, and after a
lost connection every waiter is woken once (prototypes.md 3). What changes between the drawing of a page and its first
word to us (a new contact's history does) is remembered for two minutes.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Iterable
from typing import Final

import psycopg
from psycopg import sql

from postroom.workspaces.database import connection_parameters
from postroom.workspaces.events import EVENTS

FIRST_PAUSE_SECONDS: Final = 0.1
LONGEST_PAUSE_SECONDS: Final = 5.0
REMEMBERED_SECONDS: Final = 120.0
DRAWING_SECONDS: Final = 5.0  # a page may have been read that long before its token was made
log = logging.getLogger(__name__)


class Waiter:
    """What one stream has not told yet."""

    def __init__(self, topics: Iterable[str]) -> None:
        self.topics = frozenset(topics)
        self._pending: dict[str, None] = {}  # in order of arrival, each once
        self._changed = asyncio.Event()
        self.is_over = False

    def tell(self, topics: Iterable[str]) -> None:
        self._pending.update(dict.fromkeys(topics))
        self._changed.set()

    def end(self) -> None:
        self.is_over = True
        self._changed.set()

    async def wait(self, timeout_seconds: float) -> list[str]:
        """The topics that changed since the last call; empty after the time is over."""
        try:
            await asyncio.wait_for(self._changed.wait(), timeout_seconds)
        except TimeoutError:
            return []
        self._changed.clear()
        told = list(self._pending)
        self._pending.clear()
        return told


class Hub:
    """Listens from the first waiter on until `close()`."""

    def __init__(self) -> None:
        self._waiters: dict[str, set[Waiter]] = {}
        self._heard: dict[str, float] = {}  # topic → time.time() of its last notification, the latest at the end
        self._task: asyncio.Task[None] | None = None
        self._is_closed = False

    def add(self, topics: Iterable[str], drawn_at: float) -> Waiter:
        """`drawn_at`: when the page was drawn that shows the topics. What changed since is told at once."""
        waiter = Waiter(topics)
        since = drawn_at - DRAWING_SECONDS
        if missed := [topic for topic in waiter.topics if self._heard.get(topic, 0.0) >= since]:
            waiter.tell(missed)
        for topic in waiter.topics:
            self._waiters.setdefault(topic, set()).add(waiter)
        if self._is_closed:
            waiter.end()
        elif self._task is None or self._task.done():
            self._task = asyncio.get_running_loop().create_task(self._listen())
        return waiter

    def remove(self, waiter: Waiter) -> None:
        for topic in waiter.topics:
            waiting = self._waiters.get(topic, set())
            waiting.discard(waiter)
            if not waiting:
                self._waiters.pop(topic, None)

    async def close(self) -> None:
        """End every stream and the connection. Called first at shutdown, so that open pages do not hold it up."""
        self._is_closed = True
        for waiting in self._waiters.values():
            for waiter in waiting:
                waiter.end()
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    async def _listen(self) -> None:
        pause = FIRST_PAUSE_SECONDS
        while not self._is_closed:
            try:
                async with await psycopg.AsyncConnection.connect(
                    **connection_parameters(), autocommit=True
                ) as listening:
                    await listening.execute(sql.SQL("LISTEN {}").format(sql.Identifier(EVENTS)))
                    pause = FIRST_PAUSE_SECONDS
                    self._wake_everybody()
                    async for notification in listening.notifies():
                        self._remember(notification.payload)
                        for waiter in self._waiters.get(notification.payload, ()):
                            waiter.tell([notification.payload])
            except (psycopg.Error, OSError) as error:
                log.warning("events: the database went away (%s), again in %.1f s", type(error).__name__, pause)
                await asyncio.sleep(pause)
                pause = min(pause * 2, LONGEST_PAUSE_SECONDS)

    def _remember(self, topic: str) -> None:
        now = time.time()
        self._heard.pop(topic, None)
        self._heard[topic] = now
        while self._heard[oldest := next(iter(self._heard))] < now - REMEMBERED_SECONDS:
            del self._heard[oldest]

    def _wake_everybody(self) -> None:
        """Hints may have been missed while nobody listened."""
        for topic, waiting in self._waiters.items():
            for waiter in waiting:
                waiter.tell([topic])


hub = Hub()
