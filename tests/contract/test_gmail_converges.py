"""Whatever happens in a Gmail mailbox, and whatever Google forgets meanwhile: what is stored becomes what is there."""

from __future__ import annotations

import random
from collections.abc import Iterator
from datetime import date
from uuid import uuid4

import pytest

from postroom.engine.driver import Driver
from postroom.engine.memory_store import Memory, MemoryStore
from postroom.engine.stores import InlineStore
from postroom.providers.gmail.session import GmailSession
from postroom.sync.catching_up import catch_up
from postroom.sync.importing import import_slice, plan_import
from postroom.sync.manner import Manner
from tests.contract.gmail_place import GmailPlace
from tests.fakes.google import FakeGoogle

SEEDS = 4  # 60 passed on 2026-11-23
SINCE = date(2020, 1, 1)
MANNER = Manner(ids_are_mailbox_wide=True, fetch_at_once=50)
PLACES = ("INBOX", "SENT", "TRASH", "SPAM", "DRAFT", "CHAT")
MARKS = ("UNREAD", "STARRED", "IMPORTANT", "CATEGORY_UPDATES")


@pytest.fixture(scope="module")
def google() -> Iterator[FakeGoogle]:
    with FakeGoogle() as google:
        yield google


class Mirror:
    """A mailbox that is synced into memory, and its owner who is busy in it."""

    def __init__(self, place: GmailPlace, session: GmailSession, seed: int) -> None:
        self.mailbox = place.mailbox
        self.faults = place.google.faults
        self.address = place.address
        self.session = session
        self.random = random.Random(seed)
        self.memory = Memory()
        self.store = MemoryStore(self.memory)
        state = self.memory.add_mailbox(uuid4(), place.address)
        self.id, self.epoch = state.id, state.epoch
        self.driver = Driver(session, InlineStore(self.store), self.id, self.epoch)
        self.delivered = 0

    def owner_acts(self) -> None:
        """One thing that somebody does, or that happens to Google."""
        dice, mailbox = self.random, self.mailbox
        ids, labels = sorted(mailbox.messages), sorted(mailbox.labels)
        act = dice.choice(["deliver"] * 4 + ["label"] * 6 + ["delete", "make", "drop", "rename", "forget", "hush"])
        if act == "deliver":
            self.delivered += 1
            raw = f"From: a@b.test\r\nSubject: {self.delivered}\r\nMessage-ID: <{self.delivered}@b.test>\r\n\r\nHi"
            mailbox.deliver(raw.encode(), self.some_labels())
        elif act == "label" and ids:
            mailbox.set_labels(dice.choice(ids), self.some_labels())
        elif act == "delete" and ids:
            mailbox.delete(dice.choice(ids))
        elif act == "make" and len(labels) < 4:
            mailbox.make_label(f"Label {self.random.random()}")
        elif act == "drop" and labels:
            mailbox.delete_label(dice.choice(labels))
        elif act == "rename" and labels:
            mailbox.rename_label(dice.choice(labels), f"Renamed {self.random.random()}")
        elif act == "forget":
            self.faults.expire_history(self.address)
        elif act == "hush":
            self.faults.history_tells_labels = not self.faults.history_tells_labels

    def some_labels(self) -> set[str]:
        every = [*PLACES, *MARKS, *self.mailbox.labels]
        found = set(self.random.sample(every, self.random.randint(0, 4)))
        return found - {"DRAFT"} if "SENT" in found else found  # what was sent is no draft any more

    async def sync(self) -> bool:
        """One round; whether there was anything to do."""
        slices = await self.driver.run(plan_import(SINCE, MANNER))
        for slice_id in slices:
            piece = self.store.find_slice(slice_id)
            if piece is not None:
                await self.driver.run(import_slice(piece, MANNER))
        folders = [folder for folder in self.store.load_mailbox(self.id).folders if folder.is_synced]
        changed = await self.session.poll({folder.remote_name: folder.cursor for folder in folders})
        for folder in folders:
            if folder.remote_name in changed:
                await self.driver.run(catch_up(folder, self.id, self.epoch, SINCE, MANNER))
        return bool(slices or changed)

    def stored(self) -> dict[str, dict[str, set[str]]]:
        return {
            folder.remote_name: {one.remote_id: set(one.flags) for one in self.store.known_messages(folder.id).messages}
            for folder in self.store.load_mailbox(self.id).folders
            if folder.is_synced
        }

    def there(self) -> dict[str, dict[str, set[str]]]:
        """The same by Gmail's own rules, said once more and independently of the product."""
        found: dict[str, dict[str, set[str]]] = {"INBOX": {}, "SENT": {}, "@archive": {}}
        found |= {label: {} for label in self.mailbox.labels}
        for remote_id, letter in self.mailbox.messages.items():
            flags = {"\\Seen"} - ({"\\Seen"} if "UNREAD" in letter.labels else set())
            flags |= {"\\Flagged"} if "STARRED" in letter.labels else set()
            flags |= {"\\Draft"} if "DRAFT" in letter.labels else set()
            if letter.labels & {"TRASH", "SPAM"}:
                continue
            for name, held in found.items():
                if name in letter.labels:
                    held[remote_id] = flags
            if not letter.labels & {*PLACES, *self.mailbox.labels}:
                found["@archive"][remote_id] = flags
        return found


@pytest.mark.parametrize("seed", range(SEEDS))
async def test_what_is_stored_becomes_what_is_there(google: FakeGoogle, seed: int) -> None:
    place = GmailPlace(google)
    session = await place.provider.open(place.credentials)
    mirror = Mirror(place, session, seed)
    try:
        for _ in range(25):
            for _ in range(mirror.random.randint(1, 6)):
                mirror.owner_acts()
            await mirror.sync()
        for _ in range(4):
            if not await mirror.sync():
                break
        else:
            pytest.fail("It does not come to rest.")
        assert mirror.stored() == mirror.there()
    finally:
        google.faults.history_tells_labels = True
        await session.close()
