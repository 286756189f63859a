"""A worker's sessions: claims mailboxes in fair shares, runs a session for each, lets go when others come.

Ownership only spreads the work. Correctness rests on the epoch in every save (engine/store.py), so a worker that was
paused and wakes up late can do no harm; here it only learns to stop.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Sequence
from typing import Protocol
from uuid import UUID

from postroom.engine.mailbox_session import MailboxSession, World

log = logging.getLogger(__name__)

BEAT_SECONDS = 2.0


class Dead(Exception):
    """This worker's row is older than the others tolerate: its mailboxes may be elsewhere."""


class Ownership(Protocol):
    """Worker rows and claims (mailboxes/ownership.py). Blocking; times are the database's."""

    def join(self) -> None:
        """Register as a new worker."""
        ...

    def beat(self) -> int:
        """Say "alive"; return this worker's fair share of mailboxes. Raises Dead."""
        ...

    def claim(self, count: int) -> Sequence[tuple[UUID, int]]:
        """Claim up to `count` mailboxes nobody owns: (mailbox id, new epoch)."""
        ...

    def lost(self, mailbox_ids: Sequence[UUID]) -> Sequence[UUID]:
        """Those of ours that are not ours any more."""
        ...

    def release(self, mailbox_ids: Sequence[UUID]) -> None: ...

    def leave(self) -> None:
        """Give everything back and unregister."""
        ...


class Supervisor:
    """Runs until cancelled; then stops its sessions and gives its mailboxes back."""

    def __init__(self, world: World, ownership: Ownership) -> None:
        self._world = world
        self._ownership = ownership
        self._sessions: dict[UUID, tuple[MailboxSession, asyncio.Task[None]]] = {}
        self._beat_now = asyncio.Event()

    def wake(self, mailbox_id: UUID) -> None:
        """Somebody wants this mailbox looked at; it may be another worker's."""
        if found := self._sessions.get(mailbox_id):
            found[0].wake()

    def wake_all(self) -> None:
        for session, _ in self._sessions.values():
            session.wake()

    def beat_now(self) -> None:
        """A mailbox became free: claim it without waiting for the next beat."""
        self._beat_now.set()

    async def run(self) -> None:
        await asyncio.to_thread(self._ownership.join)
        try:
            while True:
                await self._beat()
                self._beat_now.clear()
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(self._beat_now.wait(), BEAT_SECONDS)
        finally:
            await self._stop(list(self._sessions))
            await asyncio.to_thread(self._ownership.leave)

    async def _beat(self) -> None:
        try:
            share = await asyncio.to_thread(self._ownership.beat)
        except Dead:
            log.warning("this worker was taken for dead; it drops its sessions and registers anew")
            await self._stop(list(self._sessions))
            await asyncio.to_thread(self._ownership.join)
            return
        await self._reap()
        lost = await asyncio.to_thread(self._ownership.lost, list(self._sessions))
        await self._stop(lost)
        if surplus := len(self._sessions) - share:
            if surplus > 0:
                given = list(self._sessions)[:surplus]
                await self._stop(given)
                await asyncio.to_thread(self._ownership.release, given)
            else:
                for mailbox_id, epoch in await asyncio.to_thread(self._ownership.claim, -surplus):
                    await self._stop([mailbox_id])  # it was taken from us and came back within this beat
                    self._start(mailbox_id, epoch)

    def _start(self, mailbox_id: UUID, epoch: int) -> None:
        session = MailboxSession(self._world, mailbox_id, epoch)
        self._sessions[mailbox_id] = (session, asyncio.create_task(session.run(), name=f"mailbox {mailbox_id}"))

    async def _reap(self) -> None:
        """Forget sessions that ended. One that broke is logged and claimed anew like any free mailbox."""
        for mailbox_id, (_, task) in list(self._sessions.items()):
            if task.done():
                del self._sessions[mailbox_id]
                if not task.cancelled() and (error := task.exception()):
                    log.error("the session of mailbox %s broke", mailbox_id, exc_info=error)
                    await asyncio.to_thread(self._ownership.release, [mailbox_id])

    async def _stop(self, mailbox_ids: Sequence[UUID]) -> None:
        tasks = [self._sessions.pop(mailbox_id)[1] for mailbox_id in mailbox_ids if mailbox_id in self._sessions]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
