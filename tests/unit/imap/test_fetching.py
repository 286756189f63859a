"""Bodies and headers belong to their UIDs, whatever servers leave out, refuse or repeat."""

from __future__ import annotations

import re

import pytest

from postroom.providers.errors import MessageGone, ProtocolViolation, Refused, Unreachable
from tests.unit.imap.scripted import FULL, Script, examined, session_on

PIECE = 1024 * 1024


def body(uid: int, text: str, section: str = "") -> str:
    return f"* {uid} FETCH (UID {uid} FLAGS () BODY[{section}] {{{len(text)}}}\r\n{text})"


async def test_a_body_without_a_uid_is_never_guessed() -> None:
    script = Script().on("EXAMINE", examined(7, 4, 3)).on("UID FETCH", "* 2 FETCH (FLAGS () BODY[] {3}\r\nabc)")
    async with session_on(script) as session:
        with pytest.raises(ProtocolViolation):
            await session.fetch("INBOX", ["7.2"])


async def test_a_body_that_nobody_asked_for_is_left_aside() -> None:
    script = Script().on("EXAMINE", examined(7, 4, 3)).on("UID FETCH", f"{body(3, 'abc')}\n{body(2, 'def')}")
    async with session_on(script) as session:
        fetched = await session.fetch("INBOX", ["7.2"])
    assert [(message.remote_id, message.raw) for message in fetched] == [("7.2", b"def")]


async def test_one_message_that_cannot_be_read_costs_no_other() -> None:
    """NO to the whole set: it is halved until the bad one stands alone (Exchange and its calendar items)."""
    script = Script().on("EXAMINE", examined(7, 9, 8)).on("UID FETCH", "TAG NO The requested item could not be read")
    for uid in (1, 2, 4):
        script.on(f"UID FETCH {uid} ", body(uid, f"m{uid}"))
    script.on("UID FETCH 1:2 ", f"{body(1, 'm1')}\n{body(2, 'm2')}")
    async with session_on(script) as session:
        fetched = await session.fetch("INBOX", [f"7.{uid}" for uid in (1, 2, 3, 4)])
    assert sorted(message.raw for message in fetched) == [b"m1", b"m2", b"m4"]
    assert len(script.asked_for("UID FETCH")) <= 6


async def test_a_server_that_reads_nothing_is_believed_soon_and_no_message_counts_as_gone() -> None:
    script = Script().on("EXAMINE", examined(7, 999, 500)).on("UID FETCH", "TAG NO Internal error occurred")
    async with session_on(script) as session:
        with pytest.raises(Unreachable):
            await session.fetch("INBOX", [f"7.{uid}" for uid in range(1, 500)])
    assert len(script.asked_for("UID FETCH")) == 3


async def test_an_expunge_by_another_client_moves_no_body() -> None:
    """Sequence numbers shift in the middle of the answer; they are never looked at."""
    told = f"* 1 EXPUNGE\n{body(2, 'b')}\n* 1 EXPUNGE\n{body(3, 'c')}".replace("* 2 F", "* 1 F").replace(
        "* 3 F", "* 1 F"
    )
    script = Script().on("EXAMINE", examined(7, 4, 3)).on("UID FETCH", told)
    async with session_on(script) as session:
        fetched = await session.fetch("INBOX", ["7.1", "7.2", "7.3"])
    assert {message.remote_id: message.raw for message in fetched} == {"7.2": b"b", "7.3": b"c"}


async def test_headers_are_asked_for_in_one_command_of_at_most_500() -> None:
    script = Script(FULL).on("EXAMINE", examined(7, 2_000, 1_500, 9))
    async with session_on(script) as session:
        await session.fetch_headers("INBOX", [f"7.{uid}" for uid in range(1, 1_201)])
    asked = script.asked_for("UID FETCH")
    assert [re.findall(r"UID FETCH (\S+)", line)[0] for line in asked] == ["1:500", "501:1000", "1001:1200"]
    assert all("BODY.PEEK[HEADER.FIELDS (FROM SENDER TO CC BCC REPLY-TO MESSAGE-ID" in line for line in asked)
    assert not any("BODY.PEEK[]" in line for line in asked)


