"""The connection check against what mail services were heard to say, by their own host names."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable
from typing import Any

import pytest

from postroom.providers import catalogue
from postroom.providers.base import CheckStep, Credentials
from postroom.providers.imap.provider import ImapProvider
from tests.fakes.recorded_service import Answers, recorded_service
from tests.fakes.recordings import SERVICES, Service
from tests.unit.imap.stubs import loopback_policy

ADDRESS = "ann@example.test"
PASSWORD = "s3cret-word"
PLAIN = SERVICES["a hoster with Dovecot and Exim"]
REFUSED = "NO [AUTHENTICATIONFAILED] Authentication failed."


@pytest.fixture(autouse=True)
async def every_host_is_here(monkeypatch: pytest.MonkeyPatch) -> None:
    """The name server of these tests: every name is 127.0.0.1."""

    async def found(host: str, port: int, **more: object) -> list[Any]:
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", port))]

    monkeypatch.setattr(asyncio.get_running_loop(), "getaddrinfo", found)


async def check(
    service: Service,
    answers: Answers,
    *,
    usernames: tuple[str, str] = (ADDRESS, ADDRESS),
    others: tuple[str, ...] = (),
    password: str = PASSWORD,
    is_shared: bool = False,
    is_swapped: bool = False,
) -> list[CheckStep]:
    """Every step of a check of both servers; with `is_swapped` each protocol is asked of the other's port."""
    async with recorded_service(service, answers):
        ports = (answers.imap_port, answers.smtp_port)
        told = {
            server: {"host": host, "port": port, "security": "none", "username": username, "password": password}
            for server, host, port, username in zip(
                ("imap", "smtp"),
                (service.imap_host, service.smtp_host),
                reversed(ports) if is_swapped else ports,
                usernames,
                strict=True,
            )
        }
        credentials = Credentials(ADDRESS, told, other_usernames=others, is_shared=is_shared)
        return [step async for step in ImapProvider(loopback_policy()).check(credentials)]


def one(steps: list[CheckStep], server: str, name: str) -> CheckStep:
    [step] = [step for step in steps if (step.server, step.name) == (server, name)]
    return step


@pytest.mark.parametrize(
    ("service", "words", "code"),
    [
        pytest.param(service, words, code, id=f"{name}: {words[:60]}")
        for name, service in SERVICES.items()
        for words, code in service.imap_refusals.items()
    ],
)
async def test_a_refusal_to_read_has_its_cause(service: Service, words: str, code: str) -> None:
    steps = await check(service, Answers(imap=lambda _: words))
    failed = one(steps, "imap", "sign_in")
    assert (failed.ok, failed.code) == (False, code)
    assert failed.server_words == words and one(steps, "smtp", "sender").ok
    assert catalogue.explain_check(code, **failed.facts).fix
    assert PASSWORD not in repr(steps)


@pytest.mark.parametrize(
    ("service", "words", "code"),
    [
        pytest.param(service, words, code, id=f"{name}: {words[:60]}")
        for name, service in SERVICES.items()
        for words, code in service.smtp_refusals.items()
    ],
)
async def test_a_refusal_to_send_has_its_cause(service: Service, words: str, code: str) -> None:
    steps = await check(service, Answers(smtp=lambda _: words))
    failed = one(steps, "smtp", "sign_in")
    assert (failed.ok, failed.code) == (False, code)
    assert failed.server_words.startswith(words[:3]) and one(steps, "imap", "folders").ok
    assert PASSWORD not in repr(steps)


async def test_a_service_lets_each_form_of_the_user_name_in_where_it_wants_it() -> None:
    """As iCloud: the part before the @ reads, the whole address sends."""

    def only(username: str, words: str) -> Callable[[str], str]:
        return lambda told: "" if told == username else words

    service = SERVICES["iCloud"]
    answers = Answers(imap=only("ann", next(iter(service.imap_refusals))), smtp=only(ADDRESS, "535 5.7.8 no"))
    steps = await check(service, answers, others=("ann",))
    assert all(step.ok for step in steps)
    assert [one(steps, server, "sign_in").facts["username"] for server in ("imap", "smtp")] == ["ann", ADDRESS]
    assert answers.signed_in == [("imap", ADDRESS), ("imap", "ann"), ("smtp", ADDRESS)]
    assert one(steps, "smtp", "sign_in").code == "", "two forms of one name are no two accounts"


