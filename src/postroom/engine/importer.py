"""Imports slices one after the other in a process that does nothing else (prototypes.md 5: two such processes
reach twice what threads and pipelines do). Connections are kept between slices of one mailbox."""

from __future__ import annotations

import asyncio
import logging
from uuid import UUID

from postroom.engine.driver import Driver
from postroom.engine.health import Health
from postroom.engine.store import Conflict, Store
from postroom.engine.stores import InlineStore
from postroom.providers import registry
from postroom.providers.base import Session
from postroom.providers.errors import ProviderError
from postroom.sync.importing import import_slice

log = logging.getLogger(__name__)


class Importer:
    """Owns a store and, at most, one open session."""

    def __init__(self, store: Store, health: Health) -> None:
        self._store = store
        self._health = health
        self._session: Session | None = None
        self._mailbox_id: UUID | None = None

    async def run(self, slice_id: UUID) -> None:
        """Import what is left of a slice. Raises ProviderError; the caller tries again later."""
        piece = self._store.find_slice(slice_id)
        if piece is None:
            return
        session = await self._open(piece.mailbox_id)
        driver = Driver(session, InlineStore(self._store), piece.mailbox_id, epoch=0)
        try:
            await driver.run(import_slice(piece))
        except Conflict:
            log.info("slice %s is imported by somebody else", slice_id)
        except ProviderError:
            await self.close()
            raise

    async def _open(self, mailbox_id: UUID) -> Session:
        if self._session is not None and self._mailbox_id == mailbox_id:
            return self._session
        await self.close()
        provider_name, credentials = await asyncio.to_thread(self._health.credentials, mailbox_id)
        self._session = await registry.provider(provider_name).open(credentials)
        self._mailbox_id = mailbox_id
        return self._session

    async def close(self) -> None:
        session, self._session = self._session, None
        if session is not None:
            await session.close()
