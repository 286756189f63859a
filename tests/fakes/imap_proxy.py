"""A loopback proxy in front of an IMAP server that cuts, delays, falls silent, and changes what the server says.

Lines of the server are told from literals, so that a rewrite touches what the server says and never a message.
A change of `weather` counts for connections that begin after it, except `cut()` and `silence()`.
"""

from __future__ import annotations

import re
import socket
import struct
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass

CHUNK = 16_384
_LITERAL = re.compile(rb"\{(\d+)\}\r\n$")
_WHOLE_BODY = re.compile(rb"BODY(?:\.PEEK)?\[\]")
_RESET = struct.pack("ii", 1, 0)  # SO_LINGER: on, 0 seconds, so that close() sends RST

Rewrite = Callable[[bytes], bytes]


@dataclass(frozen=True, slots=True)
class Weather:
    """What happens to a connection. Octets are counted from the server to the client.

    `before` gives what is said before a line of the server, told its number on this connection from 0.
    """

    cut_after: int | None = None
    silent_after: int | None = None
    is_reset: bool = False
    delay_seconds: float = 0.0  # of every chunk
    octets_per_second: int | None = None
    from_server: Rewrite | None = None
    from_client: Rewrite | None = None
    before: Callable[[int], bytes] | None = None


FAIR = Weather()


@dataclass(slots=True)
class Traffic:
    """What passed so far, over all connections."""

    connections: int = 0
    from_server: int = 0
    from_client: int = 0
    whole_bodies: int = 0  # commands that asked for them


class _Cut(Exception):
    """This connection is over."""


class ImapProxy:
    """Made by `running_proxy`. Thread-safe enough for tests: a thread for each direction of a connection."""

    def __init__(self, server_port: int) -> None:
        self._server_port = server_port
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._open: set[socket.socket] = set()
        self._is_silent = threading.Event()
        self.port: int = self._listener.getsockname()[1]
        self.weather = FAIR
        self.traffic = Traffic()

    def run(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            with suppress(OSError):
                self._serve(client)

    def _serve(self, client: socket.socket) -> None:
        self.traffic.connections += 1
        try:
            server = socket.create_connection(("127.0.0.1", self._server_port))
        except OSError:
            client.close()
            return
        for end in (client, server):
            end.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._open |= {client, server}
        connection = _Connection(self, client, server, self.weather)
        for pump in (connection.pump_down, connection.pump_up):
            threading.Thread(target=pump, daemon=True).start()

    def is_silent(self) -> bool:
        return self._is_silent.is_set()

    def silence(self) -> None:
        """From now on nothing passes, and nobody is told: the peer is gone (half-open TCP)."""
        self._is_silent.set()

    def speak(self) -> None:
        """End `silence()`, for new connections; those that were silenced stay dead."""
        for end in list(self._open):
            self.close_end(end)
        self._is_silent.clear()

    def cut(self, *, is_reset: bool = False) -> None:
        """End every open connection now."""
        for end in list(self._open):
            self.close_end(end, is_reset=is_reset)

    def close_end(self, end: socket.socket, *, is_reset: bool = False) -> None:
        self._open.discard(end)
        with suppress(OSError):
            if is_reset:
                end.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
            # Wakes the thread that reads here, which else would keep the connection open after close().
            end.shutdown(socket.SHUT_RD if is_reset else socket.SHUT_RDWR)
        end.close()

    def close(self) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self.cut()


class _Connection:
    def __init__(self, proxy: ImapProxy, client: socket.socket, server: socket.socket, weather: Weather) -> None:
        self._proxy, self._client, self._server, self._weather = proxy, client, server, weather
        self._passed = 0
        self._lines = 0

    def pump_down(self) -> None:
        """Server to client."""
        with suppress(OSError, _Cut):
            for piece in self._down():
                self._pass(piece)
        self._end()

    def pump_up(self) -> None:
        """Client to server. Commands are rewritten as they come: clients send a command at once, or its literals."""
        with suppress(OSError):
            while octets := self._client.recv(CHUNK):
                if self._proxy.is_silent():
                    continue
                self._proxy.traffic.from_client += len(octets)
                self._proxy.traffic.whole_bodies += len(_WHOLE_BODY.findall(octets))
                self._server.sendall(self._weather.from_client(octets) if self._weather.from_client else octets)
        self._end()

    def _down(self) -> Iterator[bytes]:
        """Pieces to pass on. Whole lines only when somebody wants to see lines."""
        if self._weather.from_server is None and self._weather.before is None:
            while octets := self._server.recv(CHUNK):
                yield octets
            return
        with self._server.makefile("rb") as reader:
            while line := reader.readline():
                literal = _LITERAL.search(line)
                if self._weather.before is not None and (said := self._weather.before(self._lines)):
                    yield said
                self._lines += 1
                yield self._weather.from_server(line) if self._weather.from_server else line
                left = int(literal[1]) if literal else 0
                while left and (octets := reader.read(min(left, CHUNK))):
                    left -= len(octets)
                    yield octets

    def _pass(self, piece: bytes) -> None:
        weather = self._weather
        if weather.delay_seconds:
            time.sleep(weather.delay_seconds)
        if weather.octets_per_second:
            for start in range(0, len(piece), 512):
                self._send(piece[start : start + 512])
                time.sleep(len(piece[start : start + 512]) / weather.octets_per_second)
            return
        self._send(piece)

    def _send(self, piece: bytes) -> None:
        weather = self._weather
        if weather.silent_after is not None and self._passed + len(piece) > weather.silent_after:
            self._proxy.silence()
        if self._proxy.is_silent():
            return
        if weather.cut_after is not None and self._passed + len(piece) >= weather.cut_after:
            self._client.sendall(piece[: weather.cut_after - self._passed])
            raise _Cut
        self._client.sendall(piece)
        self._passed += len(piece)
        self._proxy.traffic.from_server += len(piece)

    def _end(self) -> None:
        if self._proxy.is_silent():
            return  # whoever is silent says no goodbye
        self._proxy.close_end(self._client, is_reset=self._weather.is_reset)
        self._proxy.close_end(self._server)


@contextmanager
def running_proxy(server_port: int) -> Iterator[ImapProxy]:
    proxy = ImapProxy(server_port)
    threading.Thread(target=proxy.run, daemon=True).start()
    try:
        yield proxy
    finally:
        proxy.close()
