"""IMAP servers that hang, lie, flood or cheat cost a connection and never more."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from postroom.providers.base import Credentials
from postroom.providers.errors import (
    FolderGone,
    ProtocolViolation,
    ProviderError,
    SignInRefused,
    Unreachable,
    WrongSettings,
)
from postroom.providers.imap.provider import ImapProvider
from postroom.providers.imap.session import ImapSession
from postroom.providers.imap.smtp import SmtpTimeouts
from postroom.providers.imap.transport import Timeouts
from postroom.providers.imap.wire import Limits
from tests.servers.certs import Certificates
from tests.unit.imap.stubs import Conversation, loopback_policy, serving

QUICK = Timeouts(greeting_seconds=0.4, silence_seconds=0.4, command_seconds=2.0)
SMALL = Limits(line_bytes=64 * 1024, literal_bytes=1024 * 1024)


def script(
    answers: Mapping[str, bytes | None], greeting: bytes = b"* OK [CAPABILITY IMAP4rev1 IDLE] hello\r\n"
) -> Conversation:
    """A server that answers a command by its name; TAG stands for the tag, None hangs, unknown commands get OK."""

    async def converse(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(greeting)
        while line := await reader.readline():
            tag, _, rest = line.partition(b" ")
            while rest.rstrip().endswith(b"}"):
                size = int(rest.rstrip().rpartition(b"{")[2].rstrip(b"}+"))
                writer.write(b"+ go\r\n")
                await reader.readexactly(size)
                rest = rest.rstrip() + await reader.readline()
            name = next((key for key in answers if rest.decode("latin-1").startswith(key)), "")
            answer = answers.get(name, b"TAG OK done\r\n")
            if answer is None:
                await asyncio.sleep(60)
                return
            writer.write(answer.replace(b"TAG", tag))
            if b"HANGUP" in answer:
                return
            await writer.drain()

    return converse


def credentials(port: int, security: str = "none", host: str = "localhost") -> Credentials:
    imap = {"host": host, "port": port, "security": security, "username": "ann", "password": "s3cret-word"}
    return Credentials("ann@example.test", {"imap": imap, "smtp": imap})


async def open_session(port: int, security: str = "none", certificates: Certificates | None = None) -> ImapSession:
    policy = loopback_policy(certificates.ca_file if certificates else None)
    return await ImapProvider(policy, timeouts=QUICK, limits=SMALL).open(credentials(port, security))


EXAMINED = b"* 2 EXISTS\r\n* OK [UIDVALIDITY 7] .\r\n* OK [UIDNEXT 3] .\r\nTAG OK [READ-ONLY] done\r\n"


async def test_a_server_that_hangs_at_the_greeting_is_unreachable() -> None:
    async with serving(script({}, greeting=b"")) as port:
        started = time.monotonic()
        with pytest.raises(Unreachable) as caught:
            await open_session(port)
    assert caught.value.code == "timed_out" and time.monotonic() - started < 3


@pytest.mark.parametrize(
    ("greeting", "error", "code"),
    [
        (b"* BYE [UNAVAILABLE] too busy\r\n", Unreachable, "server_unavailable"),
        (b"HTTP/1.1 400 Bad Request\r\n\r\n", ProtocolViolation, "no_mail_server"),
        (b"* BYE go away\r\n", Unreachable, "server_closed"),
        (b"x" * 100_000, ProtocolViolation, "line_too_long"),
        (b"* OK {99999999999}\r\n* 1 FETCH (BODY[] {99999999999}\r\n", ProtocolViolation, "literal_too_large"),
    ],
)
async def test_a_bad_greeting_is_named(greeting: bytes, error: type[ProviderError], code: str) -> None:
    async with serving(script({"CAPABILITY": None, "LOGIN": None}, greeting=greeting)) as port:
        with pytest.raises(error) as caught:
            await open_session(port)
    assert caught.value.code == code


@pytest.mark.parametrize(
    ("answer", "error", "code"),
    [
        (b"* 1 FETCH (UID 1 BODY[] {500}\r\nhalf HANGUP", Unreachable, "connection_lost"),
        (b"* 1 FETCH (UID 1 BODY[] {9999999}\r\nhalf", ProtocolViolation, "literal_too_large"),
        (b"* 1 FETCH (UID 1 BODY[] {500}\r\nhalf", Unreachable, "timed_out"),
        (b"* " + b"9" * 100_000, ProtocolViolation, "line_too_long"),
        (b"* 1 FETCH " + b"(" * 500 + b"\r\n", ProtocolViolation, "response_too_deep"),
        (b"* 1 FETCH (UID 1 FLAGS\r\n", ProtocolViolation, "unreadable_response"),
        (b"* 1 EXISTS\r\n" * 110_000 + b"TAG OK\r\n", ProtocolViolation, "flood"),
        (b"other OK done\r\n", ProtocolViolation, "unreadable_response"),
        (b"Server Unavailable. 15\r\n", Unreachable, "server_unavailable"),
        (b"* BYE [INUSE] shutting down HANGUP\r\n", ProviderError, "mailbox_in_use"),
        (None, Unreachable, "timed_out"),
    ],
)
async def test_a_fetch_that_breaks_is_named(answer: bytes | None, error: type[ProviderError], code: str) -> None:
    async with serving(script({"EXAMINE": EXAMINED, "UID FETCH": answer})) as port:
        session = await open_session(port)
        with pytest.raises(error) as caught:
            await session.fetch("INBOX", ["7.1"])
        assert caught.value.code == code
        with pytest.raises(ProviderError):  # the connection is of no more use
            await session.list_folders()
        await session.close()


async def test_a_server_that_talks_while_nobody_asked_is_cut_off() -> None:
    async def flood(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await script({"LIST": b"TAG OK done\r\n" + b"* 5 EXISTS\r\n" * 2_000})(reader, writer)

    async with serving(flood) as port:
        session = await open_session(port)
        await session.list_folders()
        await asyncio.sleep(0.2)
        with pytest.raises(ProtocolViolation) as caught:
            await session.list_folders()
    assert caught.value.code == "flood"


async def test_a_message_expunged_during_a_fetch_is_left_out_and_the_rest_comes() -> None:
    answer = b"* 1 EXPUNGE\r\n* 1 FETCH (UID 2 FLAGS () BODY[] {3}\r\nabc)\r\nTAG NO Some messages are gone\r\n"
    async with serving(script({"EXAMINE": EXAMINED, "UID FETCH": answer})) as port:
        session = await open_session(port)
        fetched = await session.fetch("INBOX", ["7.1", "7.2"])
        await session.close()
    assert [(message.remote_id, message.raw) for message in fetched] == [("7.2", b"abc")]


async def test_a_fetch_without_the_body_is_asked_again_in_halves() -> None:
    halves = b"* 1 FETCH (UID 1 BODY[HEADER] {5}\r\na:b\r\n BODY[TEXT] {2}\r\nhi)\r\nTAG OK\r\n"
    answers = {
        "EXAMINE": EXAMINED,
        "UID FETCH 1 (UID FLAGS INTERNALDATE BODY.PEEK[])": b"* 1 FETCH (UID 1 FLAGS (\\Seen))\r\nTAG OK\r\n",
        "UID FETCH 1 (UID FLAGS INTERNALDATE BODY.PEEK[HEADER]": halves,
    }
    async with serving(script(answers)) as port:
        session = await open_session(port)
        (message,) = await session.fetch("INBOX", ["7.1"])
        await session.close()
    assert message.raw == b"a:b\r\nhi"


async def test_another_uidvalidity_resets_the_folder() -> None:
    listed = b"* 1 FETCH (UID 1 FLAGS () RFC822.SIZE 9)\r\n* 2 FETCH (UID 2 FLAGS () RFC822.SIZE 9)\r\nTAG OK\r\n"
    async with serving(script({"EXAMINE": EXAMINED, "UID FETCH 1:4294967295": listed})) as port:
        session = await open_session(port)
        changes = await session.list_changes("INBOX", '{"uidvalidity": 6, "uidnext": 9, "exists": 4}')
        await session.close()
    assert changes.was_reset and changes.is_full and [m.remote_id for m in changes.added] == ["7.2", "7.1"]


async def test_a_folder_that_cannot_be_opened_is_gone() -> None:
    async with serving(script({"EXAMINE": b"TAG NO [NONEXISTENT] no such folder\r\n"})) as port:
        session = await open_session(port)
        with pytest.raises(FolderGone):
            await session.list_window("Old", None)
        await session.close()


async def test_a_wrong_password_is_refused_and_never_quoted() -> None:
    answer = b"TAG NO [AUTHENTICATIONFAILED] no such pair ann/s3cret-word\r\n"
    async with serving(script({"LOGIN": answer})) as port:
        with pytest.raises(SignInRefused) as caught:
            await open_session(port)
    assert caught.value.code == "sign_in_refused"
    assert "s3cret-word" not in f"{caught.value} {caught.value.server_words} {caught.value.facts}"


async def test_starttls_that_was_stripped_is_refused_before_the_password() -> None:
    seen: list[bytes] = []

    async def spy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"* OK [CAPABILITY IMAP4rev1 AUTH=PLAIN] hello\r\n")
        while line := await reader.readline():
            seen.append(line)

    async with serving(spy) as port:
        with pytest.raises(WrongSettings) as caught:
            await open_session(port, "starttls")
    assert caught.value.code == "starttls_not_offered"
    assert not any(b"LOGIN" in line or b"AUTHENTICATE" in line for line in seen)


@pytest.mark.parametrize("injected", [b"* CAPABILITY IMAP4rev1\r\n", b"* OK half"])
async def test_plain_text_behind_starttls_is_refused(injected: bytes) -> None:
    greeting = b"* OK [CAPABILITY IMAP4rev1 STARTTLS] hello\r\n"
    async with serving(script({"STARTTLS": b"TAG OK go\r\n" + injected}, greeting)) as port:
        with pytest.raises(ProtocolViolation) as caught:
            await open_session(port, "starttls")
    assert caught.value.code == "plain_text_after_starttls"


@pytest.mark.parametrize(
    ("kind", "code"),
    [
        ("expired", "certificate_expired"),
        ("unborn", "certificate_not_yet_valid"),
        ("foreign", "certificate_for_other_host"),
        ("stranger", "certificate_not_trusted"),
    ],
)
async def test_a_bad_certificate_is_refused(certificates: Certificates, kind: str, code: str) -> None:
    async with serving(script({}), certificate=getattr(certificates, kind)) as port:
        with pytest.raises(WrongSettings) as caught:
            await open_session(port, "tls", certificates)
    assert caught.value.code == code


async def test_tls_on_a_plain_port_is_named(certificates: Certificates) -> None:
    async with serving(script({})) as port:
        with pytest.raises(ProviderError) as caught:
            await open_session(port, "tls", certificates)
    assert caught.value.code == "tls_not_spoken"


@pytest.mark.parametrize("security", ["starttls", "none"])
@pytest.mark.parametrize("is_trusted", [True, False])
async def test_the_check_tells_a_port_that_waits_for_tls(
    certificates: Certificates, tmp_path: Path, security: str, is_trusted: bool
) -> None:
    trusted = tmp_path / "trusted.pem"
    trusted.write_bytes(certificates.server_key.read_bytes() + certificates.server.read_bytes())
    told = []
    async with serving(script({}), certificate=trusted if is_trusted else certificates.expired) as port:
        brief = SmtpTimeouts(greeting_seconds=0.4)
        policy = loopback_policy(certificates.ca_file)
        async for step in ImapProvider(policy, timeouts=QUICK, smtp_timeouts=brief).check(credentials(port, security)):
            told.append((step.server, step.name, step.code, step.facts))
    where = {"host": "localhost", "port": port}
    assert [one for one in told if one[2]] == [
        ("imap", "greeting", "tls_expected", where),
        ("smtp", "greeting", "tls_expected", where),
    ]


async def test_the_check_of_a_port_that_never_speaks_ends_in_seconds(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("postroom.providers.imap.check.GREETING_SECONDS", 0.2)
    monkeypatch.setattr("postroom.providers.imap.connect.PROBE_SECONDS", 0.2)
    started = time.monotonic()
    async with serving(script({}, greeting=b"")) as port:
        steps = [step async for step in ImapProvider(loopback_policy()).check(credentials(port, "starttls"))]
    assert [(step.server, step.code) for step in steps if not step.ok] == [("imap", "timed_out"), ("smtp", "timed_out")]
    assert time.monotonic() - started < 3


async def test_a_refused_connection_is_named(unused_tcp_port_factory: Callable[[], int]) -> None:
    with pytest.raises(WrongSettings) as caught:
        await open_session(unused_tcp_port_factory())
    assert caught.value.code == "connection_refused"


async def test_the_check_ends_a_row_at_its_failure_and_still_runs_the_other() -> None:
    answers: dict[str, Any] = {"LOGIN": b"TAG NO [AUTHENTICATIONFAILED] wrong\r\n"}
    async with serving(script(answers)) as port:
        provider = ImapProvider(loopback_policy(), timeouts=QUICK)
        told = credentials(port)
        told.secrets["smtp"] = told.secrets["smtp"] | {"host": "nowhere.invalid"}
        steps = [step async for step in provider.check(told)]
    assert [(step.server, step.name, step.ok) for step in steps] == [
        ("imap", "name", True),
        ("imap", "reach", True),
        ("imap", "greeting", True),
        ("imap", "sign_in", False),
        ("smtp", "name", False),
    ]
    assert (steps[3].code, steps[4].code) == ("sign_in_refused", "host_unknown")
