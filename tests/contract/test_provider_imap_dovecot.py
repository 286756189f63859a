"""IMAP against Dovecot: as it is, by TLS, and announced as poorly as other servers are."""

from __future__ import annotations

import ipaddress
import uuid

import pytest

from postroom.providers.guard import NetworkPolicy
from tests.contract.imap_place import ImapPlace, settings
from tests.contract.provider_contract import ProviderContract
from tests.servers.certs import Certificates
from tests.servers.dovecot import Dovecot


@pytest.fixture
def policy(certificates: Certificates) -> NetworkPolicy:
    loopback = (ipaddress.ip_network("127.0.0.0/8"), ipaddress.ip_network("::1/128"))
    return NetworkPolicy(allowed=loopback, ca_file=certificates.ca_file)


def an_address() -> str:
    return f"u{uuid.uuid4().hex[:12]}@example.test"


class TestDovecot(ProviderContract):
    @pytest.fixture
    def place(self, dovecot: Dovecot, policy: NetworkPolicy) -> ImapPlace:
        return ImapPlace(policy, an_address(), dovecot.imap, dovecot.deliver, pushes_others=True)

    @pytest.mark.parametrize("security", ["tls", "starttls", "none"])
    async def test_every_kind_of_encryption_works(self, dovecot: Dovecot, place: ImapPlace, security: str) -> None:
        port = dovecot.imaps if security == "tls" else dovecot.imap
        place.credentials.secrets["imap"].update(settings(port, place.credentials.address, security=security))
        session = await place.provider.open(place.credentials)
        assert await session.list_folders()
        await session.close()


class TestPoorDovecot(ProviderContract):
    """Without CONDSTORE, SPECIAL-USE, ESEARCH, LITERAL+ and IDLE."""

    @pytest.fixture
    def place(self, poor_dovecot: Dovecot, policy: NetworkPolicy, monkeypatch: pytest.MonkeyPatch) -> ImapPlace:
        monkeypatch.setattr("postroom.providers.imap.watching.NOOP_SECONDS", 0.1)
        return ImapPlace(policy, an_address(), poor_dovecot.imap, poor_dovecot.deliver, tells_flags=False)


class TestDovecotAsGmail(ProviderContract):
    """With CONDSTORE and without QRESYNC and NOTIFY."""

    @pytest.fixture
    def place(self, gmail_like_dovecot: Dovecot, policy: NetworkPolicy) -> ImapPlace:
        return ImapPlace(policy, an_address(), gmail_like_dovecot.imap, gmail_like_dovecot.deliver)


class TestDovecotAsYahoo(ProviderContract):
    """Without CONDSTORE, with LIST-STATUS and IDLE, and every command in small steps."""

    @pytest.fixture
    def place(self, yahoo_like_dovecot: Dovecot, policy: NetworkPolicy) -> ImapPlace:
        server = yahoo_like_dovecot
        return ImapPlace(policy, an_address(), server.imap, server.deliver, tells_flags=False)
