"""The memory provider as a Sender that hands over first."""

from __future__ import annotations

import uuid
from email.parser import BytesHeaderParser

import pytest

from postroom.providers.base import Credentials
from postroom.providers.memory.provider import MemoryProvider
from postroom.providers.memory.server import Faults, MemoryServer, server_for
from tests.contract.sender_contract import BOB, CAROL, DAVE, OWN, Fault, SenderContract, SendingPlace

SWITCHES = {
    "lost after": ("in_doubt_after_accept", True),
    "unavailable after": ("in_doubt_after_accept", True),
    "lost before": ("in_doubt_before_accept", True),
    "throttled": ("throttle_send", True),
    "refused": ("refuse_send", "554 no"),
}


class MemoryPlace(SendingPlace):
    provider = MemoryProvider(upload_settles_seconds=0)
    finds_sent = False
    reads_header = False

    def __init__(self) -> None:
        self.credentials = Credentials(OWN, {"server": uuid.uuid4().hex})
        self.server: MemoryServer = server_for(self.credentials)
        for address in (OWN, BOB.address, CAROL.address, DAVE.address):
            self.server.shelf.folders(address)

    def fail_next(self, fault: Fault) -> None:
        name, value = SWITCHES[fault]
        setattr(self.server.faults, name, value)

    def heal(self) -> None:
        self.server.faults = Faults()

    def sent_count(self, internet_message_id: str) -> int:
        return self._count(OWN, "Sent", internet_message_id)

    def recipients(self, internet_message_id: str) -> set[str]:
        return {one.address for one in (BOB, CAROL, DAVE) if self._count(one.address, "INBOX", internet_message_id)}

    def draft_count(self) -> int:
        return len(self._folder(OWN, "Drafts"))

    def delete_drafts(self) -> None:
        kept = self.server.shelf.read(OWN, "Drafts")
        for uid in list(kept.messages) if kept else ():
            self.server.remove(OWN, "Drafts", f"{kept.uid_validity}.{uid}")  # type: ignore[union-attr]

    def _folder(self, address: str, name: str) -> list[bytes]:
        kept = self.server.shelf.read(address, name)
        return [one.raw for one in kept.messages.values()] if kept else []

    def _count(self, address: str, folder: str, internet_message_id: str) -> int:
        named = [BytesHeaderParser().parsebytes(raw)["Message-ID"] for raw in self._folder(address, folder)]
        return named.count(internet_message_id)


class TestMemorySender(SenderContract):
    @pytest.fixture
    def place(self) -> MemoryPlace:
        return MemoryPlace()
