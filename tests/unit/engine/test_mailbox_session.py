"""What a mailbox's session does after it was refused."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence
from contextlib import suppress
from uuid import UUID, uuid4

import pytest

from postroom.engine.mailbox_session import MailboxSession, World
from postroom.engine.memory_store import Memory, MemoryStore
from postroom.engine.stores import InlineStore
from postroom.providers.base import Credentials
from postroom.providers.errors import ProviderError
from postroom.providers.memory.server import SERVERS, MemoryServer
from postroom.sync.state import MailboxState

ADDRESS = "sales@tidewater.example"


class MemoryHealth:
    """Implements engine.health.Health in memory."""

    def __init__(self) -> None:
        self.reports: list[str] = []

    def credentials(self, mailbox_id: UUID) -> tuple[str, Credentials]:
        return "memory", Credentials(ADDRESS, {"server": "session"})

    def synced(self, mailbox_id: UUID, epoch: int) -> None:
        self.reports.append("synced")

    def failed(self, mailbox_id: UUID, epoch: int, error: ProviderError) -> None:
        self.reports.append(error.code)

    def planned(self, mailbox_id: UUID, slice_ids: Sequence[UUID]) -> None:
        pass


@pytest.fixture
def server() -> Iterator[MemoryServer]:
    SERVERS["session"] = MemoryServer()
    yield SERVERS["session"]
    del SERVERS["session"]


async def until(health: MemoryHealth, reports: list[str]) -> None:
    async with asyncio.timeout(5):
        while health.reports != reports:
            await asyncio.sleep(0.01)


def make_session(health: MemoryHealth) -> MailboxSession:
    memory, mailbox_id = Memory(), uuid4()
    memory.mailboxes[mailbox_id] = MailboxState(mailbox_id, uuid4(), ADDRESS, "memory", "everything", 30, 1, False, ())
    return MailboxSession(World(InlineStore(MemoryStore(memory)), health), mailbox_id, 1)


def test_a_session_that_gave_up_tries_again_when_it_is_woken(server: MemoryServer) -> None:
    async def live() -> None:
        health = MemoryHealth()
        session = make_session(health)
        server.faults.refuse_sign_in = True
        running = asyncio.create_task(session.run())
        await until(health, ["sign_in_refused"])
        session.wake()
        await until(health, ["sign_in_refused", "sign_in_refused"])
        server.faults.refuse_sign_in = False
        session.wake()
        await until(health, ["sign_in_refused", "sign_in_refused", "synced"])
        running.cancel()
        with suppress(asyncio.CancelledError):
            await running

    asyncio.run(live())


def test_who_wakes_a_session_while_it_fails_is_heard(server: MemoryServer) -> None:
    """The owner types the new password while the session tries the old one; else it would sleep for an hour."""

    class MendedMeanwhile(MemoryHealth):
        def failed(self, mailbox_id: UUID, epoch: int, error: ProviderError) -> None:
            super().failed(mailbox_id, epoch, error)
            server.faults.refuse_sign_in = False
            loops[0].call_soon_threadsafe(session.wake)

    health = MendedMeanwhile()
    session = make_session(health)
    server.faults.refuse_sign_in = True

    async def live() -> None:
        loops.append(asyncio.get_running_loop())
        running = asyncio.create_task(session.run())
        await until(health, ["sign_in_refused", "synced"])
        running.cancel()
        with suppress(asyncio.CancelledError):
            await running

    loops: list[asyncio.AbstractEventLoop] = []
    asyncio.run(live())
