"""Steps that look through a large folder do so beside the event loop, and end and fail like any other."""

from __future__ import annotations

import asyncio
import threading
from datetime import date
from uuid import UUID

import pytest

from postroom.engine import driver as driving
from postroom.engine.driver import Driver
from postroom.engine.memory_store import Memory, MemoryStore
from postroom.engine.store import Fenced
from postroom.engine.stores import StoreThreads
from postroom.providers.memory.server import MemoryServer
from postroom.providers.memory.session import MemorySession
from postroom.sync.asks import ListWindow, SavePlan, Steps
from postroom.sync.remote import Window

ADDRESS = "sales@tidewater.example"


def look_through(threads: list[str]) -> Steps[int]:
    window: Window = yield ListWindow("INBOX", date.min)
    threads.append(threading.current_thread().name)
    yield SavePlan({}, ())
    threads.append(threading.current_thread().name)
    return len(window.messages)


@pytest.fixture
def server() -> MemoryServer:
    server = MemoryServer()
    for number in range(3):
        server.deliver(ADDRESS, f"Subject: {number}\r\n\r\nText".encode())
    return server


async def drive(server: MemoryServer, steps: Steps[int], *, epoch: int) -> int:
    memory = Memory()
    mailbox = memory.add_mailbox(UUID(int=1), ADDRESS)
    stores = StoreThreads(lambda: MemoryStore(memory))
    try:
        return await Driver(MemorySession(server, ADDRESS), stores, mailbox.id, epoch).run(steps)
    finally:
        stores.close()


@pytest.mark.parametrize(("most_in_loop", "is_beside"), [(3, False), (2, True)])
def test_what_follows_a_large_answer_is_worked_out_in_a_thread(
    server: MemoryServer, monkeypatch: pytest.MonkeyPatch, most_in_loop: int, is_beside: bool
) -> None:
    monkeypatch.setattr(driving, "MOST_IN_LOOP", most_in_loop)
    threads: list[str] = []
    assert asyncio.run(drive(server, look_through(threads), epoch=1)) == 3
    assert [name.startswith("store") for name in threads] == [is_beside, is_beside]


def test_an_error_reaches_the_caller_from_the_thread_too(server: MemoryServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(driving, "MOST_IN_LOOP", 2)
    with pytest.raises(Fenced):
        asyncio.run(drive(server, look_through([]), epoch=7))
