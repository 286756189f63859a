"""Postroom as it runs in earnest, in a data folder of its own: database, worker, importers, and web on demand."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psycopg

from bench.corpus import CACHE, OWNER_ADDRESS, Person
from bench.dovecot import PASSWORD, USER
from bench.process_costs import cpu_seconds, peak_rss_mb
from postroom.ops.embedded_postgres import EmbeddedPostgres
from postroom.ops.parent_death import end_with_parent
from tests.debian_postgres import running_server
from tests.servers import wait_for_port

CHECKOUT = Path(__file__).resolve().parents[1]
DATABASES = ("embedded", "debian")
BACKFILL_DAYS = 365
POLL_SECONDS = 0.02
READY_SECONDS = 60.0


@dataclass(frozen=True, slots=True)
class Seeded:
    """What was stored: ids, the contacts' ids by address, the cookie of a browser that is signed in, an API token."""

    mailbox: str
    cookie: str = field(repr=False)
    token: str = field(repr=False)
    contacts: dict[str, str] = field(repr=False)


@dataclass(frozen=True, slots=True)
class ImportRun:
    """One first import. `cpu` has the CPU seconds of worker, importers and PostgreSQL, from the connect to the end."""

    seconds: float
    cpu: dict[str, float]
    importer_rss_mb: float
    worker_rss_mb: float
    listed: int
    kept: int
    filed: int
    threads: int

    @property
    def cpu_seconds(self) -> float:
        return sum(self.cpu.values())


class Postroom:
    """Processes of ours on one database. Made by `postroom()`."""

    def __init__(self, data: Path, database_url: str) -> None:
        self.data = data
        self.database_url = database_url
        self.processes: dict[str, subprocess.Popen[bytes]] = {}
        self.environment = {
            **{name: value for name, value in os.environ.items() if not name.startswith("POSTROOM_")},
            "PYTHONPATH": f"{CHECKOUT / 'src'}:{CHECKOUT}",
            "DJANGO_SETTINGS_MODULE": "postroom.config.settings",
            "POSTROOM_DATA": os.fspath(data),
            "POSTROOM_ALLOWED_NETWORKS": "127.0.0.0/8",
            "POSTROOM_LOG_LEVEL": "WARNING",
            "DATABASE_URL": database_url,
        }
        self.connection = psycopg.connect(database_url, autocommit=True)

    @contextmanager
    def seeding(self, people: Sequence[Person], *, imap_port: int, keep: str) -> Iterator[Seeding]:
        """The database is filled on entering; `connect_mailbox()` of what is given starts the import."""
        server = {"host": "127.0.0.1", "port": imap_port, "security": "none", "username": USER, "password": PASSWORD}
        mailbox = {
            "provider": "imap",
            "address": OWNER_ADDRESS,
            "kind": "shared",
            "keep": keep,
            "backfill_days": BACKFILL_DAYS,
            "secrets": {"imap": server, "smtp": server},
        }
        command = [sys.executable, "-m", "bench.seed"]
        child = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=self.environment, cwd=CHECKOUT, text=True
        )
        try:
            seeding = Seeding(child)
            seeding.ask({"people": [[person.name, person.address] for person in people], "mailbox": mailbox})
            yield seeding
        finally:
            child.stdin.close()  # type: ignore[union-attr]
            child.wait(10)

    def start(self, *kinds: str, web_port: int = 0) -> None:
        """Start processes ("worker", "importer", "web") and wait until those that take work are there."""
        parent = os.getpid()
        with open(self.data / "log", "ab") as log:
            for number, kind in enumerate(kinds, start=len(self.processes)):
                self.processes[f"{kind} {number}"] = subprocess.Popen(
                    [sys.executable, "-m", "postroom.ops.processes", kind],
                    stdout=log,
                    stderr=log,
                    env={**self.environment, "POSTROOM_PORT": str(web_port)},
                    cwd=CHECKOUT,
                    preexec_fn=lambda: end_with_parent(parent, signal.SIGTERM),
                )
        workers = sum(not name.startswith("web") for name in self.processes)
        sessions = sum(name.startswith("worker") for name in self.processes)
        self.wait_until(
            "SELECT (SELECT count(*) FROM procrastinate_workers) >= %s"
            " AND (SELECT count(*) FROM mailboxes_worker) >= %s",
            [workers, sessions],
            READY_SECONDS,
        )
        if "web" in kinds:
            wait_for_port(web_port, self.data / "log")

    def stop(self) -> None:
        for process in self.processes.values():
            process.send_signal(signal.SIGTERM)
        for process in self.processes.values():
            with suppress(subprocess.TimeoutExpired):
                process.wait(10)
            process.kill()
        self.processes.clear()

    def import_mailbox(self, seeding: Seeding, *, kept: int, timeout_seconds: float) -> ImportRun:
        """Connect the mailbox and wait until its import is finished and `kept` messages are there."""
        before, started = self.cpu(), time.perf_counter()
        seeding.connect_mailbox()
        self.wait_until(
            "SELECT import_finished_at IS NOT NULL AND (SELECT count(*) FROM correspondence_message) >= %s"
            " FROM mailboxes_mailbox",
            [kept],
            timeout_seconds,
        )
        seconds, after = time.perf_counter() - started, self.cpu()
        rss = {name: peak_rss_mb(process.pid) for name, process in self.processes.items()}
        listed, kept_count, filed, threads = self.row(
            "SELECT listed_count, (SELECT count(*) FROM correspondence_message),"
            " (SELECT count(DISTINCT message_id) FROM filing_filing WHERE removed_by_id IS NULL),"
            " (SELECT count(*) FROM correspondence_thread) FROM mailboxes_mailbox"
        )
        return ImportRun(
            seconds=seconds,
            cpu={part: after[part] - before[part] for part in after},
            importer_rss_mb=max(mb for name, mb in rss.items() if name.startswith("importer")),
            worker_rss_mb=max(mb for name, mb in rss.items() if name.startswith("worker")),
            listed=listed,
            kept=kept_count,
            filed=filed,
            threads=threads,
        )

    def cpu(self) -> dict[str, float]:
        """CPU seconds so far: of our processes by kind, and of the database server."""
        spent = {"postgres": cpu_seconds([self._postmaster()])}
        for name, process in self.processes.items():
            kind = name.split()[0]
            spent[kind] = spent.get(kind, 0.0) + cpu_seconds([process.pid])
        return spent

    def row(self, statement: str, parameters: Sequence[object] = ()) -> tuple[Any, ...]:
        found: tuple[Any, ...] | None = self.connection.execute(statement, parameters).fetchone()
        if found is None:
            raise LookupError(statement)
        return found

    def _postmaster(self) -> int:
        """The parent of our own backend."""
        (folder,) = self.row("SHOW data_directory")
        return int(Path(folder, "postmaster.pid").read_text().split("\n", 1)[0])

    def wait_until(self, statement: str, parameters: Sequence[object], timeout_seconds: float) -> None:
        deadline = time.monotonic() + timeout_seconds
        while True:
            with suppress(LookupError):
                if self.row(statement, parameters)[0]:
                    return
            for name, process in self.processes.items():
                if process.poll() is not None:
                    raise RuntimeError(f"{name} ended with {process.returncode}:\n{self.log_end()}")
            if time.monotonic() > deadline:
                raise TimeoutError(f"After {timeout_seconds} s still not: {statement} {parameters}\n{self.log_end()}")
            time.sleep(POLL_SECONDS)

    def log_end(self) -> str:
        log = self.data / "log"
        return "\n".join(log.read_text(errors="replace").splitlines()[-40:]) if log.exists() else ""