async def test_when_no_form_is_known_the_first_refusal_is_told_with_all_that_were_tried() -> None:
    later = iter([REFUSED, "NO [LIMIT] too many", REFUSED])
    answers = Answers(imap=lambda _: next(later))
    steps = await check(PLAIN, answers, others=("ann", "Ann"))
    failed = one(steps, "imap", "sign_in")
    assert (failed.code, failed.server_words) == ("sign_in_refused", REFUSED)
    assert failed.facts["username"] == f"{ADDRESS} and ann", "what asks for patience is not asked again"


async def test_a_service_that_takes_no_password_hears_one_form_only() -> None:
    answers = Answers(imap=lambda _: "NO [AUTHENTICATIONFAILED] Invalid credentials (Failure)")
    await check(SERVICES["Gmail"], answers, others=("ann",))
    assert [username for server, username in answers.signed_in if server == "imap"] == [ADDRESS]


@pytest.mark.parametrize(
    ("sender", "recipient", "code"),
    [
        ("553 5.7.1 Sender address rejected: not owned by user ann", "250 OK", "sender_not_allowed"),
        ("550 5.7.60 SMTP; Client does not have permissions to send as this sender", "250 OK", "sender_not_allowed"),
        ("550 no such sender", "250 OK", "sender_refused"),
        ("250 OK", "553 5.7.1 <ann@example.test>: Sender address rejected: not owned by user x", "sender_not_allowed"),
        ("250 OK", "554 5.7.1 <ann@example.test>: Relay access denied", "relay_denied"),
        ("250 OK", "450 4.2.0 Greylisted", ""),
        ("250 OK", "550 5.1.1 unknown", ""),
    ],
)
async def test_a_sender_is_tried_and_nothing_is_sent(sender: str, recipient: str, code: str) -> None:
    answers = Answers(sender=sender, recipient=recipient)
    step = one(await check(PLAIN, answers), "smtp", "sender")
    assert (step.ok, step.code) == (not code, code)
    assert "DATA" not in answers.heard and (code or answers.heard[-1] == "RSET")


async def test_swapped_servers_are_told_without_their_words() -> None:
    steps = [step for step in await check(PLAIN, Answers(), is_swapped=True) if not step.ok]
    assert [(step.server, step.code, step.server_words) for step in steps] == [
        ("imap", "smtp_answers", ""),
        ("smtp", "imap_answers", ""),
    ]


@pytest.mark.parametrize(
    ("greeting", "code"),
    [("+OK POP3 ready <1@pop.example>", "pop_answers"), ("SSH-2.0-OpenSSH_9.2p1 Debian-2", "no_mail_server")],
)
async def test_another_service_on_the_port_is_told_without_its_words(greeting: str, code: str) -> None:
    steps = await check(
        Service("mail.example", "mail.example", imap_greeting=greeting, smtp_greeting=greeting), Answers()
    )
    failed = [step for step in steps if not step.ok]
    assert [(step.name, step.code) for step in failed] == [("greeting", code)] * 2
    assert greeting not in repr(steps)


async def test_two_accounts_pass_with_a_warning() -> None:
    steps = await check(PLAIN, Answers(), usernames=(ADDRESS, "relay-key"))
    assert all(step.ok for step in steps)
    assert [(step.server, step.name, step.code) for step in steps if step.code] == [("smtp", "sign_in", "two_accounts")]
    words = catalogue.explain_check("two_accounts", **one(steps, "smtp", "sign_in").facts).what
    assert words.startswith(f"{ADDRESS} receives, and relay-key sends.")


@pytest.mark.parametrize("is_shared", [True, False])
async def test_a_persons_password_in_a_shared_mailbox_passes_with_a_warning(is_shared: bool) -> None:
    steps = await check(SERVICES["Zoho"], Answers(), is_shared=is_shared)
    warned = [(step.server, step.name, step.code) for step in steps if step.code]
    everywhere = [(server, "sign_in", "personal_password") for server in ("imap", "smtp")]
    assert warned == (everywhere if is_shared else [])
