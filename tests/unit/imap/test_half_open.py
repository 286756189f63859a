"""A peer that is silently gone, a server that hangs, an address that swallows everything: each is noticed in time."""

from __future__ import annotations

import asyncio
import ctypes
import ipaddress
import socket
import struct
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
import uvloop

from postroom.providers.base import Credentials, ServerSettings
from postroom.providers.errors import Unreachable
from postroom.providers.imap import connect
from postroom.providers.imap.connect import KEEP_ALIVE, KeepAlive, connect_tcp
from postroom.providers.imap.provider import ImapProvider
from postroom.providers.imap.session import ImapSession
from postroom.providers.imap.transport import Timeouts
from postroom.providers.imap.watching import IDLE_SECONDS
from tests.servers.certs import Certificates
from tests.unit.imap.stubs import loopback_policy, serving
from tests.unit.imap.test_bad_servers import EXAMINED, credentials, script

QUICK = KeepAlive(idle_seconds=1, interval_seconds=1, probes=2, unacknowledged_seconds=2)
SO_ATTACH_FILTER = 26  # asm-generic/socket.h


def go_away_silently(endpoint: socket.socket) -> None:
    """From now on the kernel drops every segment that comes for this socket, acknowledgements and probes alike.

    A classic BPF program of one instruction, "return 0 octets" (socket(7)); needs no privilege.
    """
    program = ctypes.create_string_buffer(struct.pack("HBBI", 0x06, 0, 0, 0))
    endpoint.setsockopt(socket.SOL_SOCKET, SO_ATTACH_FILTER, struct.pack("HL", 1, ctypes.addressof(program)))


@asynccontextmanager
async def session_with(
    keep_alive: KeepAlive, timeouts: Timeouts | None = None
) -> AsyncIterator[tuple[ImapSession, Callable[[], None]]]:
    """A signed-in session, and what makes its server vanish."""
    accepted: list[socket.socket] = []

    async def converse(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        accepted.append(writer.get_extra_info("socket"))
        await script({"EXAMINE": EXAMINED, "IDLE": b"+ idling\r\n"})(reader, writer)

    async with serving(converse) as port:
        provider = ImapProvider(loopback_policy(), timeouts=timeouts, keep_alive=keep_alive)
        session = await provider.open(credentials(port))
        yield session, lambda: go_away_silently(accepted[0])
        await session.close()


async def test_a_peer_that_is_gone_during_idle_is_noticed_by_the_kernels_probes() -> None:
    async with session_with(QUICK) as (session, vanish):
        waiting = asyncio.create_task(session.wait("INBOX", 60))
        await asyncio.sleep(0.2)
        vanish()
        started = time.monotonic()
        with pytest.raises(Unreachable):
            async with asyncio.timeout(10):
                await waiting
        assert time.monotonic() - started < 5


async def test_what_a_gone_peer_never_acknowledges_is_noticed() -> None:
    async with session_with(QUICK) as (session, vanish):
        vanish()
        started = time.monotonic()
        with pytest.raises(Unreachable):
            async with asyncio.timeout(10):
                await session.list_folders()
        assert time.monotonic() - started < 6


def test_half_open_connections_are_noticed_within_ninety_seconds() -> None:
    assert KEEP_ALIVE.idle_seconds + KEEP_ALIVE.interval_seconds * KEEP_ALIVE.probes <= 90
    assert KEEP_ALIVE.unacknowledged_seconds <= 90
    assert Timeouts().silence_seconds <= 90, "a server that takes commands and never answers"
    assert IDLE_SECONDS <= 9 * 60


async def test_every_socket_has_the_probes() -> None:
    async with serving(script({})) as port:
        settings = ServerSettings("localhost", port, "none", "", "")
        reached = await connect_tcp(settings, [ipaddress.ip_address("127.0.0.1")])
        endpoint = reached.transport.get_extra_info("socket")
        told = [
            endpoint.getsockopt(socket.IPPROTO_TCP, option)
            for option in (socket.TCP_KEEPIDLE, socket.TCP_KEEPINTVL, socket.TCP_KEEPCNT, socket.TCP_USER_TIMEOUT)
        ]
        reached.close()
    assert told == [45, 15, 3, 75_000]


async def test_a_black_hole_before_the_right_address_costs_a_moment(unused_tcp_port_factory: Callable[[], int]) -> None:
    """An address that answers nothing: its listener's queue is full, so that the kernel drops every SYN."""
    port = unused_tcp_port_factory()
    hole = socket.socket(socket.AF_INET6)
    hole.bind(("::1", port))
    hole.listen(0)
    fillers = [socket.socket(socket.AF_INET6) for _ in range(4)]
    for filler in fillers:
        filler.setblocking(False)
        filler.connect_ex(("::1", port))
    server = await asyncio.start_server(lambda reader, writer: writer.close(), "127.0.0.1", port)
    try:
        started = time.monotonic()
        settings = ServerSettings("localhost", port, "none", "", "")
        reached = await connect_tcp(settings, [ipaddress.ip_address("::1"), ipaddress.ip_address("127.0.0.1")])
        assert time.monotonic() - started < 2
        assert reached.transport.get_extra_info("peername")[0] == "127.0.0.1"
        reached.close()
    finally:
        for endpoint in (hole, *fillers):
            endpoint.close()
        server.close()
        await server.wait_closed()


async def test_an_address_that_refuses_gives_way_at_once(unused_tcp_port_factory: Callable[[], int]) -> None:
    server = await asyncio.start_server(lambda reader, writer: writer.close(), "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    addresses = [ipaddress.ip_address("127.0.0.2"), ipaddress.ip_address("127.0.0.1")]
    started = time.monotonic()
    reached = await connect_tcp(ServerSettings("localhost", port, "none", "", ""), addresses)
    assert time.monotonic() - started < connect.NEXT_ADDRESS_SECONDS
    reached.close()
    server.close()
    await server.wait_closed()


def test_families_take_turns() -> None:
    six, four = [ipaddress.ip_address(f"::{number}") for number in (1, 2)], [ipaddress.ip_address("127.0.0.1")]
    assert connect._interleaved([*six, *four]) == [six[0], four[0], six[1]]
    assert connect._interleaved([]) == []


@pytest.mark.parametrize("security", ["tls", "none"])
def test_a_crowd_on_the_workers_own_event_loop_is_greeted(
    certificates: Certificates, tmp_path: Path, security: str
) -> None:
    """uvloop, as in production; once one in thousands never read its greeting (providers/imap/connect.py)."""

    both = tmp_path / "server.pem"
    both.write_bytes(certificates.server_key.read_bytes() + certificates.server.read_bytes())

    async def sign_in(credentials_: Credentials) -> None:
        provider = ImapProvider(loopback_policy(certificates.ca_file), timeouts=Timeouts(greeting_seconds=5))
        session = await provider.open(credentials_)
        await session.close()

    async def crowd() -> None:
        async with serving(script({}), certificate=both if security == "tls" else None) as port:
            for _ in range(5):
                await asyncio.gather(*(sign_in(credentials(port, security)) for _ in range(40)))

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(crowd())
