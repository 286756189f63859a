"""What a mailbox's session does: it follows pushes, polls the rest, is patient after errors, and can be woken."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import cycle
from uuid import UUID

import pytest

from postroom.engine import watch
from postroom.engine import world as worlds
from postroom.engine.journal import Kind
from postroom.engine.limiter import ConnectLimiter, Rates
from postroom.engine.mailbox_session import MailboxSession
from postroom.engine.patience import REFUSED_SECONDS
from postroom.engine.rhythm import poll_seconds
from postroom.engine.world import World
from postroom.providers import registry
from postroom.providers.base import Credentials, RemoteFolder
from postroom.providers.errors import FolderGone, ProviderError
from postroom.providers.memory.provider import MemoryProvider
from postroom.providers.memory.server import SERVERS, MemoryServer
from postroom.providers.memory.session import MemorySession
from postroom.providers.memory.shelf import KeptFolder, ProcessShelf
from tests.unit.engine.world import SERVER, MemoryHealth, Workshop, running

ADDRESS = "sales@tidewater.example"


@pytest.fixture
def server() -> Iterator[MemoryServer]:
    SERVERS[SERVER] = MemoryServer()
    yield SERVERS[SERVER]
    del SERVERS[SERVER]


@pytest.fixture
def workshop() -> Workshop:
    return Workshop()


def letter(number: int) -> bytes:
    return f"From: ann@x.example\r\nMessage-ID: <{number}@x.example>\r\nSubject: Letter {number}\r\n\r\nHi\r\n".encode()


def stored(workshop: Workshop) -> int:
    return len(workshop.memory.messages)


async def test_a_session_that_gave_up_tries_again_when_it_is_woken(server: MemoryServer, workshop: Workshop) -> None:
    server.faults.refuse_sign_in = True
    async with running(workshop.session(workshop.add_mailbox(ADDRESS))) as session:
        await workshop.until_reports("sign_in_refused")
        session.wake()
        await workshop.until_reports("sign_in_refused", "sign_in_refused")
        assert [wait >= seconds for wait, seconds in zip(workshop.health.waits, REFUSED_SECONDS, strict=True)] == [
            True
        ] * 2
        server.faults.refuse_sign_in = False
        session.wake()
        await workshop.until_reports("sign_in_refused", "sign_in_refused", "synced")
    assert workshop.journal.kinds == [Kind.FAILED, Kind.WAITING, Kind.CONNECTED]


async def test_the_journal_has_each_cause_of_a_time_of_failures_once(server: MemoryServer, workshop: Workshop) -> None:
    server.faults.unreachable = True
    async with running(workshop.session(workshop.add_mailbox(ADDRESS))) as session:
        await workshop.until_reports("connection_lost")
        session.wake()
        await workshop.until_reports("connection_lost", "connection_lost")
        server.faults.unreachable, server.faults.refuse_sign_in = False, True
        session.wake()
        await workshop.until_reports("connection_lost", "connection_lost", "sign_in_refused")
        await workshop.until(lambda: Kind.WAITING in workshop.journal.kinds)
    assert [facts["code"] for kind, facts in workshop.journal.entries if kind is Kind.FAILED] == [
        "connection_lost",
        "sign_in_refused",
    ]


async def test_who_wakes_a_session_while_it_fails_is_heard(server: MemoryServer, workshop: Workshop) -> None:
    """The owner types the new password while the session tries the old one; else it would sleep for an hour."""
    loop = asyncio.get_running_loop()

    class MendedMeanwhile(MemoryHealth):
        def failed(self, mailbox_id: UUID, epoch: int, error: ProviderError, wait_seconds: float) -> None:
            super().failed(mailbox_id, epoch, error, wait_seconds)
            server.faults.refuse_sign_in = False
            loop.call_soon_threadsafe(session.wake)

    workshop.health = MendedMeanwhile(workshop.memory)
    world = World(workshop.world.stores, workshop.health, limiter=workshop.world.limiter)
    session = MailboxSession(world, workshop.add_mailbox(ADDRESS), 1)
    server.faults.refuse_sign_in = True
    async with running(session):
        await workshop.until_reports("sign_in_refused", "synced")


async def test_patience_survives_a_restart_and_yields_to_a_person(server: MemoryServer, workshop: Workshop) -> None:
    mailbox_id = workshop.add_mailbox(ADDRESS)
    state = workshop.memory.mailboxes[mailbox_id]
    later = datetime.now(UTC) + timedelta(seconds=600)
    workshop.memory.mailboxes[mailbox_id] = replace(state, failures=3, not_before=later)
    async with running(workshop.session(mailbox_id)) as session:
        await asyncio.sleep(0.1)
        assert workshop.health.reports == []
        session.wake()
        await workshop.until_reports("synced")
    assert workshop.memory.mailboxes[mailbox_id].failures == 0


async def test_failures_are_counted_on_after_a_restart(server: MemoryServer, workshop: Workshop) -> None:
    mailbox_id = workshop.add_mailbox(ADDRESS)
    state = workshop.memory.mailboxes[mailbox_id]
    workshop.memory.mailboxes[mailbox_id] = replace(state, failures=7, not_before=datetime.now(UTC))
    server.faults.unreachable = True
    async with running(workshop.session(mailbox_id)):
        await workshop.until_reports("connection_lost")
    assert workshop.health.waits[0] >= 128, "the eighth failure in a row"


async def test_mail_that_arrives_is_stored_at_once(server: MemoryServer, workshop: Workshop) -> None:
    async with running(workshop.session(workshop.add_mailbox(ADDRESS))):
        await workshop.until_reports("synced")
        server.deliver(ADDRESS, letter(1))
        caught_up = (Kind.CAUGHT_UP, {"folder": "INBOX", "new": 1, "filed": 0, "removed": 0})
        await workshop.until(lambda: caught_up in workshop.journal.entries)  # which is written after the message
        assert stored(workshop) == 1


async def test_folders_that_nobody_pushes_are_polled(
    server: MemoryServer, workshop: Workshop, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watch, "poll_seconds", lambda sessions: 0.05)
    async with running(workshop.session(workshop.add_mailbox(ADDRESS))):
        await workshop.until_reports("synced")
        server.deliver(ADDRESS, letter(1), folder="Sent")
        await workshop.until(lambda: stored(workshop) == 1)


async def test_an_idle_mailbox_is_not_written_at_each_poll(
    server: MemoryServer, workshop: Workshop, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watch, "poll_seconds", lambda sessions: 0.01)
    monkeypatch.setattr(watch, "SYNCED_SECONDS", 0.1)
    mailbox_id = workshop.add_mailbox(ADDRESS)
    async with running(workshop.session(mailbox_id)):
        await workshop.until_reports("synced")
        await asyncio.sleep(0.5)
        await workshop.world.looks.tell()
    assert workshop.health.reports == ["synced"]
    assert workshop.health.looks == [mailbox_id], "looks that found nothing are told together, once"


async def test_looks_that_could_not_be_told_are_told_with_the_next(
    workshop: Workshop, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Broken(MemoryHealth):
        tries = 0

        def looked(self, looks: Sequence[tuple[UUID, int]]) -> None:
            self.tries += 1
            if self.tries == 1:
                raise ValueError
            super().looked(looks)

    monkeypatch.setattr(worlds, "LOOKS_SECONDS", 0.01)
    looks, mailbox_id = worlds.Looks(Broken(workshop.memory)), UUID(int=1)
    looks.note(mailbox_id, 1)
    telling = asyncio.create_task(looks.keep_telling())
    await workshop.until(lambda: looks.health.looks == [mailbox_id])  # type: ignore[attr-defined]
    telling.cancel()


async def test_a_deleted_folder_makes_the_folders_be_listed_anew(
    server: MemoryServer, workshop: Workshop, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watch, "poll_seconds", lambda sessions: 0.05)
    server.deliver(ADDRESS, letter(1), folder="Projects")
    mailbox_id = workshop.add_mailbox(ADDRESS)
    async with running(workshop.session(mailbox_id)):
        await workshop.until_reports("synced")
        assert isinstance(server.shelf, ProcessShelf)
        server.shelf.remove_folder(ADDRESS, "Projects")
        await workshop.until(lambda: Kind.FOLDER_GONE in workshop.journal.kinds)
        server.deliver(ADDRESS, letter(2))
        await workshop.until(lambda: stored(workshop) == 1)
    assert set(workshop.health.reports) == {"synced"}, "it is nobody's failure"


async def test_what_is_wanted_of_a_deleted_folder_keeps_nothing_else_back(
    server: MemoryServer, workshop: Workshop
) -> None:
    for folder in ("Archive", "Projects"):
        server.deliver(ADDRESS, letter(1), folder=folder)
    mailbox_id = workshop.add_mailbox(ADDRESS, keep="records")
    async with running(workshop.session(mailbox_id)):
        await workshop.until_reports("synced")
    folders = {folder.remote_name: folder.id for folder in workshop.memory.mailboxes[mailbox_id].folders}
    # The later one of the two comes behind the one that cannot be opened.
    wanted = {(folders[name], "1.1") for name in ("Archive", "Projects")}
    workshop.memory.wanted |= wanted
    workshop.memory.sightings |= dict.fromkeys(wanted, (datetime.now(UTC), 100))
    server.remove_folder(ADDRESS, "Archive")
    async with running(workshop.session(mailbox_id)):
        await workshop.until(lambda: Kind.FOLDER_GONE in workshop.journal.kinds)
        await workshop.until_reports("synced", "synced")
    assert workshop.memory.wanted == set(), "one went with its folder, one was fetched"


async def test_a_folder_that_is_pushed_and_not_known_makes_the_folders_be_listed(
    server: MemoryServer, workshop: Workshop, monkeypatch: pytest.MonkeyPatch
) -> None:
    listed: list[int] = []
    pushed = cycle([{"Nowhere"}, {"Elsewhere"}])

    class Telling(MemorySession):
        """Tells of a new folder, and of others that no listing has."""

        async def list_folders(self) -> Sequence[RemoteFolder]:
            listed.append(0)
            return await super().list_folders()

        async def wait(self, remote_name: str, timeout_seconds: float) -> frozenset[str]:
            await asyncio.sleep(0.01)
            names = next(pushed)
            return frozenset(
                {*names, "Fresh"} if "Fresh" in {one.name for one in server.shelf.folders(ADDRESS)} else names
            )

    class Provider(MemoryProvider):
        async def open(self, credentials: Credentials) -> MemorySession:
            return Telling(server, credentials.address)

    monkeypatch.setitem(registry.PROVIDERS, "memory", Provider())
    mailbox_id = workshop.add_mailbox(ADDRESS)
    async with running(workshop.session(mailbox_id)):
        await workshop.until(lambda: len(listed) == 3)
        await asyncio.sleep(0.1)
        assert len(listed) == 3, "what is not listed is looked for once"
        server.make_folder(ADDRESS, "Fresh")
        await workshop.until(
            lambda: "Fresh" in {one.remote_name for one in workshop.memory.mailboxes[mailbox_id].folders}
        )


async def test_a_folder_that_cannot_be_opened_is_not_the_one_that_is_waited_for(
    server: MemoryServer, workshop: Workshop, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened = []

    class Closed(MemorySession):
        def _read(self, remote_name: str, *, is_listing: bool = True) -> KeptFolder:
            if remote_name == "INBOX" and workshop.health.reports:
                raise FolderGone(folder=remote_name)
            return super()._read(remote_name, is_listing=is_listing)

        async def wait(self, remote_name: str, timeout_seconds: float) -> frozenset[str]:
            if workshop.health.reports:
                self._read(remote_name, is_listing=False)
            return await super().wait(remote_name, timeout_seconds)

    class Provider(MemoryProvider):
        async def open(self, credentials: Credentials) -> MemorySession:
            opened.append(credentials.address)
            return Closed(server, credentials.address)

    monkeypatch.setitem(registry.PROVIDERS, "memory", Provider())
    async with running(workshop.session(workshop.add_mailbox(ADDRESS))):
        await workshop.until_reports("synced")
        server.deliver(ADDRESS, letter(1))
        await asyncio.sleep(0.2)
        server.deliver(ADDRESS, letter(2), folder="Sent")
        await workshop.until(lambda: stored(workshop) == 1)
    assert set(workshop.health.reports) == {"synced"} and len(opened) == 1


async def test_what_goes_on_at_once_does_not_go_on_for_ever(
    workshop: Workshop, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A provider that says each time that a folder is gone: tried again at once, then later and later."""
    opened = []

    class Crumbling(MemoryProvider):
        async def open(self, credentials: Credentials) -> MemorySession:
            opened.append(credentials.address)
            raise FolderGone

    monkeypatch.setitem(registry.PROVIDERS, "memory", Crumbling())
    async with running(workshop.session(workshop.add_mailbox(ADDRESS))):
        await workshop.until_reports("folder_gone")
        await asyncio.sleep(0.2)
    assert len(opened) == 2


