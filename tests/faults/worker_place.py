"""Worker processes on a database of their own, with mailboxes of the memory provider on disk."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psycopg

from postroom.ops.embedded_postgres import EmbeddedPostgres
from postroom.providers.memory.server import MemoryServer

MAILBOXES = [f"m{number}@tidewater.example" for number in range(12)]
_OWNERS = (
    "SELECT worker.name, mailbox.address FROM mailboxes_mailbox mailbox"
    " JOIN mailboxes_worker worker ON worker.id = mailbox.worker_id AND worker.seen_at > now() - interval '7.5 s'"
)


class WorkerPlace:
    """Made by `worker_place()`. Processes are told apart by their pid."""

    def __init__(self, folder: Path, postgres: EmbeddedPostgres) -> None:
        self.postgres = postgres
        self.mail = MemoryServer.on_disk(folder / "mail")
        self.log = folder / "log"  # of workers and importers
        self.web_log = folder / "web.log"
        self.processes: dict[int, subprocess.Popen[bytes]] = {}
        self.environment = {
            **os.environ,
            "DATABASE_URL": postgres.dsn,
            "POSTROOM_DATA": str(folder / "data"),
            "POSTROOM_LOG_LEVEL": "WARNING",
        }
        connect = str(Path(__file__).with_name("memory_mailboxes.py"))
        subprocess.run(
            [sys.executable, connect, str(folder / "mail"), *MAILBOXES], env=self.environment, check=True, timeout=120
        )

    def start(self, kind: str = "worker", **environment: str) -> int:
        """Start a process; its pid."""
        with (self.web_log if kind == "web" else self.log).open("ab") as log:
            process = subprocess.Popen(
                [sys.executable, "-m", "postroom.ops.processes", kind],
                env=self.environment | environment,
                stdout=log,
                stderr=log,
            )
        self.processes[process.pid] = process
        return process.pid

    def end(self) -> None:
        for process in self.processes.values():
            process.kill()
            process.wait()
        self.processes.clear()

    def rows(self, statement: str) -> list[tuple[Any, ...]]:
        with psycopg.connect(self.postgres.dsn, autocommit=True) as connection:
            return connection.execute(statement).fetchall()

    def shares(self) -> dict[int, int]:
        """How many mailboxes each living worker has, by pid."""
        return dict(Counter(int(name.split()[-1]) for name, _ in self.rows(_OWNERS)))

    def deliver_to_all(self, number: int) -> None:
        for address in MAILBOXES:
            text = f"Message-ID: <{number}.{address}>\r\nFrom: c@x.example\r\nSubject: {number}\r\n\r\nHi\r\n"
            self.mail.deliver(address, text.encode())

    def stored(self) -> int:
        [(count,)] = self.rows("SELECT count(*) FROM correspondence_message")
        return int(count)

    def wait_until(self, is_so: Callable[[], bool], seconds: float) -> float:
        """Seconds until it was so; fails with the log when it takes longer."""
        started = time.monotonic()
        while not is_so():
            assert time.monotonic() - started < seconds, f"after {seconds} s:\n{self.said}"
            time.sleep(0.05)
        return time.monotonic() - started

    @property
    def said(self) -> str:
        return self.log.read_text()


@contextmanager
def worker_place() -> Iterator[WorkerPlace]:
    with tempfile.TemporaryDirectory(prefix="prw-") as name:
        folder = Path(name)
        (folder / "data").mkdir(mode=0o700)
        settings = {"fsync": "off", "shared_buffers": "64MB"}
        with EmbeddedPostgres(folder / "postgres", settings=settings) as postgres:
            place = WorkerPlace(folder, postgres)
            try:
                yield place
            finally:
                place.end()
