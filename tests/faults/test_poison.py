"""Mail and servers made to break a reader: the next mail is there within 10 s, memory stays bounded, and the worker
does not restart (fault 28)."""

from __future__ import annotations

import base64
import io
import json
import os
import socket
import subprocess
import sys
import threading
import time
import zipfile
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import psutil
import pytest
from django.db import connection

from postroom.correspondence.models import Message
from postroom.mailboxes.connect import ConnectRequest, store_mailbox
from postroom.mailboxes.models import Folder, Mailbox
from tests.cast import Cast, make_cast
from tests.contract.imap_place import settings as server
from tests.servers.dovecot import Dovecot

OWN = "poison@tidewater.example"
LAG_SECONDS, MOST_MEGABYTES, START_SECONDS = 10.0, 512, 60.0
FLOODED_OCTETS = 1_000_000_000  # what a server would go on to say; nobody reads so far


def letter(name: str, *, header: str = "", body: str = "Hello") -> bytes:
    return (
        f"From: c@customer.example\r\nTo: {OWN}\r\nMessage-ID: <{name.replace(' ', '.')}@x>\r\nSubject: {name}\r\n"
        f"Date: Mon, 23 Nov 2026 10:00:00 +0000\r\n{header}\r\n{body}\r\n"
    ).encode("utf-8", "surrogateescape")


def nested(levels: int) -> tuple[str, str]:
    body = "".join(f"--b{n}\r\nContent-Type: multipart/mixed; boundary=b{n + 1}\r\n\r\n" for n in range(levels))
    return "MIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=b0\r\n", body


def bomb() -> str:
    """A zip of 300 MB of nothing in 300 kB."""
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive, archive.open("zeros", "w") as zeros:
        for _ in range(300):
            zeros.write(bytes(1_000_000))
    return base64.encodebytes(packed.getvalue()).decode()


def poisons() -> Iterator[tuple[str, bytes]]:
    received = "".join(f"Received: from h{n}.example by h{n + 1}.example; Mon, 23 Nov 2026\r\n" for n in range(100_000))
    yield "100k Received", letter("100k Received", header=received)
    mixed = "MIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=cut\r\n"
    parts = "".join(f"--cut\r\nContent-Type: text/plain; name=p{n}.txt\r\n\r\nPart {n}\r\n" for n in range(10_000))
    yield "10k parts", letter("10k parts", header=mixed, body=f"{parts}--cut--")
    header, body = nested(5_000)
    yield "deep", letter("deep", header=header, body=body)
    within = "Content-Type: message/rfc822\r\n\r\n" * 5_000
    yield (
        "messages in messages",
        letter("messages in messages", header=within.partition("\r\n")[0] + "\r\n", body=within),
    )
    attached = "--cut\r\nContent-Type: application/zip; name=b.zip\r\nContent-Transfer-Encoding: base64\r\n\r\n"
    yield "zip bomb", letter("zip bomb", header=mixed, body=f"{attached}{bomb()}\r\n--cut--")
    broken = (
        'Date: Thu, 99 Foo 999999999 99:99:99 +99999\r\nFrom: =?utf-8?B?/////w==?= <\udcff\udcfe@[[[>, "\r\n'
        "To: " + "(" * 20_000 + "\r\nReferences: " + "<" * 20_000 + "\r\nX: \udc80\udc81\r\n"
        "Content-Type: text/html; charset=unicode-1-1-utf-7-xyzzy; boundary*9999999999999999=x\r\n"
        "Content-Disposition: attachment; filename*0*=utf-8''%ff%fe; filename*1*=%\r\n"
        "Content-Transfer-Encoding: x-uuencode-gzip\r\n"
    )
    yield "broken headers", letter("broken headers", header=broken)
    yield "one line", letter("one line", body="<b>" * 3_000_000)
    yield "words to decode", letter("words to decode", header="X-A: y\r\nTo: " + "=?utf-8?Q?=41?= " * 60_000 + "\r\n")
    yield "addresses", letter("addresses", header="Cc: " + ", ".join(f"n{n}@x.example" for n in range(50_000)) + "\r\n")


class Flood:
    """An IMAP server that answers LIST with `beginning` and then never stops talking."""

    def __init__(self, beginning: bytes) -> None:
        self.beginning, self.said, self.connections = beginning, 0, 0
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.port = self._listening.getsockname()[1]
        threading.Thread(target=self._serve, daemon=True).start()

    def close(self) -> None:
        self._listening.close()

    def _serve(self) -> None:
        while True:
            try:
                client, _ = self._listening.accept()
            except OSError:
                return
            self.connections += 1
            threading.Thread(target=self._talk, args=[client], daemon=True).start()

    def _talk(self, client: socket.socket) -> None:
        with closing(client), client.makefile("rb") as lines:
            try:
                client.sendall(b"* OK [CAPABILITY IMAP4rev1 IDLE] hello\r\n")
                for line in lines:
                    tag, _, command = line.partition(b" ")
                    if command.startswith((b"LIST", b"LSUB")):
                        self._pour(client)
                        return
                    client.sendall(tag + b" OK done\r\n")
            except OSError:  # the client has had enough
                return

    def _pour(self, client: socket.socket) -> None:
        client.sendall(self.beginning)
        block = b"A" * 65_536
        while self.said < FLOODED_OCTETS:
            self.said += client.send(block)