async def test_what_was_planned_is_queued_and_told(server: MemoryServer, workshop: Workshop) -> None:
    for number in range(3):
        server.deliver(ADDRESS, letter(number))
    async with running(workshop.session(workshop.add_mailbox(ADDRESS))):
        await workshop.until_reports("synced")
    assert workshop.health.planned_slices == list(workshop.memory.slices)
    assert (Kind.PLANNED, {"messages": 3}) in workshop.journal.entries


async def test_the_start_of_a_thousand_mailboxes_is_staggered(server: MemoryServer, workshop: Workshop) -> None:
    rates = Rates(per_second=400, burst=100, host_per_second=400, host_burst=100, at_once=20)
    world = World(workshop.world.stores, workshop.health, limiter=ConnectLimiter(rates))
    loop = asyncio.get_running_loop()
    sessions = [MailboxSession(world, workshop.add_mailbox(f"m{number}@x.example"), 1) for number in range(1_000)]
    server.poll_seconds = 3.0
    started = loop.time()
    tasks = [asyncio.create_task(session.run()) for session in sessions]
    try:
        await workshop.until(lambda: len(workshop.health.reports) == 1_000, seconds=60)
        assert loop.time() - started >= (1_000 - 100) / 400
        assert set(workshop.health.reports) == {"synced"}
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
    assert poll_seconds(1_000) < 300


