"""Processes are killed while twenty mailboxes are imported and mail goes on arriving: nothing lost, nothing doubled.

Beside the processes of `bin/up` runs a second worker on the same database, as on a second host.
"""

from __future__ import annotations

import json
import random
import signal
import smtplib
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
import psycopg
import pytest

from tests.servers import free_ports
from tests.servers.certs import Certificates
from tests.servers.dovecot import Dovecot
from tests.servers.imap_look import folder_contents
from tests.up_run import UpRun

KILLS = 20
CONVERGED_SECONDS = 60
ADDRESSES = [f"seed{number}@example.test" for number in range(20)]
BEFORE, DURING = 120, 20  # messages to everybody, before and while processes are killed


@pytest.fixture
def postroom(certificates: Certificates) -> Iterator[UpRun]:
    with tempfile.TemporaryDirectory(prefix="prf-") as folder:
        [port] = free_ports(1)
        run = UpRun(
            Path(folder) / "data",
            port,
            POSTROOM_ALLOWED_NETWORKS="127.0.0.0/8",
            POSTROOM_CA_FILE=str(certificates.ca_file),
        )
        run.wait_for_address()
        yield run
        run.end()


def deliver_to_all(dovecot: Dovecot, numbers: range) -> None:
    with smtplib.LMTP("127.0.0.1", dovecot.lmtp, timeout=30) as lmtp:
        for number in numbers:
            text = (
                f"From: Customer {number % 7} <c{number % 7}@customer.test>\r\nTo: team@example.test\r\n"
                f"Message-ID: <{number}@customer.test>\r\nSubject: Letter {number}\r\n"
                f"Date: Mon, 23 Nov 2026 10:00:00 +0000\r\n\r\n{'Text. ' * 200}{number}\r\n"
            )
            lmtp.ehlo_or_helo_if_needed()
            lmtp.mail("customer@customer.test")
            for address in ADDRESSES:
                lmtp.rcpt(address)
            lmtp.docmd("DATA")
            lmtp.send(text.encode() + b".\r\n")
            replies = {lmtp.getreply()[0] for _ in ADDRESSES}  # LMTP answers for each recipient (RFC 2033 section 4.2)
            assert replies == {250}


def children(run: UpRun) -> list[psutil.Process]:
    """The worker and the importers."""
    found = []
    for child in psutil.Process(run.process.pid).children(recursive=True):
        try:
            if {"worker", "importer"} & set(child.cmdline()):
                found.append(child)
        except psutil.NoSuchProcess:
            continue
    return found


def connect_everybody(run: UpRun, dovecot: Dovecot) -> None:
    environment = run.environment | {
        "DATABASE_URL": database_url(run),
        "DJANGO_SETTINGS_MODULE": "postroom.config.settings",
    }
    command = [sys.executable, str(Path(__file__).with_name("connect_many.py")), "localhost", str(dovecot.imaps)]
    subprocess.run([*command, *ADDRESSES], env=environment, check=True)


@contextmanager
def second_worker(run: UpRun) -> Iterator[None]:
    environment = run.environment | {"DATABASE_URL": database_url(run)}
    worker = subprocess.Popen([sys.executable, "-m", "postroom.ops.processes", "worker"], env=environment)
    try:
        yield
    finally:
        worker.terminate()
        worker.wait(20)


def wait_until_shared(connection: psycopg.Connection) -> None:  # type: ignore[type-arg]
    """Both workers run mailboxes."""
    deadline = time.monotonic() + 20
    owners = "SELECT count(DISTINCT worker_id) FROM mailboxes_mailbox WHERE worker_id IS NOT NULL"
    while connection.execute(owners).fetchone() != (2,):
        assert time.monotonic() < deadline, "one worker has everything"
        time.sleep(0.2)


def database_url(run: UpRun) -> str:
    return str(json.loads((run.data / "run.json").read_text())["database_url"])


def state(connection: psycopg.Connection) -> tuple[int, int, int]:  # type: ignore[type-arg]
    """(unfinished imports, placements, messages)"""
    row = connection.execute(
        "SELECT (SELECT count(*) FROM mailboxes_mailbox WHERE import_finished_at IS NULL),"
        " (SELECT count(*) FROM correspondence_placement WHERE removed_at IS NULL),"
        " (SELECT count(*) FROM correspondence_message)"
    ).fetchone()
    assert row is not None
    return row  # type: ignore[return-value]


def test_killed_imports_lose_and_double_nothing(postroom: UpRun, dovecot: Dovecot) -> None:
    deliver_to_all(dovecot, range(BEFORE))
    letters = BEFORE + DURING
    with second_worker(postroom), psycopg.connect(database_url(postroom), autocommit=True) as connection:
        connect_everybody(postroom, dovecot)
        kill_at_random(postroom, dovecot)
        converge(connection, (0, letters * len(ADDRESSES), letters), postroom)
        wait_until_shared(connection)
        doubled = connection.execute(
            "SELECT count(*) FROM (SELECT folder_id, remote_id FROM correspondence_placement"
            " WHERE removed_at IS NULL GROUP BY 1, 2 HAVING count(*) > 1) twice"
        ).fetchone()
        assert doubled == (0,)
        subjects = connection.execute("SELECT subject FROM correspondence_message").fetchall()
    assert sorted(subject for (subject,) in subjects) == sorted(f"Letter {number}" for number in range(letters))
    assert len(folder_contents(dovecot, ADDRESSES[0], "INBOX")) == letters, "the server still has everything, untouched"


def kill_at_random(run: UpRun, dovecot: Dovecot) -> None:
    chance = random.Random(2026)
    for kill in range(KILLS):
        time.sleep(chance.uniform(0.05, 0.6))
        if victims := children(run):
            chance.choice(victims).send_signal(signal.SIGKILL)
        if kill >= KILLS - DURING:
            deliver_to_all(dovecot, range(BEFORE + kill, BEFORE + kill + 1))


def converge(connection: psycopg.Connection, expected: tuple[int, int, int], run: UpRun) -> None:  # type: ignore[type-arg]
    last_kill = time.monotonic()
    while (now := state(connection)) != expected:
        assert time.monotonic() - last_kill < CONVERGED_SECONDS, (now, expected, run.logs())
        time.sleep(0.2)
    time.sleep(3)  # whatever still runs must not change it
    assert state(connection) == expected
