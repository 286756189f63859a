"""Waiting that somebody may end: a person asks for a look, a contact was added, a mailbox was reconnected."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any, TypeVar

Result = TypeVar("Result")


class Wakeable:
    """Waits of one task, one after the other. Without events of asyncio: thousands of mailboxes have one each."""

    __slots__ = ("_is_woken", "_waiting")

    def __init__(self) -> None:
        self._is_woken = False
        self._waiting: asyncio.Task[Any] | None = None

    def wake(self) -> None:
        """End the wait, or the next one before it begins."""
        self._is_woken = True
        if self._waiting is not None:
            self._waiting.cancel()

    def take_woken(self) -> bool:
        """Whether somebody woke us since this was last asked."""
        woken, self._is_woken = self._is_woken, False
        return woken

    async def pause(self, seconds: float) -> None:
        """Until the time is over or somebody wakes us."""
        if seconds > 0:
            await self.wait(asyncio.sleep(seconds), None)

    async def wait(self, coming: Coroutine[Any, Any, Result], otherwise: Result) -> Result:
        """What comes, or `otherwise` when somebody wakes us first. What comes is then cancelled."""
        if self._is_woken:
            coming.close()
            return otherwise
        self._waiting = waiting = asyncio.ensure_future(coming)
        try:
            await asyncio.wait((waiting,))
        finally:
            self._waiting = None
            if not waiting.done():  # we ourselves are cancelled
                waiting.cancel()
                await asyncio.wait((waiting,))
        return otherwise if waiting.cancelled() else waiting.result()
