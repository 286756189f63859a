"""The memory provider, in this process and on disk."""

from __future__ import annotations

import uuid
from pathlib import Path

import pytest

from postroom.providers.base import Credentials
from postroom.providers.memory.provider import MemoryProvider
from postroom.providers.memory.server import MemoryServer, server_for
from tests.contract.provider_contract import ProviderContract
from tests.contract.provider_place import Place

ADDRESS = "sales@example.test"


class MemoryPlace(Place):
    provider = MemoryProvider()
    pushes_others = True

    def __init__(self, secrets: dict[str, str]) -> None:
        self.credentials = Credentials(ADDRESS, secrets | {"password": "pass"})
        self.server: MemoryServer = server_for(self.credentials)
        self.server.passwords[ADDRESS] = "pass"

    async def deliver(self, raw: bytes) -> None:
        self.server.deliver(ADDRESS, raw)

    async def set_flags(self, remote_id: str, flags: tuple[str, ...]) -> None:
        self.server.set_flags(ADDRESS, "INBOX", remote_id, flags)

    async def remove(self, remote_id: str) -> None:
        self.server.remove(ADDRESS, "INBOX", remote_id)

    async def make_folder(self, name: str) -> None:
        self.server.make_folder(ADDRESS, name)

    async def rename_folder(self, name: str, new_name: str) -> None:
        self.server.rename_folder(ADDRESS, name, new_name)

    async def remove_folder(self, name: str) -> None:
        self.server.remove_folder(ADDRESS, name)

    async def renumber(self) -> None:  # type: ignore[override]
        self.server.renumber(ADDRESS, "INBOX")

    def wrong_credentials(self) -> Credentials:
        return Credentials(ADDRESS, self.credentials.secrets | {"password": "wrong"})


class TestMemoryInProcess(ProviderContract):
    @pytest.fixture
    def place(self) -> MemoryPlace:
        return MemoryPlace({"server": uuid.uuid4().hex})


class TestMemoryOnDisk(ProviderContract):
    @pytest.fixture
    def place(self, tmp_path: Path) -> MemoryPlace:
        return MemoryPlace({"folder": str(tmp_path)})
