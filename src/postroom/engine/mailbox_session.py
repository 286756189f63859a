"""The life of one mailbox in a worker: connect, follow it as long as the connection lasts (watch.py), connect anew …

The class of an error decides what happens next (patience.py). A session ends only when it is cancelled or when
another worker owns the mailbox.
"""

from __future__ import annotations

import asyncio
import logging
from datetime import UTC, datetime
from uuid import UUID

from postroom.engine.counters import counters, error_label
from postroom.engine.journal import Kind
from postroom.engine.patience import PROBE_SECONDS, Act, reaction_to
from postroom.engine.round import Round, sign_in
from postroom.engine.store import Conflict, Fenced, MailboxState
from postroom.engine.wakeable import Wakeable
from postroom.engine.watch import Watch
from postroom.engine.world import World
from postroom.providers.errors import AllowanceUsed, ProviderError
from postroom.sync.backoff import delay_seconds

__all__ = ["MailboxSession", "World"]

log = logging.getLogger(__name__)

WORTH_TELLING_SECONDS = 60.0  # of waiting


class MailboxSession:
    """Keeps one mailbox up to date for as long as this worker owns it (`epoch`)."""

    def __init__(self, world: World, mailbox_id: UUID, epoch: int) -> None:
        self.wakeable = Wakeable()
        self._world = world
        self._mailbox_id = mailbox_id
        self._epoch = epoch
        self._failures = 0  # in a row
        self._told: set[tuple[Kind, str]] = set()  # what the journal has about these failures, by its code
        self._is_new = True

    def wake(self) -> None:
        """Look now instead of at the next push or poll; who wakes a session that waits after a failure knew more."""
        self.wakeable.wake()

    def tell_arrived(self) -> None:
        """Poll now; one that waits after a failure waits on, for nobody has mended anything."""
        self.wakeable.nudge()

    async def run(self) -> None:
        await self._wait_on()
        while True:
            try:
                await self._keep_connected()
            except Fenced:
                log.info("mailbox %s has a new owner", self._mailbox_id, extra={"mailbox_id": self._mailbox_id})
                return
            except Conflict:
                log.info("a folder of mailbox %s moved on under us; it is loaded again", self._mailbox_id)
                await self.wakeable.pause(delay_seconds(1, self._world.random()))
            except ProviderError as error:
                await self._bear(error)

    async def _wait_on(self) -> None:
        """What an earlier session was told about patience holds for this one, as long as nobody asks for a look."""
        state = await self._load()
        self._failures = state.failures
        if state.not_before is not None:
            left = (state.not_before - datetime.now(UTC)).total_seconds()
            await self.wakeable.pause(min(left, 2 * PROBE_SECONDS))  # whatever this host's clock says

    async def _keep_connected(self) -> None:
        self.wakeable.take_woken()
        try:
            provider, host, session = await sign_in(self._world, self._mailbox_id)
        except ProviderError as error:
            counters.add("connect_failures", label=error_label(error))
            raise
        counters.add("connects")
        try:
            if self._is_new or self._failures:  # not for each connection that a server ends after an hour
                await self._note(Kind.CONNECTED, host=provider.oauth.owner if provider.oauth else host)
                self._is_new = False
            watch = Watch(
                self._world, self.wakeable, Round(self._world, provider, session, await self._load()), session
            )
            try:
                await watch.keep()
            finally:
                if watch.has_synced:
                    self._failures, self._told = 0, set()
        finally:
            await session.close()

    async def _bear(self, error: ProviderError) -> None:
        """Tell what failed, and wait as patience.py says."""
        reaction = reaction_to(error, self._failures + 1, self._world.random())
        if isinstance(error, AllowanceUsed):
            await self.wakeable.pause(reaction.seconds)
            return
        self._failures += 1
        if not reaction.is_told:
            return
        told = {"mailbox_id": self._mailbox_id, "code": error.code, "seconds": round(reaction.seconds)}
        log.info("mailbox %s failed: %s", self._mailbox_id, error.code, extra=told)
        health = self._world.health
        await asyncio.to_thread(health.failed, self._mailbox_id, self._epoch, error, reaction.seconds)
        # Hours without a server are one entry, a password refused meanwhile another.
        await self._note_once(Kind.FAILED, error.code, **{name: str(value) for name, value in error.facts.items()})
        if reaction.act in (Act.ASK, Act.WAIT) and reaction.seconds >= WORTH_TELLING_SECONDS:
            await self._note_once(Kind.WAITING, error.code, seconds=round(reaction.seconds))
        await self.wakeable.pause(reaction.seconds)

    async def _load(self) -> MailboxState:
        state = await self._world.stores.call(lambda store: store.load_mailbox(self._mailbox_id))
        if state.epoch != self._epoch:
            raise Fenced
        return state

    async def _note_once(self, kind: Kind, code: str, **facts: str | int) -> None:
        if (kind, code) not in self._told:
            self._told.add((kind, code))
            await self._note(kind, **facts | {"code": code})

    async def _note(self, kind: Kind, **facts: str | int) -> None:
        await asyncio.to_thread(self._world.journal.note, self._mailbox_id, kind, facts)
