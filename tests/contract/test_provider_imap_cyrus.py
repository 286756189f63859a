"""IMAP against Cyrus, which reads the same RFCs differently."""

from __future__ import annotations

import ipaddress
import uuid

import pytest

from postroom.providers.guard import NetworkPolicy
from tests.contract.imap_place import ImapPlace
from tests.contract.provider_contract import ProviderContract
from tests.servers.cyrus import Cyrus


class TestCyrus(ProviderContract):
    @pytest.fixture
    async def place(self, cyrus: Cyrus) -> ImapPlace:
        loopback = (ipaddress.ip_network("127.0.0.0/8"), ipaddress.ip_network("::1/128"))
        address = cyrus.add_user(f"u{uuid.uuid4().hex[:12]}")
        place = ImapPlace(NetworkPolicy(allowed=loopback), address, cyrus.imap, cyrus.deliver)
        session = await place.provider.open(place.credentials)  # the first sign-in makes the mailbox
        await session.close()
        return place
