"""How soon mail that arrives is on the open page: from the server's 250 to the event, and to the page that shows it.

All of Postroom runs. A browser's part is played here: a contact's timeline is open with its event stream; a mail of
that contact is delivered by LMTP; at the event the page is fetched again, until it shows the mail.

Dovecot 2.3 waits half a second before it tells an idle client of new mail (NOTIFY_DELAY_MSECS in its
lib-storage/index/index-mailbox-check.c), whoever the client is. So a second, bare IDLE connection notes when the server
speaks: `push_*` is the server's own part of the time, `after_push_*` ours.
"""

from __future__ import annotations

import argparse
import http.client
import json
import queue
import re
import shutil
import smtplib
import socket
import sys
import tempfile
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from email.message import EmailMessage
from email.utils import format_datetime, localtime, make_msgid
from html import unescape
from pathlib import Path
from statistics import quantiles

from bench.corpus import CACHE, OWNER_ADDRESS, PEOPLE, Person
from bench.dovecot import PASSWORD, USER, dovecot
from bench.rig import DATABASES, READY_SECONDS, Seeded, postroom
from tests.servers import free_ports

PAUSE_SECONDS = 0.1  # between one mail on the page and the next delivery
WARM_UPS = 5
SHORT_MESSAGES = 30
LOST_AFTER_SECONDS = 20.0
_EVENTS = re.compile(r"/events\?token=[^\"'\s]+")


@dataclass(frozen=True, slots=True)
class Arrival:
    """Seconds from the server's acceptance of a mail: to its push, to the event, to the page with the mail."""

    push: float
    event: float
    page: float


class IdleWatch:
    """A bare IMAP connection in IDLE, which notes when the server tells of new mail."""

    def __init__(self, port: int) -> None:
        self._socket = socket.create_connection(("127.0.0.1", port))
        self._lines = self._socket.makefile("rb")
        self._socket.sendall(f"a LOGIN {USER} {PASSWORD}\r\nb EXAMINE INBOX\r\nc IDLE\r\n".encode())
        while not self._lines.readline().startswith(b"+"):
            pass
        self._told: queue.Queue[float] = queue.Queue()
        threading.Thread(target=self._listen, daemon=True).start()

    def _listen(self) -> None:
        while line := self._lines.readline():
            if line.rstrip().endswith(b"EXISTS"):
                self._told.put(time.perf_counter())

    def wait(self) -> float:
        """When the server told of one more message."""
        return self._told.get(timeout=LOST_AFTER_SECONDS)

    def close(self) -> None:
        self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()


class OpenPage:
    """A contact's timeline in a browser: the page, and the stream whose address the page holds."""

    def __init__(self, port: int, path: str, cookie: str) -> None:
        self._path = path
        self._headers = {"Cookie": cookie}
        self._pages = http.client.HTTPConnection("127.0.0.1", port, timeout=LOST_AFTER_SECONDS)
        found = _EVENTS.search(self.load())
        if found is None:
            raise RuntimeError(f"{path} has no event stream")
        self._events = http.client.HTTPConnection("127.0.0.1", port, timeout=LOST_AFTER_SECONDS)
        self._events.request("GET", unescape(found[0]))
        self._stream = self._events.getresponse()

    def load(self) -> str:
        self._pages.request("GET", self._path, headers=self._headers)
        response = self._pages.getresponse()
        body = response.read().decode()
        if response.status != http.client.OK:
            raise RuntimeError(f"{self._path}: {response.status} {body[:300]}")
        return body

    def wait_for_event(self) -> None:
        """Until the next event; pings are none. Raises TimeoutError."""
        while line := self._stream.readline():
            if line.startswith(b"event:"):
                return
        raise RuntimeError("the event stream ended")

    def close(self) -> None:
        self._events.close()
        self._pages.close()


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="bench/arrival", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--messages", type=int, default=200)
    parser.add_argument("--database", choices=DATABASES, default="embedded")
    parser.add_argument("--short", action="store_true", help=f"{SHORT_MESSAGES} messages")
    parser.add_argument("--json", action="store_true", help="end with one JSON object on the last line")
    options = parser.parse_args(arguments)
    count = SHORT_MESSAGES if options.short else options.messages
    arrivals = _arrivals(count, options.database)
    result: dict[str, float] = {"messages": count}
    for name, title, seconds in (
        ("", "on the page", [arrival.page for arrival in arrivals]),
        ("event_", "event", [arrival.event for arrival in arrivals]),
        ("push_", "the server's push", [arrival.push for arrival in arrivals]),
        ("after_push_", "push to page", [arrival.page - arrival.push for arrival in arrivals]),
    ):
        p50, p99 = _percentile(seconds, 50), _percentile(seconds, 99)
        result |= {f"{name}p50_ms": p50, f"{name}p99_ms": p99}
        print(f"{title:<18} p50 {p50:7.1f} ms   p99 {p99:7.1f} ms")
    if options.json:
        print(json.dumps(result))
    return 0


def _percentile(seconds: Sequence[float], percent: int) -> float:
    return round(quantiles(seconds, n=100, method="inclusive")[percent - 1] * 1000, 1)


def _arrivals(count: int, database: str) -> list[Arrival]:
    CACHE.mkdir(parents=True, exist_ok=True)
    folder = Path(tempfile.mkdtemp(prefix="arrival-", dir=CACHE))
    folder.chmod(0o755)
    [web_port] = free_ports(1)
    person = PEOPLE[0]
    try:
        with dovecot(folder / "Maildir") as server, postroom(database) as installation:
            with installation.seeding(PEOPLE, imap_port=server.imap, keep="everything") as seeding:
                installation.start("worker", "importer", "importer", "web", web_port=web_port)
                seeded: Seeded = seeding.connect_mailbox()
            installation.wait_until("SELECT last_synced_at IS NOT NULL FROM mailboxes_mailbox", [], READY_SECONDS)
            page = OpenPage(web_port, f"/contacts/{seeded.contacts[person.address]}/emails/", seeded.cookie)
            watch = IdleWatch(server.imap)
            try:
                with smtplib.LMTP("127.0.0.1", server.lmtp, timeout=10) as lmtp:
                    arrivals = [_arrive(lmtp, watch, page, person, number) for number in range(count + WARM_UPS)]
                return arrivals[WARM_UPS:]
            finally:
                watch.close()
                page.close()
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _arrive(lmtp: smtplib.LMTP, watch: IdleWatch, page: OpenPage, person: Person, number: int) -> Arrival:
    """Deliver one mail and wait for it."""
    time.sleep(PAUSE_SECONDS)
    subject = f"Arrival number {number:05} of the benchmark"
    mail = EmailMessage()
    mail["From"] = person.address
    mail["To"] = OWNER_ADDRESS
    mail["Subject"] = subject
    mail["Date"] = format_datetime(localtime())
    mail["Message-ID"] = make_msgid(domain="bench.example.com")
    mail.set_content("Could you send me the offer again?\n" * 40)
    lmtp.sendmail(person.address, [OWNER_ADDRESS], mail.as_bytes())
    accepted = time.perf_counter()
    event: float | None = None
    while True:
        page.wait_for_event()
        event = event or time.perf_counter()
        if subject in page.load():
            shown = time.perf_counter()
            return Arrival(watch.wait() - accepted, event - accepted, shown - accepted)
        if time.perf_counter() - accepted > LOST_AFTER_SECONDS:
            raise RuntimeError(f"{subject} never came")


if __name__ == "__main__":
    sys.exit(main())
