"""What an idle connection keeps in memory (bench/idle measures the whole)."""

from __future__ import annotations

from postroom.providers.imap.transport import _capabilities
from postroom.providers.imap.wire import Wire


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
