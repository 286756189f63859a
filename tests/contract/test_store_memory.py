from __future__ import annotations

from uuid import UUID, uuid4

import pytest

from postroom.engine.memory_store import Memory, MemoryStore
from postroom.mail.message import ParsedMessage
from tests.contract.folder_contract import FolderContract
from tests.contract.placing_contract import PlacingContract
from tests.contract.store_contract import ON_RECORD, StoreContract


def is_on_record(parsed: ParsedMessage) -> bool:
    return any(address.address == ON_RECORD for _, address in parsed.participants())


class MemoryWorld:
    def __init__(self) -> None:
        self.memory = Memory()
        self.workspace_id = uuid4()
        self.store = self.another_store()

    def another_store(self) -> MemoryStore:
        return MemoryStore(self.memory, is_on_record)

    def add_mailbox(self, address: str, *, keep: str = "everything") -> UUID:
        return self.memory.add_mailbox(self.workspace_id, address, keep=keep).id

    def claim(self, mailbox_id: UUID) -> int:
        return self.memory.claim(mailbox_id)

    def messages(self) -> list[str]:
        return sorted(message.parsed.subject for message in self.memory.messages.values())

    def placements(self) -> set[tuple[UUID, str, str]]:
        return {
            (folder_id, remote_id, self.memory.messages[self.workspace_id, kept.identity].parsed.subject)
            for (folder_id, remote_id), kept in self.memory.placements.items()
        }

    def flags(self, folder_id: UUID, remote_id: str) -> tuple[str, ...]:
        return self.memory.placements[folder_id, remote_id].flags

    def threads(self) -> set[frozenset[str]]:
        found: dict[UUID, set[str]] = {}
        for (workspace_id, identity), message in self.memory.messages.items():
            found.setdefault(self.memory.thread_of(workspace_id, identity), set()).add(message.parsed.subject)
        return set(map(frozenset, found.values()))

    def want(self, folder_id: UUID, remote_id: str) -> None:
        self.memory.wanted.add((folder_id, remote_id))

    def choose(self, folder_id: UUID, is_chosen: bool) -> None:
        self.memory.chosen[folder_id] = is_chosen

    def question(self, folder_id: UUID) -> tuple[str, dict[str, int]] | None:
        hold = self.memory.questions.get(folder_id)
        return (hold.code, hold.facts) if hold else None

    def answer_yes(self, folder_id: UUID) -> None:
        self.memory.change_folder(folder_id, may_remove=True)

    def add_addresses(self, *keys: str) -> None:
        self.memory.add_addresses(*keys)

    def let_go(self, remote_id: str) -> None:
        for places in (self.memory.placements, self.memory.left):
            for place in [place for place in places if place[1] == remote_id]:
                del places[place]

    def pass_a_day(self, mailbox_id: UUID) -> None:
        for folder in self.memory.mailboxes[mailbox_id].folders:
            self.memory.change_folder(folder.id, rebuilds=0)


@pytest.fixture
def world() -> MemoryWorld:
    return MemoryWorld()


class TestMemoryStore(StoreContract): ...


class TestFoldersInMemory(FolderContract): ...


class TestPlacingInMemory(PlacingContract): ...
