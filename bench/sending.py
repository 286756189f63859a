"""How fast queued submissions leave: claim, SMTP hand-over, in_doubt, outcome, against a local server.

    bench/sending.py [--short] [--submissions 2000] [--at-once 8] [--json]

One process, a private PostgreSQL that syncs its log, an aiosmtpd server in a process of its own. A send is timed from
its claim to its stored outcome; the queue of jobs is not part of it. Submitting (freezing the MIME) is timed apart.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import multiprocessing
import os
import shutil
import sys
import tempfile
import time
from multiprocessing.connection import Connection
from pathlib import Path
from uuid import UUID

CHECKOUT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(CHECKOUT / "src"), str(CHECKOUT)]

from postroom.ops.embedded_postgres import EmbeddedPostgres  # noqa: E402
from tests.fakes.smtp_sink import SmtpSink, running  # noqa: E402

TEXT = "Hello Bob,\n\nhere is the offer we spoke about.\n" * 40  # 2 kB, an ordinary letter


def main() -> None:
    options = argparse.ArgumentParser()
    options.add_argument("--submissions", type=int, default=2_000)
    options.add_argument("--at-once", type=int, default=8)
    options.add_argument("--short", action="store_true")
    options.add_argument("--json", action="store_true")
    chosen = options.parse_args()
    count = min(chosen.submissions, 200) if chosen.short else chosen.submissions
    folder = Path(tempfile.mkdtemp(prefix="postroom-bench-"))
    parent_end, sink_end = multiprocessing.Pipe()
    sink = multiprocessing.get_context("spawn").Process(target=serve, args=(sink_end,))
    sink.start()
    try:
        port = parent_end.recv()
        with EmbeddedPostgres(folder / "postgres") as postgres:
            os.environ |= {
                "DATABASE_URL": postgres.dsn,
                "POSTROOM_DATA": str(folder / "data"),
                "POSTROOM_ALLOWED_NETWORKS": "127.0.0.0/8",
                "POSTROOM_LOG_LEVEL": "WARNING",
                "DJANGO_SETTINGS_MODULE": "postroom.config.settings",
            }
            outcome = run(count, chosen.at_once, port)
        parent_end.send("stop")
        outcome["taken"] = parent_end.recv()
    finally:
        sink.terminate()
        sink.join()
        shutil.rmtree(folder, ignore_errors=True)
    if not chosen.json:
        for name, value in outcome.items():
            print(f"{name:>12} {value}")
    print(json.dumps(outcome))


def serve(pipe: Connection) -> None:
    """The SMTP server's process: tells its port, and at the end how many messages it took."""
    with running(SmtpSink()) as sink:
        pipe.send(sink.port)
        pipe.recv()
        pipe.send(sum(sink.taken.values()))


def run(count: int, at_once: int, port: int) -> dict[str, float]:
    import django
    from django.core.management import call_command
    from django.db import connection

    django.setup()
    call_command("migrate", verbosity=0)
    started = time.perf_counter()
    ids = submit_all(count, port)
    submit_seconds = time.perf_counter() - started
    connection.close()
    started = time.perf_counter()
    times = asyncio.run(send_all(ids, at_once))
    seconds = time.perf_counter() - started
    times.sort()
    return {
        "submissions": count,
        "per_s": round(count / seconds, 1),
        "p50_ms": round(times[len(times) // 2] * 1000, 1),
        "p99_ms": round(times[int(len(times) * 0.99)] * 1000, 1),
        "submit_per_s": round(count / submit_seconds, 1),
    }


def submit_all(count: int, port: int) -> list[UUID]:
    from postroom.mail.message import Address
    from postroom.mailboxes.credentials import store_credentials
    from postroom.outbox.composition import Composition
    from postroom.outbox.submit import submit
    from tests.cast import make_cast, make_mailbox

    alice = make_cast().alice
    mailbox = make_mailbox(alice, "sales@tidewater.example", provider="imap")
    server = {"host": "127.0.0.1", "port": port, "security": "none", "username": "sales", "password": "x"}
    store_credentials(mailbox, {"imap": server, "smtp": server}, sign_in_user="sales")
    composition = Composition(to=[Address("bob@customer.example", "Bob")], subject="Offer", text=TEXT)
    return [submit(alice, composition).pk for _ in range(count)]


async def send_all(ids: list[UUID], at_once: int) -> list[float]:
    """Send everything with `at_once` sends under way; return how long each took in seconds."""
    from postroom.outbox.sending import send
    from postroom.sync.sending import Sent

    waiting = iter(ids)
    times: list[float] = []

    async def work() -> None:
        for submission_id in waiting:
            started = time.perf_counter()
            outcome = await send(submission_id)
            times.append(time.perf_counter() - started)
            if not isinstance(outcome, Sent):
                raise SystemExit(f"submission {submission_id} ended as {outcome}")

    await asyncio.gather(*(work() for _ in range(at_once)))
    return times


if __name__ == "__main__":
    main()
