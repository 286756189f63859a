"""IMAP servers that must not be trusted. They take every command and remember every octet."""

from __future__ import annotations

import base64
import socket
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from tests.servers.certs import Certificates

TRICKS = (
    "expired",
    "foreign",
    "stranger",
    "starttls stripped",
    "starttls expired",
    "starttls smuggled",
    "downgraded",
)
_OFFER = b"* OK [CAPABILITY IMAP4rev1 STARTTLS LOGINDISABLED] ready\r\n"
_STRIPPED = b"* OK [CAPABILITY IMAP4rev1 AUTH=PLAIN] ready\r\n"


class FalseServer:
    """Made by `false_server`. `heard` is what clients said, on whatever layer we could read it."""

    def __init__(self, trick: str, certificates: Certificates) -> None:
        self._trick = trick
        self._certificates = certificates
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self.heard = bytearray()

    def heard_a_secret(self, password: str, user: str) -> bool:
        plain = base64.b64encode(f"\0{user}\0{password}".encode())
        words = (f" {password}\r".encode(), f'"{password}"'.encode(), plain, base64.b64encode(password.encode()))
        return any(word in self.heard for word in words) or b"LOGIN" in self.heard.upper().replace(b"AUTH=LOGIN", b"")

    def run(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            client.settimeout(5)
            with client, suppress(OSError):
                self._serve(client)

    def _serve(self, client: socket.socket) -> None:
        if (
            self._trick == "downgraded" or self._trick == "starttls stripped"
        ):  # a client that wanted TLS is greeted in the clear
            client.sendall(_STRIPPED)
            self._talk(client)
        elif self._trick.startswith("starttls"):
            client.sendall(_OFFER)
            self._talk(client)
        else:
            with self._encrypted(client, self._trick) as encrypted:
                encrypted.sendall(_STRIPPED)
                self._talk(encrypted)

    def _talk(self, client: socket.socket) -> None:
        """Say yes to everything; after STARTTLS begin it, with what the trick puts before it."""
        with client.makefile("rb") as lines:
            while line := lines.readline():
                self.heard += line
                tag, _, command = line.partition(b" ")
                if command.upper().startswith(b"STARTTLS") and self._trick != "starttls stripped":
                    smuggled = b"* PREAUTH [CAPABILITY IMAP4rev1] welcome\r\nx OK done\r\n"
                    client.sendall(tag + b" OK begin\r\n" + (smuggled if "smuggled" in self._trick else b""))
                    kind = "expired" if "expired" in self._trick else "stranger"
                    with self._encrypted(client, kind) as encrypted:
                        self._talk(encrypted)
                    return
                client.sendall(tag + b" OK done\r\n")

    def _encrypted(self, client: socket.socket, kind: str) -> ssl.SSLSocket:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(getattr(self._certificates, kind))
        return context.wrap_socket(client, server_side=True)

    def close(self) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()


@contextmanager
def false_server(trick: str, certificates: Certificates) -> Iterator[FalseServer]:
    server = FalseServer(trick, certificates)
    threading.Thread(target=server.run, daemon=True).start()
    try:
        yield server
    finally:
        server.close()
