"""Servers that want to fill our memory, our time or our rows while a mailbox is connected get a small part of each."""

from __future__ import annotations

import asyncio
import ipaddress
import time
from typing import Any
from uuid import uuid4

import pytest

from postroom.filing.dry_run import Planned, count_all
from postroom.mailboxes.models import as_facts
from postroom.providers import registry
from postroom.providers.base import ServerSettings
from postroom.providers.errors import ProtocolViolation, Unreachable
from postroom.providers.guard import MOST_ADDRESSES, NetworkPolicy, resolve
from postroom.providers.imap import connect, folders
from postroom.providers.imap.folder_names import LONGEST_NAME
from postroom.providers.imap.listing import SEARCH_SPAN, into
from postroom.providers.imap.provider import ImapProvider
from postroom.providers.imap.responses import Found
from tests.unit.imap.stubs import loopback_policy, serving
from tests.unit.imap.test_bad_servers import credentials, open_session, script

LOOPBACK = ipaddress.ip_address("127.0.0.1")


async def flood(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while True:
        writer.write(b"x" * 65_536)
        await writer.drain()


async def drip(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while True:
        writer.write(b"x")
        await asyncio.sleep(0.02)


async def test_an_endless_greeting_that_nobody_reads_yet_is_held_back() -> None:
    async with serving(flood) as port:
        reached = await connect.connect_tcp(ServerSettings("localhost", port, "none", "", ""), [LOOPBACK])
        await asyncio.sleep(0.3)
        assert connect.MOST_HELD <= len(reached.holder.octets) < connect.MOST_HELD + 512 * 1024
        reached.close()


@pytest.mark.parametrize("security", ["none", "starttls", "tls"])
async def test_the_check_of_a_server_that_drips_comes_to_its_end(
    monkeypatch: pytest.MonkeyPatch, security: str
) -> None:
    monkeypatch.setattr("postroom.providers.imap.check.ROW_SECONDS", 0.4)
    started = time.monotonic()
    async with serving(drip) as port:
        steps = [step async for step in ImapProvider(loopback_policy()).check(credentials(port, security))]
    assert time.monotonic() - started < 3
    assert [step.server for step in steps if not step.ok] == ["imap", "smtp"]


async def test_a_list_of_folders_that_never_ends_costs_the_connection(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(folders, "MOST_ANSWERS", 1_000)
    endless = b"".join(b'* LIST () "/" "f%d"\r\n' % number for number in range(1_001))
    async with serving(script({"LIST": endless})) as port:
        session = await open_session(port)
        with pytest.raises(ProtocolViolation) as caught:
            await session.list_folders()
    assert caught.value.code == "flood"


def test_answers_to_a_search_that_never_end_cost_the_connection() -> None:
    found: list[int] = []
    take, answer = into(found), Found(numbers=tuple(range(1, SEARCH_SPAN + 1)))
    assert take(answer) and take(answer)
    with pytest.raises(ProtocolViolation):
        take(answer)
    assert len(found) == 2 * SEARCH_SPAN


@pytest.mark.parametrize(
    "name", [b'"a\0b"', b'"a\x1b[31mred"', b'"\xff\xfe"', b"{3}\r\na\0b", b'"' + (LONGEST_NAME + 1) * b"x" + b'"']
)
async def test_a_folder_whose_name_no_row_can_hold_is_left_out_and_the_others_come(name: bytes) -> None:
    answer = b'* LIST () "/" INBOX\r\n* LIST () "/" ' + name + b'\r\n* LIST () "/" &AAA-\r\nTAG OK done\r\n'
    async with serving(script({"LIST": answer})) as port:
        session = await open_session(port)
        listed = await session.list_folders()
        await session.close()
    assert [(folder.remote_name, folder.name) for folder in listed] == [("INBOX", "INBOX"), ("&AAA-", "\ufffd")]


def test_a_strangers_words_can_be_stored_logged_and_printed() -> None:
    error = ProtocolViolation("unreadable_reply", server_words="a\0b\r\n\x1b[2J \ud800 ü", remote_name="x\0\udcff")
    assert error.server_words == "a b [2J ü"
    assert str(error) == "unreadable_reply: a b [2J ü"
    assert as_facts(error.facts) == {"remote_name": "x"}


async def test_of_a_name_with_thousands_of_addresses_only_a_few_are_connected_to(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def many(*_: Any, **__: Any) -> list[Any]:
        return [(2, 1, 6, "", (f"93.184.{number // 250}.{number % 250 + 1}", 993)) for number in range(4_000)]

    monkeypatch.setattr(asyncio.get_running_loop(), "getaddrinfo", many)
    assert len(await resolve("many.example", 993, NetworkPolicy())) == MOST_ADDRESSES


async def test_the_count_before_an_import_does_not_wait_for_ever_for_a_session() -> None:
    registry.configure(loopback_policy())
    async with serving(drip) as port:
        asked = credentials(port)
        planned = Planned(uuid4(), "imap", asked.address, "shared", "everything", "everything", 30, asked)
        try:
            with pytest.raises(Unreachable) as caught:
                async with asyncio.timeout(5):
                    await count_all(planned, seconds=0.3)
        finally:
            registry.configure(NetworkPolicy.from_environment({}))
    assert caught.value.code == "counting_slow"
