"""What a connection leaves to the others of its process: memory while it waits (bench/idle), turns while it reads."""

from __future__ import annotations

import asyncio
import socket
import threading

import uvloop

from postroom.providers.base import ServerSettings
from postroom.providers.imap.commands import Verbatim
from postroom.providers.imap.connect import open_connection
from postroom.providers.imap.responses import Event
from postroom.providers.imap.transport import _capabilities, connection_factory
from postroom.providers.imap.wire import LARGE_READ, Wire
from tests.unit.imap.stubs import loopback_policy


def test_a_resting_wire_takes_answers_of_any_length_again() -> None:
    wire = Wire()
    wire.receive_data(b"* OK " + b"x" * 9_000 + b"\r\n")
    assert wire.next_event() is not None
    wire.rest()
    assert len(wire.get_buffer()) <= 512
    wire.receive_data(b"* OK " + b"y" * 20_000 + b"\r\n* 3 EXISTS\r\n")
    assert wire.next_event() is not None
    assert wire.next_event() is not None
    assert wire.next_event() is None


def test_connections_share_what_their_servers_offer() -> None:
    assert _capabilities(b"IMAP4rev1 IDLE") is _capabilities(b"IMAP4rev1 IDLE")


def test_a_long_answer_is_read_in_turns_with_the_others_of_the_loop() -> None:
    line = b"* 1 FETCH (UID 1 FLAGS () RFC822.SIZE 9)\r\n"
    lines = 60_000  # 2.5 MB, most of which the kernel holds before the first of it is read

    def answer(listening: socket.socket) -> None:
        conversation, _ = listening.accept()
        with conversation:
            conversation.sendall(b"* OK ready\r\n")
            conversation.recv(1_000)
            conversation.sendall(lines * line + b"p1 OK done\r\n")
            conversation.recv(1_000)

    async def most_lines_in_a_turn(port: int) -> int:
        counts = [0]

        def take(_: Event) -> bool:
            counts[-1] += 1
            return True

        def turn() -> None:
            counts.append(0)
            loop.call_soon(turn)

        loop = asyncio.get_running_loop()
        settings = ServerSettings(host="127.0.0.1", port=port, security="none", username="", password="")
        connection = await open_connection(settings, loopback_policy(), connection_factory(settings))
        await connection.greet()
        turn()
        assert (await connection.run(Verbatim("FETCH"), answer=take)).condition == "OK"
        assert sum(counts) == lines
        await connection.close()
        return max(counts)

    with socket.create_server(("127.0.0.1", 0)) as listening:
        server = threading.Thread(target=answer, args=(listening,))
        server.start()
        most = uvloop.run(most_lines_in_a_turn(listening.getsockname()[1]))
        server.join()
    assert most * len(line) < 3 * LARGE_READ
