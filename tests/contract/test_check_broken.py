"""The connection check against Dovecot, Cyrus and Postfix, each wrong in one way."""

from __future__ import annotations

import asyncio
import ipaddress
import socket
import uuid
from typing import Any

import pytest

from postroom.providers import catalogue
from postroom.providers.base import CheckStep, Credentials
from postroom.providers.guard import NetworkPolicy
from postroom.providers.imap.provider import ImapProvider
from postroom.providers.imap.smtp import SmtpTimeouts
from postroom.providers.imap.transport import Timeouts
from tests.contract.imap_place import settings
from tests.servers.certs import Certificates
from tests.servers.cyrus import Cyrus
from tests.servers.dovecot import Dovecot
from tests.servers.postfix import Postfix

ANN = "ann@example.test"
WRONG = "wr0ng-word"


@pytest.fixture
def provider(certificates: Certificates) -> ImapProvider:
    """One with little patience, that trusts the run's authority."""
    loopback = (ipaddress.ip_network("127.0.0.0/8"), ipaddress.ip_network("::1/128"))
    policy = NetworkPolicy(allowed=loopback, ca_file=certificates.ca_file)
    return ImapProvider(policy, timeouts=Timeouts(greeting_seconds=1), smtp_timeouts=SmtpTimeouts(greeting_seconds=1))


@pytest.fixture
def right(dovecot: Dovecot, postfix: Postfix) -> dict[str, dict[str, Any]]:
    """Settings with which everything passes."""
    return {
        "imap": settings(dovecot.imaps, ANN, security="tls"),
        "smtp": settings(postfix.submissions, ANN, security="tls"),
    }


async def failures(provider: ImapProvider, told: dict[str, dict[str, Any]], address: str = ANN) -> list[CheckStep]:
    """The steps that failed; none of them tells a password or leaves people without words."""
    steps = [step async for step in provider.check(Credentials(address, told))]
    assert WRONG not in repr(steps)
    failed = [step for step in steps if not step.ok]
    assert all(catalogue.explain_check(step.code, **step.facts).fix for step in failed)
    return failed


def named(failed: list[CheckStep]) -> list[tuple[str, str, str]]:
    return [(step.server, step.name, step.code) for step in failed]


async def test_nothing_fails_where_everything_is_right(
    provider: ImapProvider, right: dict[str, dict[str, Any]]
) -> None:
    assert await failures(provider, right) == []


async def test_a_wrong_password_is_told_of_both_servers(
    provider: ImapProvider, right: dict[str, dict[str, Any]]
) -> None:
    told = {server: one | {"password": WRONG} for server, one in right.items()}
    assert named(await failures(provider, told)) == [
        ("imap", "sign_in", "sign_in_refused"),
        ("smtp", "sign_in", "sign_in_refused"),
    ]


async def test_each_wrong_encryption_is_named(
    provider: ImapProvider, dovecot: Dovecot, postfix: Postfix, right: dict[str, dict[str, Any]]
) -> None:
    tls_on_plain = {
        "imap": right["imap"] | {"port": dovecot.imap},
        "smtp": right["smtp"] | {"port": postfix.submission},
    }
    assert named(await failures(provider, tls_on_plain)) == [
        ("imap", "tls", "tls_not_spoken"),
        ("smtp", "tls", "tls_not_spoken"),
    ]
    starttls_on_tls = {server: one | {"security": "starttls"} for server, one in right.items()}
    assert named(await failures(provider, starttls_on_tls)) == [
        ("imap", "greeting", "tls_expected"),
        ("smtp", "greeting", "tls_expected"),
    ]
    plain = {"imap": right["imap"], "smtp": right["smtp"] | {"port": postfix.submission, "security": "none"}}
    assert named(await failures(provider, plain)) == [("smtp", "sender", "encryption_required")]