class Seeding:
    """The child that fills the database (bench/seed.py)."""

    def __init__(self, child: subprocess.Popen[str]) -> None:
        self._child = child

    def ask(self, wanted: dict[str, Any] | None) -> dict[str, Any]:
        assert self._child.stdin is not None and self._child.stdout is not None
        self._child.stdin.write((json.dumps(wanted) if wanted is not None else "") + "\n")
        self._child.stdin.flush()
        said = self._child.stdout.readline()
        if not said:
            raise RuntimeError("bench.seed failed, see above")
        told: dict[str, Any] = json.loads(said)
        return told

    def connect_mailbox(self) -> Seeded:
        return Seeded(**self.ask(None))


@contextmanager
def database(kind: str, folder: Path) -> Iterator[str]:
    """The DSN of a new server with the settings of production: "embedded", or "debian" for the distribution's."""
    if kind == "embedded":
        with EmbeddedPostgres(folder / "postgres") as server:
            yield server.dsn
    else:
        with running_server(durable=True) as url:
            yield url


@contextmanager
def postroom(kind: str) -> Iterator[Postroom]:
    """A new installation on a new database, without processes yet; everything is removed on leaving."""
    CACHE.mkdir(parents=True, exist_ok=True)
    folder = Path(tempfile.mkdtemp(prefix="run-", dir=CACHE))
    data = folder / "data"
    data.mkdir(mode=0o700)
    try:
        with database(kind, folder) as url:
            installation = Postroom(data, url)
            try:
                yield installation
            finally:
                installation.stop()
                installation.connection.close()
    finally:
        shutil.rmtree(folder, ignore_errors=True)
