"""Sending: the point of no return, and what each answer means."""

from __future__ import annotations

import asyncio
import socket
import struct

import pytest

from postroom.providers.base import BeforeNoReturn, Credentials, Envelope, Receipt
from postroom.providers.errors import (
    InDoubt,
    ProtocolViolation,
    ProviderError,
    Refused,
    SignInRefused,
    Throttled,
    Unreachable,
    Unsupported,
    WrongSettings,
)
from postroom.providers.imap.provider import ImapProvider
from postroom.providers.imap.smtp import SmtpTimeouts
from postroom.providers.imap.smtp_wire import command, path, stuffed
from tests.unit.imap.stubs import Conversation, loopback_policy, serving

QUICK = SmtpTimeouts(greeting_seconds=0.5, command_seconds=0.5, end_of_data_seconds=0.5)
MAIL = b"From: a@example.test\r\nSubject: x\r\n\r\nHello\r\n"
ENVELOPE = Envelope("a@example.test", ("b@customer.test", "c@customer.test"))
HELLO = b"250-stub\r\n250-SIZE 1000\r\n250-8BITMIME\r\n250 AUTH PLAIN LOGIN\r\n"


def script(
    answers: dict[str, bytes], *, final: bytes | None = b"250 2.0.0 taken\r\n", bytewise: bool = False
) -> Conversation:
    """A server: answers by command prefix, `final` to the dot (None hangs, b"RST" resets the connection)."""

    async def converse(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        async def say(octets: bytes) -> None:
            for start in range(0, len(octets), 1 if bytewise else len(octets)):
                writer.write(octets[start : start + (1 if bytewise else len(octets))])
                await writer.drain()
                if bytewise:
                    await asyncio.sleep(0)

        await say(answers.get("greeting", b"220 stub\r\n"))
        while line := await reader.readline():
            text = line.decode()
            answer = next((answers[key] for key in answers if text.startswith(key)), None)
            if answer is None:
                answer = (
                    HELLO if text.startswith("EHLO") else b"235 in\r\n" if text.startswith("AUTH") else b"250 OK\r\n"
                )
                answer = b"354 go\r\n" if text.startswith("DATA") else answer
            await say(answer)
            if text.startswith("DATA") and answer.startswith(b"354"):
                await reader.readuntil(b"\r\n.\r\n")
                if final is None:
                    await asyncio.sleep(30)
                elif final == b"RST":
                    peer: socket.socket = writer.get_extra_info("socket")
                    peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                    return
                elif final == b"EOF":
                    return
                else:
                    await say(final)

    return converse


async def nothing(upload: str) -> None:
    """The caller's commit, when a test does not look at it."""


async def send(
    conversation: Conversation,
    *,
    envelope: Envelope = ENVELOPE,
    mime: bytes = MAIL,
    before: BeforeNoReturn = nothing,
) -> Receipt:
    async with serving(conversation) as port:
        smtp = {"host": "localhost", "port": port, "security": "none", "username": "ann", "password": "s3cret-word"}
        provider = ImapProvider(loopback_policy(), smtp_timeouts=QUICK)
        sender = await provider.open_sender(Credentials("a@example.test", {"smtp": smtp}))
        try:
            return await sender.send(envelope, mime, before)
        finally:
            await sender.close()


@pytest.mark.parametrize("bytewise", [False, True])
async def test_a_taken_message_has_a_receipt(bytewise: bool) -> None:
    receipt = await send(script({}, bytewise=bytewise))
    assert receipt == Receipt("250 2.0.0 taken", {})


async def test_the_dot_leaves_only_after_the_caller_has_committed() -> None:
    heard = bytearray()
    committed_at: list[int] = []

    async def converse(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"220 stub\r\n")
        in_data = False
        while octets := await reader.read(65536):
            heard.extend(octets)
            if in_data:
                if heard.endswith(b"\r\n.\r\n"):
                    in_data = False
                    writer.write(b"250 taken\r\n")
                continue
            in_data = octets.startswith(b"DATA")
            first = octets[:4]
            writer.write(
                HELLO
                if first == b"EHLO"
                else {b"DATA": b"354 go\r\n", b"AUTH": b"235 in\r\n"}.get(first, b"250 OK\r\n")
            )

    async def commit(upload: str) -> None:
        await asyncio.sleep(0.2)  # the body has arrived by now, if it was sent
        assert heard.endswith(b"Hello\r\n"), "the body goes before, the dot does not"
        committed_at.append(len(heard))

    await send(converse, before=commit)
    assert committed_at and bytes(heard[committed_at[0] :]).startswith(b".\r\n")


@pytest.mark.parametrize("final", [None, b"RST", b"EOF", b"nonsense\r\n"])
async def test_without_an_answer_to_the_dot_the_message_is_in_doubt(final: bytes | None) -> None:
    with pytest.raises(InDoubt):
        await send(script({}, final=final))


@pytest.mark.parametrize(
    ("final", "error"),
    [(b"451 4.3.0 later\r\n", Throttled), (b"554 5.7.1 spam\r\n", Refused), (b"421 closing\r\n", Unreachable)],
)
async def test_a_refusal_after_the_dot_means_certainly_not_sent(final: bytes, error: type[ProviderError]) -> None:
    with pytest.raises(error) as caught:
        await send(script({}, final=final))
    assert not isinstance(caught.value, InDoubt)


@pytest.mark.parametrize(
    ("answers", "error", "code"),
    [
        ({"greeting": b"554 go away\r\n"}, Unreachable, "server_closed"),
        ({"greeting": b"* OK IMAP\r\n"}, ProtocolViolation, "imap_answers"),
        ({"greeting": b"2" * 20_000}, ProtocolViolation, "line_too_long"),
        ({"AUTH": b"535 5.7.8 no s3cret-word\r\n"}, SignInRefused, "sign_in_refused"),
        ({"AUTH": b"454 4.7.0 Too many login attempts\r\n"}, Throttled, "too_many_sign_ins"),
        ({"MAIL": b"553 5.7.1 Sender address rejected: not owned by user\r\n"}, Refused, "sender_not_allowed"),
        ({"MAIL": b"421 4.3.2 closing\r\n"}, Unreachable, "server_unavailable"),
        ({"RCPT": b"550 5.1.1 unknown\r\n"}, Refused, "recipient_unknown"),
        ({"RCPT": b"550 5.1.1 this account is disabled\r\n"}, Refused, "recipient_unknown"),  # theirs, not ours
        ({"RCPT": b"550 not today\r\n"}, Refused, "recipients_refused"),
        ({"RCPT": b"451 4.7.1 greylisted\r\n"}, Throttled, "recipients_greylisted"),
        ({"RCPT": b"454 4.7.1 Relay access denied\r\n"}, Throttled, "recipients_greylisted"),  # 4yz: not for good
        ({"RCPT": b"452 4.2.2 over quota\r\n"}, Throttled, "recipient_full_for_now"),
        ({"DATA": b"554 no\r\n"}, Refused, "refused"),
        ({"EHLO": b"250-stub\r\n250-SIZE 10\r\n250 AUTH PLAIN\r\n"}, Refused, "message_too_large"),
        ({"EHLO": b"250-stub\r\n250 AUTH XOAUTH2\r\n"}, WrongSettings, "auth_not_offered"),
    ],
)
async def test_what_fails_before_the_dot_never_reaches_the_point_of_no_return(
    answers: dict[str, bytes], error: type[ProviderError], code: str
) -> None:
    async def never(upload: str) -> None:
        raise AssertionError("the point of no return was reached")

    with pytest.raises(error) as caught:
        await send(script(answers), before=never)
    assert caught.value.code == code
    assert "s3cret-word" not in caught.value.server_words


@pytest.mark.parametrize(
    "answer", [b"535 5.7.8 no\r\n", b"451 4.7.1 later\r\n", b"421 busy\r\n", b"535 account disabled\r\n"]
)
async def test_a_refused_sign_in_names_the_user_and_the_server(answer: bytes) -> None:
    with pytest.raises(ProviderError) as caught:
        await send(script({"AUTH": answer}))
    assert {"host": "localhost", "username": "ann"}.items() <= caught.value.facts.items() and caught.value.facts["port"]


async def test_a_recipient_that_is_refused_is_on_the_receipt() -> None:
    receipt = await send(script({"RCPT TO:<b@": b"550 5.1.1 unknown\r\n"}))
    assert receipt.refused == {"b@customer.test": "550 5.1.1 unknown"}


async def test_a_commit_that_fails_leaves_the_message_unsent() -> None:
    async def fail(upload: str) -> None:
        raise RuntimeError("the database is gone")

    with pytest.raises(RuntimeError):
        await send(script({}), before=fail)


@pytest.mark.parametrize(
    "address", ["a@b.test>\r\nRSET", "a b@c.test", "<x@y.test>", "a\0@b.test", "a@b.test> NOTIFY=NEVER"]
)
async def test_an_address_that_would_be_a_command_is_refused(address: str) -> None:
    with pytest.raises(Unsupported):
        await send(script({}), envelope=Envelope("a@example.test", (address,)))
    with pytest.raises(Unsupported):
        path(address)


def test_a_command_has_no_controls() -> None:
    with pytest.raises(Unsupported):
        command("EHLO", "x\r\nMAIL")


@pytest.mark.parametrize(
    ("mime", "octets"),
    [
        (b"a\n.\nb", b"a\r\n..\r\nb\r\n"),
        (b"a\r.\r\nb", b"a\r\n..\r\nb\r\n"),
        (b"a\n.\r\nb\r\n", b"a\r\n..\r\nb\r\n"),
        (b"a\r\n.\rb", b"a\r\n..\r\nb\r\n"),
        (b"a\r.\rb\r", b"a\r\n..\r\nb\r\n"),
        (b".a\r\n\r\n..\r\n", b"..a\r\n\r\n...\r\n"),
        (b"a\r\r\n.\r\n", b"a\r\n\r\n..\r\n"),
        (b"", b"\r\n"),
    ],
)
def test_no_line_end_smuggles_a_second_message(mime: bytes, octets: bytes) -> None:
    assert stuffed(mime) == octets
    assert b"\r\n.\r\n" not in b"\r\n" + stuffed(mime)