FLOODS = {
    "literal": b'* LIST () "/" {2147483648}\r\n',
    "line": b'* LIST () "/" "',
    "lines": b"* LIST\r\n" * 2_000_000,
}


class Worker:
    """One worker process on the test's database."""

    def __init__(self, database_url: str, log: Path) -> None:
        self.log = log
        environment = {
            **os.environ,
            "DATABASE_URL": database_url,
            "POSTROOM_ALLOWED_NETWORKS": "127.0.0.0/8",
            "POSTROOM_LOG_FORMAT": "json",
            "POSTROOM_LOG_LEVEL": "DEBUG",
        }
        with log.open("wb") as opened:
            command = [sys.executable, "-m", "postroom.ops.processes", "worker"]
            self._process = subprocess.Popen(command, env=environment, stdout=opened, stderr=opened)
        self._memory = psutil.Process(self._process.pid)
        self.megabytes = 0.0

    def wait_until(self, is_so: Callable[[], bool], seconds: float) -> float:
        started = time.monotonic()
        while not is_so():
            assert self._process.poll() is None, self.log.read_text()
            self.megabytes = max(self.megabytes, self._memory.memory_info().rss / 1e6)
            assert time.monotonic() - started < seconds, f"after {seconds} s:\n{self.log.read_text()[-5_000:]}"
            time.sleep(0.05)
        return time.monotonic() - started

    def end(self) -> None:
        self._process.terminate()
        self._process.wait(20)


@pytest.fixture
def cast(transactional_db: None) -> Iterator[Cast]:
    yield make_cast()
    with connection.cursor() as cursor:
        cursor.execute("DELETE FROM procrastinate_jobs")  # a table Django does not flush


@pytest.fixture
def worker(database_url: str, cast: Cast, dovecot: Dovecot, tmp_path: Path) -> Iterator[Worker]:
    """A worker that has read the first letter of OWN."""
    connect(cast, OWN, dovecot.imap)
    dovecot.deliver(OWN, letter("first"))
    worker = Worker(database_url, tmp_path / "log")
    try:
        worker.wait_until(lambda: Mailbox.objects.get(address=OWN).last_synced_at is not None, START_SECONDS)
        yield worker
    finally:
        worker.end()


def connect(cast: Cast, address: str, port: int) -> Mailbox:
    own: dict[str, Any] = server(port, address)
    return store_mailbox(cast.alice, ConnectRequest("imap", address, "shared", secrets={"imap": own, "smtp": own}))


def is_there(subject: str) -> bool:
    return Message.objects.filter(subject=subject).exists()


def check_log(log: Path) -> None:
    """All is JSON, and nothing of what a server or a sender said is in it."""
    text = log.read_text()
    entries = [json.loads(line) for line in text.splitlines()]
    assert {entry["process"] for entry in entries} <= {"worker"}
    words = ("customer.example", "tidewater.example", "flood.example", "zip bomb", "Hello", "AAAAAAAA")
    assert [word for word in words if word in text] == []


def test_poisonous_mail_delays_no_other(worker: Worker, dovecot: Dovecot) -> None:
    for name, raw in poisons():
        version = Folder.objects.get(mailbox__address=OWN, role="inbox").version
        dovecot.deliver(OWN, raw)
        dovecot.deliver(OWN, letter(f"after {name}"))
        after = f"after {name}"
        worker.wait_until(lambda subject=after: is_there(subject), LAG_SECONDS)  # type: ignore[misc]
        assert is_there(name), "the message itself is kept"
        assert Folder.objects.get(mailbox__address=OWN, role="inbox").version > version
    mailbox = Mailbox.objects.get(address=OWN)
    assert (mailbox.error_code, mailbox.failures, mailbox.epoch) == ("", 0, 1)
    assert worker.megabytes < MOST_MEGABYTES
    assert "broke" not in worker.log.read_text()
    check_log(worker.log)


def test_a_server_that_floods_delays_no_other_mailbox(worker: Worker, cast: Cast, dovecot: Dovecot) -> None:
    floods = {name: Flood(beginning) for name, beginning in FLOODS.items()}
    try:
        for name, flood in floods.items():
            connect(cast, f"{name}@flood.example", flood.port)
        failed = Mailbox.objects.filter(address__endswith="@flood.example").exclude(error_code="")
        worker.wait_until(lambda: failed.count() == len(floods), 30)
        dovecot.deliver(OWN, letter("meanwhile"))
        worker.wait_until(lambda: is_there("meanwhile"), LAG_SECONDS)
        assert {name: flood.said for name, flood in floods.items() if flood.said > 100_000_000} == {}
        assert {name: flood.connections for name, flood in floods.items() if flood.connections > 5} == {}
        assert worker.megabytes < MOST_MEGABYTES
        check_log(worker.log)
        assert '"code": "' in worker.log.read_text(), "which mailbox failed, and why, is logged"
    finally:
        for flood in floods.values():
            flood.close()