async def test_a_providers_call_polls_and_does_no_more(
    server: MemoryServer, workshop: Workshop, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []

    class Counting(MemorySession):
        async def list_folders(self) -> Sequence[RemoteFolder]:
            asked.append("folders")
            return await super().list_folders()

        async def poll(self, cursors: Mapping[str, str]) -> frozenset[str]:
            asked.append("poll")
            return await super().poll(cursors)

    class Provider(MemoryProvider):
        async def open(self, credentials: Credentials) -> MemorySession:
            return Counting(server, credentials.address)

    monkeypatch.setitem(registry.PROVIDERS, "memory", Provider())
    async with running(workshop.session(workshop.add_mailbox(ADDRESS))) as session:
        await workshop.until_reports("synced")
        asked.clear()
        server.deliver(ADDRESS, letter(1), folder="Sent")  # which nobody waits for
        session.tell_arrived()
        await workshop.until(lambda: stored(workshop) == 1)
        assert asked == ["poll"]


async def test_a_providers_call_ends_no_patience(server: MemoryServer, workshop: Workshop) -> None:
    server.faults.unreachable = True
    async with running(workshop.session(workshop.add_mailbox(ADDRESS))) as session:
        await workshop.until_reports("connection_lost")
        session.tell_arrived()
        await asyncio.sleep(0.1)
        assert workshop.health.reports == ["connection_lost"]
        session.wake()
        await workshop.until_reports("connection_lost", "connection_lost")
