"""A worker's sessions: claims mailboxes in fair shares, runs a session for each, lets go when others come.

Ownership only spreads the work. Correctness rests on the epoch in every save (engine/store.py), so a worker that was
paused and wakes up late can do no harm; here it only learns to stop. For the same reason mailboxes are given back
before their sessions have closed their connections: what those still save is either in time or refused.

While the database is away sessions go on waiting for mail; those that need it try again (outage.py).
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Awaitable, Callable, Collection, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Protocol, TypeVar
from uuid import UUID

from postroom.engine.mailbox_session import MailboxSession, World
from postroom.engine.outage import is_outage, pause_seconds
from postroom.sync.backoff import delay_seconds

log = logging.getLogger(__name__)

BEAT_SECONDS = 2.0
LEAVE_SECONDS = 3.0
GRACE_SECONDS = 6.0  # after an outage, before the mailboxes of workers that are not back yet are claimed
SETTLED_SECONDS = 600.0  # a session that ran so long and then broke is no crash loop

Answer = TypeVar("Answer")


class Dead(Exception):
    """This worker's row is older than the others tolerate: its mailboxes may be elsewhere."""


class Ownership(Protocol):
    """Worker rows and claims (mailboxes/ownership.py). Blocking; times are the database's."""

    def join(self) -> None:
        """Register as a new worker."""
        ...

    def rejoin(self) -> Sequence[UUID]:
        """Register anew after Dead; the mailboxes that nobody took meanwhile, which are still ours."""
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
    """Runs until cancelled; then gives its mailboxes back and stops its sessions."""

    def __init__(self, world: World, ownership: Ownership) -> None:
        self._world = world
        self._ownership = ownership
        # A thread of its own: a beat that waits behind a thousand sessions that start would come too late.
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="ownership")
        self._sessions: dict[UUID, tuple[MailboxSession, asyncio.Task[None]]] = {}
        self._closing: set[asyncio.Task[None]] = set()
        self._beat_now = asyncio.Event()
        self._claims_from = 0.0  # the event loop's time

    def __len__(self) -> int:
        """How many sessions run."""
        return len(self._sessions)

    def wake(self, mailbox_id: UUID) -> None:
        """Somebody wants this mailbox looked at; it may be another worker's."""
        if found := self._sessions.get(mailbox_id):
            found[0].wake()

    def tell_arrived(self, mailbox_id: UUID) -> None:
        """A provider says that something changed in this mailbox; it may be another worker's."""
        if found := self._sessions.get(mailbox_id):
            found[0].tell_arrived()

    def wake_all(self, within_seconds: float) -> None:
        """Look at every mailbox, not all at the same moment."""
        loop = asyncio.get_running_loop()
        for mailbox_id in self._sessions:
            loop.call_later(within_seconds * self._world.random(), self.wake, mailbox_id)

    def beat_now(self) -> None:
        """Mailboxes became free, or a worker came: look at the shares without waiting for the next beat."""
        self._beat_now.set()

    async def run(self) -> None:
        telling = asyncio.create_task(self._world.looks.keep_telling())
        try:
            await self._through_outages(lambda: self._call(self._ownership.join))
            while True:
                self._beat_now.clear()
                await self._through_outages(self._beat)
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(self._beat_now.wait(), BEAT_SECONDS)
        finally:
            telling.cancel()
            await self._leave()

    async def _beat(self) -> None:
        try:
            share = await self._call(self._ownership.beat)
        except Dead:
            await self._register_anew()
            return
        self._stop(await self._call(lambda: self._ownership.lost(list(self._sessions))))
        surplus = len(self._sessions) - share
        if surplus > 0:
            given = list(self._sessions)[:surplus]
            self._stop(given)
            await self._call(lambda: self._ownership.release(given))
        elif surplus < 0 and asyncio.get_running_loop().time() >= self._claims_from:
            for mailbox_id, epoch in await self._call(lambda: self._ownership.claim(-surplus)):
                self._stop([mailbox_id])  # it was taken from us and came back within this beat
                self._start(mailbox_id, epoch)

    async def _register_anew(self) -> None:
        """We were taken for dead: keep what nobody took, drop the rest."""
        kept = set(await self._call(self._ownership.rejoin))
        dropped = [mailbox_id for mailbox_id in self._sessions if mailbox_id not in kept]
        log.warning("this worker was taken for dead; it registers anew and drops %d sessions", len(dropped))
        self._stop(dropped)
        if not dropped:  # nobody lived who could have taken any
            self._claims_from = asyncio.get_running_loop().time() + GRACE_SECONDS

    def _start(self, mailbox_id: UUID, epoch: int) -> None:
        session = MailboxSession(self._world, mailbox_id, epoch)
        running = asyncio.create_task(self._keep_running(mailbox_id, session))
        self._sessions[mailbox_id] = (session, running)

    def _stop(self, mailbox_ids: Collection[UUID]) -> None:
        """Let sessions close their connections, without waiting for it."""
        for mailbox_id in mailbox_ids:
            if found := self._sessions.pop(mailbox_id, None):
                _, running = found
                running.cancel()
                self._closing.add(running)
                running.add_done_callback(self._closing.discard)

    async def _keep_running(self, mailbox_id: UUID, session: MailboxSession) -> None:
        """Run a session, and again when it broke. It ends when another worker has the mailbox."""
        loop, failures = asyncio.get_running_loop(), 0
        while True:
            started = loop.time()
            try:
                await session.run()
                return
            except Exception as error:  # a supervisor: one mailbox that breaks must not end the others
                failures = 1 if loop.time() - started > SETTLED_SECONDS else failures + 1
                if is_outage(error):
                    log.info("mailbox %s waits for the database: %s", mailbox_id, type(error).__name__)
                    seconds = pause_seconds(failures, self._world.random())
                else:
                    log.exception("the session of mailbox %s broke", mailbox_id)
                    seconds = delay_seconds(failures, self._world.random())
            session.wakeable.take_woken()
            await session.wakeable.pause(seconds)

    async def _leave(self) -> None:
        self._stop(list(self._sessions))
        try:
            async with asyncio.timeout(LEAVE_SECONDS):
                await self._call(self._ownership.leave)
        except Exception as error:  # a supervisor
            if not (isinstance(error, TimeoutError) or is_outage(error)):
                raise
            log.warning("this worker could not say goodbye; its mailboxes move when its row is old")
        if self._closing:
            await asyncio.wait(self._closing, timeout=LEAVE_SECONDS)
        self._thread.shutdown(wait=False, cancel_futures=True)

    async def _call(self, work: Callable[[], Answer]) -> Answer:
        return await asyncio.get_running_loop().run_in_executor(self._thread, work)

    async def _through_outages(self, work: Callable[[], Awaitable[None]]) -> None:
        """Do it, again and again while the database is away."""
        failures = 0
        while True:
            try:
                await work()
                return
            except Exception as error:  # a supervisor
                if not is_outage(error):
                    raise
                failures += 1
                if failures == 1:
                    log.warning("the database is away: %s", type(error).__name__)
            await asyncio.sleep(pause_seconds(failures, self._world.random()))