async def test_a_wrong_host_is_named_by_its_certificate(
    provider: ImapProvider, right: dict[str, dict[str, Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    async def found(host: str, port: int, **more: object) -> list[Any]:
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", port))]

    monkeypatch.setattr(asyncio.get_running_loop(), "getaddrinfo", found)
    told = {server: one | {"host": "mail.elsewhere.test"} for server, one in right.items()}
    assert named(await failures(provider, told)) == [
        ("imap", "tls", "certificate_for_other_host"),
        ("smtp", "tls", "certificate_for_other_host"),
    ]


async def test_a_server_that_nobody_trusts_hears_no_password(right: dict[str, dict[str, Any]]) -> None:
    loopback = (ipaddress.ip_network("127.0.0.0/8"), ipaddress.ip_network("::1/128"))
    stranger = ImapProvider(NetworkPolicy(allowed=loopback))
    assert named(await failures(stranger, right)) == [
        ("imap", "tls", "certificate_not_trusted"),
        ("smtp", "tls", "certificate_not_trusted"),
    ]


async def test_servers_that_were_mixed_up_are_named(
    provider: ImapProvider, dovecot: Dovecot, postfix: Postfix, right: dict[str, dict[str, Any]]
) -> None:
    told = {
        "imap": right["imap"] | {"port": postfix.submissions},
        "smtp": right["smtp"] | {"port": dovecot.imaps},
    }
    failed = await failures(provider, told)
    assert named(failed) == [("imap", "greeting", "smtp_answers"), ("smtp", "greeting", "imap_answers")]
    assert [step.server_words for step in failed] == ["", ""]


async def test_a_port_where_nothing_answers_is_named(
    provider: ImapProvider, right: dict[str, dict[str, Any]], unused_tcp_port: int
) -> None:
    told = right | {"smtp": right["smtp"] | {"port": unused_tcp_port}}
    assert named(await failures(provider, told)) == [("smtp", "reach", "connection_refused")]


async def test_a_sender_that_the_sign_in_may_not_use_is_found_before_anything_is_sent(
    provider: ImapProvider, right: dict[str, dict[str, Any]]
) -> None:
    """Postfix keeps this refusal for the first recipient."""
    failed = await failures(provider, right, "boss@example.test")
    assert named(failed) == [("smtp", "sender", "sender_not_allowed")]
    assert "not owned by user" in failed[0].server_words


async def test_two_accounts_of_one_server_pass_with_a_warning(
    provider: ImapProvider, right: dict[str, dict[str, Any]]
) -> None:
    told = right | {"imap": right["imap"] | {"username": "bob@example.test"}}
    steps = [step async for step in provider.check(Credentials(ANN, told))]
    assert all(step.ok for step in steps)
    assert [(step.server, step.name, step.code) for step in steps if step.code] == [("smtp", "sign_in", "two_accounts")]


class TestCyrus:
    """It has no TLS here, and knows its users by the whole address only."""

    @pytest.fixture
    def address(self, cyrus: Cyrus) -> str:
        return cyrus.add_user(f"u{uuid.uuid4().hex[:12]}")

    async def test_encryption_that_is_not_there_is_named(
        self, provider: ImapProvider, cyrus: Cyrus, address: str, right: dict[str, dict[str, Any]]
    ) -> None:
        for security, name, code in (("tls", "tls", "tls_not_spoken"), ("starttls", "tls", "starttls_not_offered")):
            told = right | {"imap": settings(cyrus.imap, address, security=security)}
            assert named(await failures(provider, told)) == [("imap", name, code)]

    async def test_the_right_form_of_the_user_name_is_found(
        self, provider: ImapProvider, cyrus: Cyrus, address: str, right: dict[str, dict[str, Any]]
    ) -> None:
        told = right | {"imap": settings(cyrus.imap, address.partition("@")[0])}
        assert named(await failures(provider, told)) == [("imap", "sign_in", "sign_in_refused")]
        asked = Credentials(ANN, told, other_usernames=(address,))
        [signed_in] = [s async for s in provider.check(asked) if (s.server, s.name) == ("imap", "sign_in")]
        assert signed_in.ok and signed_in.facts["username"] == signed_in.note == address
