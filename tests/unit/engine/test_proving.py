"""A session counts what is due between its looks, and closes gaps by itself; the double of a mailbox."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest

from postroom.engine import watch
from postroom.engine.importer import Importer
from postroom.engine.journal import Kind
from postroom.engine.mailbox_session import MailboxSession
from postroom.engine.memory_store import MemoryStore
from postroom.engine.proofs import Due
from postroom.providers.memory.server import SERVERS, MemoryServer
from postroom.sync.completeness import Tally
from tests.unit.engine.test_mailbox_session import ADDRESS, letter
from tests.unit.engine.world import SERVER, Workshop, running

MONTH = datetime.now(UTC).date().replace(day=1)


class MemoryProofs:
    """Implements engine.proofs.Proofs in memory: this month of every folder, until it was counted."""

    def __init__(self, workshop: Workshop) -> None:
        self.workshop = workshop
        self.saved: list[tuple[Tally, int]] = []
        self.is_importing = False
        self.asked = 0

    def due(self, mailbox_id: UUID, folder_ids: Collection[UUID], limit: int) -> Sequence[Due] | None:
        self.asked += 1
        if self.is_importing:
            return None
        folders = MemoryStore(self.workshop.memory).load_mailbox(mailbox_id).folders
        return [] if self.saved else [Due(folder.id, MONTH) for folder in folders if folder.role == "inbox"]

    def save(self, mailbox_id: UUID, epoch: int, folder_id: UUID, counted: Tally, filled: int) -> None:
        self.saved.append((counted, filled))


@pytest.fixture
def server() -> Iterator[MemoryServer]:
    SERVERS[SERVER] = MemoryServer()
    yield SERVERS[SERVER]
    del SERVERS[SERVER]


@pytest.fixture
def workshop(monkeypatch: pytest.MonkeyPatch) -> Workshop:
    monkeypatch.setattr(watch, "poll_seconds", lambda sessions: 0.05)
    workshop = Workshop()
    workshop.world = replace(workshop.world, proofs=MemoryProofs(workshop))
    return workshop


def proofs_of(workshop: Workshop) -> MemoryProofs:
    assert isinstance(workshop.world.proofs, MemoryProofs)
    return workshop.world.proofs


async def imported(workshop: Workshop, server: MemoryServer, count: int) -> UUID:
    """A mailbox of which so many messages are stored, as its first session leaves it."""
    for number in range(count):
        server.deliver(ADDRESS, letter(number))
    mailbox_id = workshop.add_mailbox(ADDRESS)
    proofs_of(workshop).is_importing = True
    async with running(workshop.session(mailbox_id)):
        await workshop.until(lambda: bool(workshop.health.planned_slices))
    importer = Importer(MemoryStore(workshop.memory), workshop.health)
    for slice_id in workshop.health.planned_slices:
        await importer.run(slice_id)
    await importer.close()
    proofs_of(workshop).is_importing = False
    return mailbox_id


async def test_a_gap_is_found_and_filled_without_anybody_asking(server: MemoryServer, workshop: Workshop) -> None:
    mailbox_id = await imported(workshop, server, 5)
    assert len(workshop.memory.placements) == 5
    for key in list(workshop.memory.placements)[:2]:
        del workshop.memory.placements[key]
    proofs = proofs_of(workshop)
    async with running(workshop.session(mailbox_id)):
        await workshop.until(lambda: Kind.GAP_FILLED in workshop.journal.kinds)
    [(counted, filled)] = proofs.saved
    assert (counted.at_server, counted.here, counted.missing, filled) == (5, 5, 0, 2)
    assert len(workshop.memory.placements) == 5
    told = [facts for kind, facts in workshop.journal.entries if kind is Kind.GAP_FILLED]
    assert told == [{"folder": "INBOX", "month": f"{MONTH:%Y-%m}", "count": 2}]


async def test_new_mail_waits_for_one_gap_and_not_for_all_that_is_counted(
    server: MemoryServer, workshop: Workshop
) -> None:
    class TwoMonths(MemoryProofs):
        """This month and the one before; a message arrives as the first is counted."""

        def due(self, mailbox_id: UUID, folder_ids: Collection[UUID], limit: int) -> Sequence[Due] | None:
            due = super().due(mailbox_id, folder_ids, limit)
            return due and [*due, *(Due(one.folder_id, (MONTH - timedelta(days=1)).replace(day=1)) for one in due)]

        def save(self, mailbox_id: UUID, epoch: int, folder_id: UUID, counted: Tally, filled: int) -> None:
            super().save(mailbox_id, epoch, folder_id, counted, filled)
            if filled:
                server.deliver(ADDRESS, letter(99))
            stored.append(len(workshop.memory.placements))

    workshop.world, stored = replace(workshop.world, proofs=TwoMonths(workshop)), list[int]()
    mailbox_id = await imported(workshop, server, 3)
    del workshop.memory.placements[next(iter(workshop.memory.placements))]
    async with running(workshop.session(mailbox_id)):
        await workshop.until(lambda: len(stored) == 2)
    assert stored == [3, 4]


async def test_who_wakes_a_session_has_it_ask_again_what_is_due(server: MemoryServer, workshop: Workshop) -> None:
    mailbox_id = await imported(workshop, server, 1)
    proofs = proofs_of(workshop)
    session: MailboxSession
    async with running(workshop.session(mailbox_id)) as session:
        await workshop.until(lambda: bool(proofs.saved))
        asked = proofs.asked
        session.wake()
        await workshop.until(lambda: proofs.asked > asked)
