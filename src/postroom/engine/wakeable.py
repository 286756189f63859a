"""Waiting that somebody may end: a person asks for a look, a contact was added, a mailbox was reconnected."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any, TypeVar

Result = TypeVar("Result")


class Wakeable:
    """Waits of one task, one after the other.

    Waking cancels what the task waits for and takes the cancellation back, as asyncio.timeout does: a task and an event
    for each wait would cost 3 kB, and thousands of mailboxes wait.

    A nudge does the same for light waits only, and asks for no more than their end.
    """

    __slots__ = ("_has_cancelled", "_is_light", "_is_nudged", "_is_woken", "_task")

    def __init__(self) -> None:
        self._is_woken = self._is_nudged = self._is_light = self._has_cancelled = False
        self._task: asyncio.Task[Any] | None = None

    def wake(self) -> None:
        """End the wait, or the next one before it begins."""
        self._is_woken = True
        self._end_wait()

    def nudge(self) -> None:
        """End the light wait, or the next one before it begins; any other wait goes on."""
        self._is_nudged = True
        if self._is_light:
            self._end_wait()

    def take_woken(self) -> bool:
        """Whether somebody woke us since this was last asked."""
        woken, self._is_woken = self._is_woken, False
        return woken

    async def pause(self, seconds: float) -> None:
        """Until the time is over or somebody wakes us."""
        if seconds > 0:
            await self.wait(asyncio.sleep(seconds), None)

    async def wait(self, coming: Coroutine[Any, Any, Result], otherwise: Result, *, is_light: bool = False) -> Result:
        """What comes, or `otherwise` when somebody wakes us first. What comes is then cancelled."""
        if self._is_woken or (is_light and self._is_nudged):
            self._is_nudged = False
            coming.close()
            return otherwise
        self._task = task = asyncio.current_task()
        self._is_light = is_light
        assert task is not None
        try:
            return await coming
        except asyncio.CancelledError:
            if self._has_cancelled and task.cancelling() == 1:  # by us, and by nobody else
                self._is_nudged = False
                return otherwise
            raise
        finally:
            if self._has_cancelled:
                task.uncancel()
            self._task, self._is_light, self._has_cancelled = None, False, False

    def _end_wait(self) -> None:
        if self._task is not None and not self._has_cancelled:
            self._has_cancelled = True
            self._task.cancel()
