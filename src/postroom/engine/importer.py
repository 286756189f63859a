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
from postroom.engine.store import Conflict, Fenced, Store
from postroom.engine.stores import InlineStore
from postroom.providers import registry
from postroom.providers.base import Session
from postroom.providers.errors import ProviderError
from postroom.sync.importing import import_slice

log = logging.getLogger(__name__)

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
        self._lists_headers = False  # whether the session's provider does so cheaply
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
        driver = Driver(session, InlineStore(self._store), piece.mailbox_id, epoch=0)
        try:
            await driver.run(import_slice(piece, headers_first=self._lists_headers and not piece.keeps_everything))
        except (Conflict, Fenced):
            log.info("slice %s is imported by somebody else, or its plan is void", slice_id)
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
        self._lists_headers = provider.capabilities.lists_headers_cheaply
        self._mailbox_id = mailbox_id
        return self._session

    async def _close_when_idle(self) -> None:
        """A connection nobody needs counts against what the server allows, and outlives a change of the password."""
        await asyncio.sleep(IDLE_SECONDS)
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
