"""What a check warns of though everything works."""

from __future__ import annotations

import ipaddress

import pytest

from postroom.providers.base import CheckStep, Security, ServerSettings
from postroom.providers.imap.cautions import (
    blocked_ports,
    not_encrypted,
    personal_password,
    two_accounts,
    unusual_pair,
)

HERE = ipaddress.ip_address("127.0.0.1")
THERE = ipaddress.ip_address("192.0.2.7")


def server(
    host: str = "mail.example.test",
    port: int = 993,
    security: Security = "tls",
    username: str = "ann@example.test",
    password: str = "s3cret",
) -> ServerSettings:
    return ServerSettings(host, port, security, username, password)


@pytest.mark.parametrize(
    ("port", "security", "usual"),
    [
        (993, "tls", ""),
        (465, "tls", ""),
        (143, "starttls", ""),
        (587, "starttls", ""),
        (993, "starttls", "TLS"),
        (465, "starttls", "TLS"),
        (587, "tls", "STARTTLS"),
        (143, "tls", "STARTTLS"),
        (10_993, "starttls", ""),
        (143, "none", ""),
    ],
)
def test_a_port_with_the_encryption_of_another_is_unusual(port: int, security: Security, usual: str) -> None:
    caution = unusual_pair(server(port=port, security=security))
    assert (caution.facts["usual"] if caution else "") == usual


def test_plain_text_is_warned_of_unless_it_never_leaves_the_machine() -> None:
    plain = server(port=143, security="none")
    assert not_encrypted(plain, [HERE, THERE]) is not None
    assert not_encrypted(plain, [HERE]) is None
    assert not_encrypted(server(), [THERE]) is None


@pytest.mark.parametrize(
    ("receives", "sends", "is_told"),
    [
        (server(), server(), False),
        (server(username="ann"), server(username="Ann@Example.test"), False),
        (server(), server(username="bob@example.test"), True),
        (server(username="ann"), server(username="ann@other.test"), True),
        (server("imap.gmail.com"), server("smtp.office365.com"), True),
        (server("outlook.office365.com"), server("smtp-mail.outlook.com"), False),
        (server("imap.gmail.com"), server("smtp.relay.test"), False),
    ],
)
def test_two_accounts_are_told_from_two_forms_of_one(
    receives: ServerSettings, sends: ServerSettings, is_told: bool
) -> None:
    caution = two_accounts(receives, sends, "ann@example.test")
    assert (caution is not None) == is_told
    assert caution is None or caution.facts["username"] != caution.facts["other"]


@pytest.mark.parametrize(
    ("host", "username", "password", "is_told"),
    [
        ("imap.mail.yahoo.com", "sales@yahoo.com", "summer2024!", True),
        ("imap.mail.yahoo.com", "sales@yahoo.com", "abcd efgh ijkl mnop", False),
        ("imap.mail.me.com", "sales", "abcd-efgh-ijkl-mnop", False),
        ("mail.hoster.example", "sales@yahoo.com", "summer2024!", False),
        ("mail.hoster.example", "web12p3", "summer2024!", False),
        ("mail.hoster.example", "ann@yahoo.com", "summer2024!", True),
    ],
)
def test_a_persons_password_is_told_by_its_look_or_by_whose_it_is(
    host: str, username: str, password: str, is_told: bool
) -> None:
    settings = server(host, username=username, password=password)
    caution = personal_password(settings, "sales@yahoo.com", is_shared=True)
    assert (caution is not None) == is_told
    assert password not in repr(caution)
    assert personal_password(settings, "sales@yahoo.com", is_shared=False) is None


def test_silence_of_a_sending_port_alone_points_to_the_hoster() -> None:
    silent = CheckStep("smtp", "reach", False, 15.0, code="timed_out")
    assert blocked_ports(silent, 587, was_reached=True).code == "sending_ports_blocked"
    assert blocked_ports(silent, 587, was_reached=False) is silent, "nothing answers at all"
    assert blocked_ports(silent, 2525, was_reached=True) is silent, "that port nobody blocks"
    refused = CheckStep("smtp", "reach", False, 0.1, code="connection_refused")
    assert blocked_ports(refused, 587, was_reached=True) is refused