async def test_a_header_that_is_left_out_is_asked_for_whole_and_else_empty() -> None:
    script = Script().on("EXAMINE", examined(7, 4, 3))
    script.on("UID FETCH 1:2 ", "* 1 FETCH (UID 1 FLAGS () RFC822.SIZE 9)\n* 2 FETCH (UID 2 FLAGS () RFC822.SIZE 8)")
    script.on("UID FETCH 1 ", body(1, "From: a", "HEADER"))
    async with session_on(script) as session:
        headers = await session.fetch_headers("INBOX", ["7.1", "7.2"])
    assert [(header.remote_id, header.block, header.size) for header in headers] == [
        ("7.1", b"From: a", 9),
        ("7.2", b"", 8),
    ]


async def test_a_large_message_is_asked_for_piece_by_piece() -> None:
    script = Script().on("EXAMINE", examined(7, 4, 3))
    script.on(f"UID FETCH 2 (UID BODY.PEEK[]<0.{PIECE}>)", body(2, "x" * PIECE, "").replace("BODY[]", "BODY[]<0>"))
    script.on(f"UID FETCH 2 (UID BODY.PEEK[]<{PIECE}.{PIECE}>)", body(2, "end").replace("BODY[]", f"BODY[]<{PIECE}>"))
    pieces: list[bytes] = []
    async with session_on(script) as session:
        await session.fetch_large("INBOX", "7.2", PIECE + 3, pieces.append)
    assert [len(piece) for piece in pieces] == [PIECE, 3]


@pytest.mark.parametrize("last", [f"* 2 FETCH (UID 2 BODY[]<{PIECE}> NIL)", f'* 2 FETCH (UID 2 BODY[]<{PIECE}> "")'])
async def test_a_large_message_may_end_with_a_piece(last: str) -> None:
    script = Script().on("EXAMINE", examined(7, 4, 3)).on("UID FETCH", body(2, "x" * PIECE), last)
    pieces: list[bytes] = []
    async with session_on(script) as session:
        await session.fetch_large("INBOX", "7.2", PIECE, pieces.append)
    assert [len(piece) for piece in pieces] == [PIECE]


async def test_a_server_that_ignores_pieces_is_not_asked_again() -> None:
    script = Script().on("EXAMINE", examined(7, 4, 3)).on("UID FETCH", body(2, "x" * (PIECE + 1)))
    pieces: list[bytes] = []
    async with session_on(script) as session:
        with pytest.raises(Refused) as caught:
            await session.fetch_large("INBOX", "7.2", 3 * PIECE, pieces.append)
    assert caught.value.code == "message_too_large" and pieces == [] and len(script.asked_for("UID FETCH")) == 1


async def test_a_server_that_never_ends_a_large_message_is_left() -> None:
    script = Script().on("EXAMINE", examined(7, 4, 3)).on("UID FETCH", body(2, "x" * PIECE))
    async with session_on(script) as session:
        with pytest.raises(ProtocolViolation):
            await session.fetch_large("INBOX", "7.2", PIECE, lambda _: None)
    assert len(script.asked_for("UID FETCH")) < 6


async def test_a_large_message_that_is_gone_says_so() -> None:
    script = Script().on("EXAMINE", examined(7, 4, 3))
    async with session_on(script) as session:
        with pytest.raises(MessageGone):
            await session.fetch_large("INBOX", "7.2", 9, lambda _: None)


async def test_coremail_is_told_who_we_are_before_a_folder_is_opened() -> None:
    """163.com and 126.com: "Unsafe Login" until an ID without a blank after the parenthesis (providers.md 2.6)."""
    script = Script("IDLE ID").on("EXAMINE", "TAG NO EXAMINE Unsafe Login. Please contact kefu@188.com for help")
    async with session_on(script) as session:
        assert script.asked[-1].startswith('ID ("name" "Postroom"')
        script.on("EXAMINE", examined(7, 4, 0))
        assert (await session.list_all("INBOX")).added == ()
