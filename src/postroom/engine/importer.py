"""Imports slices one after the other in a process that does nothing else (prototypes.md 5: two such processes
reach twice what threads and pipelines do). Connections are kept between slices of one mailbox."""

from __future__ import annotations

import asyncio
import gc
import logging
from uuid import UUID

from postroom.engine.counters import counters, error_label
from postroom.engine.driver import Driver
from postroom.engine.health import Health
from postroom.engine.limiter import ConnectLimiter
from postroom.engine.manners import import_manner_of
from postroom.engine.store import Conflict, Fenced, Store
from postroom.engine.stores import InlineStore
from postroom.providers import registry
from postroom.providers.base import Capabilities, Session
from postroom.providers.errors import ProviderError, Throttled
from postroom.sync.importing import import_slice

log = logging.getLogger(__name__)

LONGEST_IDLE_SECONDS = 60.0
IDLE_SECONDS = 10.0  # a connection is kept for the next slice, which comes at once or not soon


def collect_garbage_seldom() -> None:
    """For an importer's process: let the garbage collector look a hundredth as often, and never at what was loaded.

    A page is some 50,000 values that live until it is saved and make no cycles, yet the collector went through all
    of them again and again: a tenth of the importer's CPU.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(70_000, 20, 20)


class Importer:
    """Owns a store and, at most, one open session."""

    def __init__(self, store: Store, health: Health, limiter: ConnectLimiter | None = None) -> None:
        self._store = store
        self._health = health
        self._limiter = limiter or ConnectLimiter()
        self._session: Session | None = None
        self._mailbox_id: UUID | None = None
        self._capabilities: Capabilities | None = None  # of the session's provider
        self._closing: asyncio.Task[None] | None = None

    @property
    def is_connected(self) -> bool:
        return self._session is not None

    async def run(self, slice_id: UUID) -> None:
        """Import what is left of a slice. Raises ProviderError; the caller tries again later.

        Nothing is left of a slice whose mailbox was disconnected or planned anew.
        """
        piece = self._store.find_slice(slice_id)
        if piece is None:
            return
        try:
            session = await self._open(piece.mailbox_id)
        except Fenced:
            return
        assert self._capabilities is not None  # since the session is open
        manner = import_manner_of(self._capabilities, keeps_everything=piece.keeps_everything)
        driver = Driver(session, InlineStore(self._store), piece.mailbox_id, epoch=0)
        try:
            await driver.run(import_slice(piece, manner))
        except (Conflict, Fenced):
            log.info("slice %s is imported by somebody else, or its plan is void", slice_id)
        except Throttled as error:
            if self._capabilities.units_a_minute is None:
                await self.close()
            else:  # told before anything was asked: it goes on when the allowance does
                self._closing = asyncio.create_task(self._close_when_idle(error.retry_after_seconds or 0.0))
            raise
        except BaseException:  # whatever it was: the conversation may stand in the middle of an answer
            await self.close()
            raise
        else:
            counters.add("imported_slices")
        self._closing = asyncio.create_task(self._close_when_idle())

    async def _open(self, mailbox_id: UUID) -> Session:
        self._stay_open()
        if self._session is not None and self._mailbox_id == mailbox_id:
            return self._session
        await self.close()
        provider_name, credentials = await asyncio.to_thread(self._health.credentials, mailbox_id)
        provider = registry.provider(provider_name)
        async with self._limiter.connecting(provider.host_of(credentials)):
            try:
                self._session = await provider.open(credentials)
            except ProviderError as error:
                counters.add("connect_failures", label=error_label(error))
                raise
        counters.add("connects")
        self._capabilities = provider.capabilities
        self._mailbox_id = mailbox_id
        return self._session

    async def _close_when_idle(self, after_seconds: float = 0.0) -> None:
        """A connection nobody needs counts against what the server allows, and outlives a change of the password."""
        await asyncio.sleep(min(after_seconds, LONGEST_IDLE_SECONDS) + IDLE_SECONDS)
        self._closing = None
        await self.close()

    def _stay_open(self) -> None:
        closing, self._closing = self._closing, None
        if closing is not None:
            closing.cancel()

    async def close(self) -> None:
        self._stay_open()
        session, self._session = self._session, None
        if session is not None:
            await session.close()
