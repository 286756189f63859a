"""A check is no port scanner: what may not be reached answers the same, open or shut, and is never connected."""

from __future__ import annotations

import asyncio
import socket
import time
from pathlib import Path
from typing import Any

import pytest

from postroom.providers import catalogue
from postroom.providers.base import CheckStep, Credentials
from postroom.providers.guard import NetworkPolicy
from postroom.providers.imap.provider import ImapProvider
from tests.unit.imap.stubs import loopback_policy, serving

BANNER = b"* OK [CAPABILITY IMAP4rev1] secret-build-7 at db-internal-3\r\n"
CLOSED = [
    line
    for line in (Path(__file__).parents[2] / "corpus/ssrf/closed_hosts.txt").read_text().splitlines()
    if not line.startswith("#")
]


async def check(host: str, port: int, policy: NetworkPolicy, others: tuple[str, ...] = ()) -> list[CheckStep]:
    server = {"host": host, "port": port, "security": "none", "username": "ann", "password": "s3cret-word"}
    told = Credentials("ann@example.test", {"imap": server, "smtp": server}, other_usernames=others)
    return [step async for step in ImapProvider(policy).check(told)]


def shown(steps: list[CheckStep]) -> list[tuple[object, ...]]:
    """All that a person, a program or a log gets to see of the steps, without the time they took."""
    return [
        (
            step.server,
            step.name,
            step.ok,
            step.note,
            step.server_words,
            catalogue.explain_check(step.code, **step.facts),
        )
        for step in steps
    ]


@pytest.mark.parametrize("host", CLOSED)
async def test_every_spelling_of_a_closed_address_has_the_one_answer(host: str) -> None:
    steps = await check(host, 993, NetworkPolicy())
    assert [(step.server, step.name, step.code, step.note, step.server_words) for step in steps] == [
        ("imap", "name", "host_not_allowed", "", ""),
        ("smtp", "name", "host_not_allowed", "", ""),
    ]


async def test_an_open_port_and_a_shut_one_answer_the_same_and_are_not_connected(unused_tcp_port: int) -> None:
    visits: list[int] = []

    async def greet(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        visits.append(1)
        writer.write(BANNER)

    async with serving(greet) as open_port:
        answers, seconds = [], []
        for port in (open_port, unused_tcp_port):
            started = time.monotonic()
            answers.append(shown(await check("localhost", port, NetworkPolicy())))
            seconds.append(time.monotonic() - started)
    assert answers[0] == answers[1] and len(answers[0]) == 2
    assert visits == [] and abs(seconds[0] - seconds[1]) < 0.5


async def test_a_name_that_points_elsewhere_the_second_time_is_asked_for_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """DNS rebinding: the address that was checked is the one that is connected, for another user name too."""
    asked: list[str] = []
    visits: list[str] = []

    async def rebinding(host: str, port: int, **more: object) -> list[Any]:
        asked.append(host)
        address = "127.0.0.1" if len(asked) == 1 else "127.0.0.2"
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, port))]

    async def refuse(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        visits.append(writer.get_extra_info("sockname")[0])
        writer.write(BANNER)
        while line := (await reader.readline()).decode():
            tag, _, command = line.partition(" ")
            writer.write(f"{tag} {'NO [AUTHENTICATIONFAILED] no' if 'LOGIN' in command else 'OK done'}\r\n".encode())

    monkeypatch.setattr(asyncio.get_running_loop(), "getaddrinfo", rebinding)
    async with serving(refuse) as port:
        server = {"host": "rebind.test", "port": port, "security": "none", "username": "ann", "password": "s3cret"}
        smtp = server | {"host": "10.0.0.1"}
        told = Credentials("ann@example.test", {"imap": server, "smtp": smtp}, other_usernames=("ann@example.test",))
        steps = [step async for step in ImapProvider(loopback_policy()).check(told)]
    assert asked == ["rebind.test"] and visits == ["127.0.0.1"] * 2
    assert [(step.server, step.code) for step in steps if not step.ok] == [
        ("imap", "sign_in_refused"),
        ("smtp", "host_not_allowed"),
    ]


async def test_no_banner_is_told_of_a_mail_server_either() -> None:
    async def greet(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(BANNER)
        while line := (await reader.readline()).decode():
            tag, _, command = line.partition(" ")
            writer.write(f"{tag} {'NO [AUTHENTICATIONFAILED] no' if 'LOGIN' in command else 'OK done'}\r\n".encode())

    async with serving(greet) as port:
        steps = await check("localhost", port, loopback_policy())
    assert [(step.server, step.code) for step in steps if not step.ok] == [
        ("imap", "sign_in_refused"),
        ("smtp", "imap_answers"),
    ]
    assert "secret-build" not in repr(steps) and "db-internal" not in repr(steps)
