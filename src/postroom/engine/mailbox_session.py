"""The life of one mailbox in a worker: connect, plan, catch up, wait, catch up …

The class of an error decides what happens next (providers/errors.py): wait for the owner, wait as long as the server
asks, or back off and try again. A session ends only when it is cancelled or when another worker owns the mailbox.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from uuid import UUID

from postroom.engine.driver import Driver, StoreCaller
from postroom.engine.health import Health
from postroom.engine.store import Conflict, Fenced, FolderState, MailboxState
from postroom.providers import registry
from postroom.providers.base import Session
from postroom.providers.errors import NeedsAdministrator, NeedsReconnect, ProviderError, Throttled, WrongSettings
from postroom.sync.backoff import delay_seconds
from postroom.sync.catching_up import catch_up, fetch_wanted
from postroom.sync.importing import plan_import

log = logging.getLogger(__name__)

POLL_SECONDS = 60.0  # folders without a push of their own
GIVEN_UP_SECONDS = 3600.0  # a refused sign-in is tried again once an hour, or when somebody asks


@dataclass(frozen=True, slots=True)
class World:
    """What every session of a worker shares."""

    stores: StoreCaller
    health: Health
    random: Callable[[], float] = random.random


class MailboxSession:
    """Keeps one mailbox up to date for as long as this worker owns it (`epoch`)."""

    def __init__(self, world: World, mailbox_id: UUID, epoch: int) -> None:
        self._world = world
        self._mailbox_id = mailbox_id
        self._epoch = epoch
        self._woken = asyncio.Event()

    def wake(self) -> None:
        """Look now instead of at the next push or poll."""
        self._woken.set()

    async def run(self) -> None:
        failures = 0
        while True:
            self._woken.clear()
            try:
                await self._keep_connected()
                failures = 0
            except Fenced:
                log.info("mailbox %s has a new owner", self._mailbox_id)
                return
            except Conflict:
                failures = 0  # the folder moved on under us: load it again
            except ProviderError as error:
                failures += 1
                await asyncio.to_thread(self._world.health.failed, self._mailbox_id, self._epoch, error)
                await self._pause(self._patience(error, failures))

    def _patience(self, error: ProviderError, failures: int) -> float:
        if isinstance(error, NeedsReconnect | NeedsAdministrator | WrongSettings):
            return GIVEN_UP_SECONDS
        if isinstance(error, Throttled) and error.retry_after_seconds:
            return error.retry_after_seconds
        return delay_seconds(failures, self._world.random())

    async def _pause(self, seconds: float) -> None:
        """Until the time is over or somebody wakes us; who did so during the try that failed knew more than it."""
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._woken.wait(), seconds)

    async def _keep_connected(self) -> None:
        provider_name, credentials = await asyncio.to_thread(self._world.health.credentials, self._mailbox_id)
        session = await registry.provider(provider_name).open(credentials)
        try:
            driver = Driver(session, self._world.stores, self._mailbox_id, self._epoch)
            await self._plan(driver)
            await self._catch_up(driver, [self._is_inbox])
            while True:
                self._woken.clear()
                # The inbox last: a change between looking and waiting then shows in the folder that is open.
                await self._catch_up(driver, [lambda folder: not self._is_inbox(folder), self._is_inbox])
                await driver.run(fetch_wanted(self._mailbox_id, self._epoch))
                await asyncio.to_thread(self._world.health.synced, self._mailbox_id, self._epoch)
                await self._follow_inbox(driver, session)
        finally:
            await session.close()

    async def _load(self) -> MailboxState:
        state = await self._world.stores.call(lambda store: store.load_mailbox(self._mailbox_id))
        if state.epoch != self._epoch:
            raise Fenced
        return state

    async def _plan(self, driver: Driver) -> None:
        state = await self._load()
        slice_ids = await driver.run(plan_import(state.backfill_days, only_new_folders=state.is_planned))
        await asyncio.to_thread(self._world.health.planned, self._mailbox_id, slice_ids)

    async def _catch_up(self, driver: Driver, rounds: Sequence[Callable[[FolderState], bool]]) -> None:
        for belongs in rounds:
            state = await self._load()
            for folder in filter(belongs, state.folders):
                if folder.is_synced and folder.cursor:
                    await driver.run(catch_up(folder, state.id, self._epoch, state.backfill_days))

    @staticmethod
    def _is_inbox(folder: FolderState) -> bool:
        return folder.role == "inbox"

    async def _follow_inbox(self, driver: Driver, session: Session) -> None:
        """Take what arrives in the inbox at once, until somebody wakes us or the other folders are due."""
        loop = asyncio.get_running_loop()
        due = loop.time() + POLL_SECONDS
        inbox = await self._inbox()
        while not self._woken.is_set() and (left := due - loop.time()) > 0:
            if await self._wait(session, inbox, left):
                await self._catch_up(driver, [self._is_inbox])

    async def _wait(self, session: Session, inbox: str, seconds: float) -> bool:
        """Until the inbox changes (True), somebody wakes us, or the time is over."""
        waiting = asyncio.create_task(session.wait(inbox, seconds))
        woken = asyncio.create_task(self._woken.wait())
        try:
            await asyncio.wait({waiting, woken}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            woken.cancel()
            waiting.cancel()  # ends IDLE; nothing happens to a wait that is over
            await asyncio.wait({waiting, woken})
        return not waiting.cancelled() and waiting.result()  # raises what the server did meanwhile

    async def _inbox(self) -> str:
        state = await self._load()
        folders = [folder for folder in state.folders if folder.is_synced]
        for folder in folders:
            if folder.role == "inbox":
                return folder.remote_name
        return folders[0].remote_name if folders else "INBOX"
