"""The websites of domains, over https on one port of 127.0.0.1: settings files, redirects and other pages."""

from __future__ import annotations

import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import urlsplit

from tests.servers.certs import Certificates

OWN = "/mail/config-v1.1.xml"
WELL_KNOWN = "/.well-known/autoconfig/mail/config-v1.1.xml"


@dataclass
class Page:
    status: int = 200
    body: bytes = b""
    headers: dict[str, str] = field(default_factory=dict)


@dataclass
class SettingsSite:
    """`pages` by (host, path); `visits` are (host, path with query), in order."""

    port: int
    pages: dict[tuple[str, str], Page] = field(default_factory=dict)
    visits: list[tuple[str, str]] = field(default_factory=list)

    def put(self, host: str, path: str, body: bytes) -> None:
        self.pages[host, path] = Page(body=body)

    def redirect(self, host: str, path: str, target: str) -> None:
        self.pages[host, path] = Page(302, headers={"Location": target})

    def forget(self) -> None:
        self.pages.clear()
        self.visits.clear()


def settings_file(imap: str, smtp: str, title: str = "Shop Mail", user: str = "%EMAILADDRESS%") -> bytes:
    """A document that names two servers, "host:port"."""

    def server(tag: str, kind: str, place: str) -> str:
        host, _, port = place.partition(":")
        socket = "STARTTLS" if port in ("143", "587") else "SSL"
        return (
            f'<{tag} type="{kind}"><hostname>{host}</hostname><port>{port}</port><socketType>{socket}</socketType>'
            f"<authentication>password-cleartext</authentication><username>{user}</username></{tag}>"
        )

    return (
        f'<?xml version="1.0"?><clientConfig version="1.1"><emailProvider id="x"><displayName>{title}</displayName>'
        f"{server('incomingServer', 'imap', imap)}{server('outgoingServer', 'smtp', smtp)}"
        "</emailProvider></clientConfig>"
    ).encode()


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    site: SettingsSite
    tls: ssl.SSLContext

    def finish_request(self, request: Any, client_address: Any) -> None:
        """TLS in the connection's own thread: a client that only looks must not stop the others."""
        try:
            request.settimeout(5)
            request = self.tls.wrap_socket(request, server_side=True)
        except OSError:
            return
        try:
            super().finish_request(request, client_address)
        finally:
            request.close()

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Clients go when they like."""


class _Handler(BaseHTTPRequestHandler):
    server: _Server

    def do_GET(self) -> None:
        host = self.headers["Host"].partition(":")[0]
        self.server.site.visits.append((host, self.path))
        page = self.server.site.pages.get((host, urlsplit(self.path).path), Page(404, b"nothing here"))
        self.send_response(page.status)
        for name, value in page.headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(page.body)))
        self.end_headers()
        self.wfile.write(page.body)

    def log_message(self, *words: Any) -> None:
        """Quiet."""


@contextmanager
def settings_site(certificates: Certificates, address: str = "127.0.0.1", port: int = 0) -> Iterator[SettingsSite]:
    """A running site, with the run's certificate."""
    server = _Server((address, port), _Handler)
    server.tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.tls.load_cert_chain(certificates.server, certificates.server_key)
    server.site = SettingsSite(server.server_address[1])
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    try:
        yield server.site
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
