"""A worker without a database: sessions on the memory provider and the memory store, and what they reported."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid4

from postroom.engine.journal import Facts, Kind
from postroom.engine.limiter import ConnectLimiter, Rates
from postroom.engine.mailbox_session import MailboxSession
from postroom.engine.memory_store import Memory, MemoryStore
from postroom.engine.stores import InlineStore
from postroom.engine.world import World
from postroom.providers.base import Credentials, RemoteIdentity
from postroom.providers.errors import ProviderError

SERVER = "session"
HASTY = Rates(per_second=10_000, burst=10_000, host_per_second=10_000, host_burst=10_000, at_once=100)


class MemoryHealth:
    """Implements engine.health.Health in memory."""

    def __init__(self, memory: Memory) -> None:
        self.memory = memory
        self.reports: list[str] = []
        self.waits: list[float] = []
        self.looks: list[UUID] = []
        self.planned_slices: list[UUID] = []
        self.listed_identities: list[list[str]] = []

    def credentials(self, mailbox_id: UUID) -> tuple[str, Credentials]:
        return "memory", Credentials(self.memory.mailboxes[mailbox_id].address, {"server": SERVER})

    def synced(self, mailbox_id: UUID, epoch: int) -> None:
        self.reports.append("synced")
        self.memory.mailboxes[mailbox_id] = replace(self.memory.mailboxes[mailbox_id], failures=0, not_before=None)

    def looked(self, looks: Sequence[tuple[UUID, int]]) -> None:
        self.looks += [mailbox_id for mailbox_id, _ in looks]

    def failed(self, mailbox_id: UUID, epoch: int, error: ProviderError, wait_seconds: float) -> None:
        self.reports.append(error.code)
        self.waits.append(wait_seconds)
        mailbox = self.memory.mailboxes[mailbox_id]
        until = datetime.now(UTC) + timedelta(seconds=wait_seconds)
        self.memory.mailboxes[mailbox_id] = replace(mailbox, failures=mailbox.failures + 1, not_before=until)

    def identities(self, mailbox_id: UUID, epoch: int, listed: Sequence[RemoteIdentity]) -> None:
        self.listed_identities.append([one.address for one in listed])

    def planned(self, mailbox_id: UUID, slice_ids: Sequence[UUID]) -> int:
        self.planned_slices += slice_ids
        return sum(len(self.memory.slices[slice_id].remote_ids) for slice_id in slice_ids)


class MemoryJournal:
    """Implements engine.journal.Journal in memory."""

    def __init__(self) -> None:
        self.entries: list[tuple[Kind, dict[str, str | int]]] = []

    def note(self, mailbox_id: UUID, kind: Kind, facts: Facts) -> None:
        self.entries.append((kind, dict(facts)))

    @property
    def kinds(self) -> list[Kind]:
        return [kind for kind, _ in self.entries]


class Workshop:
    """One worker's world over memory."""

    def __init__(self) -> None:
        self.memory = Memory()
        self.health = MemoryHealth(self.memory)
        self.journal = MemoryJournal()
        self.workspace_id = uuid4()
        store = InlineStore(MemoryStore(self.memory))
        self.world = World(store, self.health, journal=self.journal, limiter=ConnectLimiter(HASTY))

    def add_mailbox(self, address: str, *, keep: str = "everything") -> UUID:
        return self.memory.add_mailbox(self.workspace_id, address, keep=keep).id

    def session(self, mailbox_id: UUID) -> MailboxSession:
        return MailboxSession(self.world, mailbox_id, self.memory.mailboxes[mailbox_id].epoch)

    async def until(self, is_so: Callable[[], bool], seconds: float = 5.0) -> None:
        async with asyncio.timeout(seconds):
            while not is_so():
                await asyncio.sleep(0.01)

    async def until_reports(self, *reports: str) -> None:
        await self.until(lambda: self.health.reports == list(reports))


@asynccontextmanager
async def running(session: MailboxSession) -> AsyncIterator[MailboxSession]:
    task = asyncio.create_task(session.run())
    try:
        yield session
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task
