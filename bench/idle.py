"""What idle mailboxes cost one worker: memory of each and processor time, in IDLE over TLS.

The worker is the real one (`python -m postroom.ops.processes worker`) on PostgreSQL, with its job worker, its polls and
its heartbeat. The mail server is a stub in another process (idle_stub.py), which offers what Dovecot offers: each
mailbox has six folders, of which three are read. Memory is the worker's resident set with all mailboxes in IDLE less
that with FIRST of them; processor time is the worker's over WATCHED_SECONDS, polls included.

All 5,000 take two to five minutes to connect: a worker opens 40 connections a second, and ten to one host
(engine/limiter.py), for which the stub is several hosts (idle_seed.py).
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import trustme

from bench.idle_seed import HOSTS
from bench.process_costs import cpu_seconds
from bench.rig import CHECKOUT, DATABASES, Postroom, postroom

FIRST = 20  # before these, memory is taken that does not grow: modules, pools, the TLS context
SHORT_MAILBOXES = 1_500
WATCHED_SECONDS = 30.0
SETTLE_SECONDS = 5.0
START_SECONDS = 600.0


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="bench/idle", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--mailboxes", type=int, default=5_000)
    parser.add_argument("--database", choices=DATABASES, default="embedded")
    parser.add_argument("--short", action="store_true", help=f"{SHORT_MAILBOXES} mailboxes")
    parser.add_argument("--json", action="store_true", help="end with one JSON object on the last line")
    options = parser.parse_args(arguments)
    result = _measure(SHORT_MAILBOXES if options.short else options.mailboxes, options.database)
    for name, value in result.items():
        print(f"{name:<16} {value}")
    if options.json:
        print(json.dumps(result))
    return 0


def _measure(mailboxes: int, database: str) -> dict[str, float]:
    with tempfile.TemporaryDirectory(prefix="idle-") as name, postroom(database) as installation:
        authority = trustme.CA()
        authority.cert_pem.write_to_path(f"{name}/ca.pem")
        certificate = authority.issue_cert("localhost", *(f"127.0.0.{last + 1}" for last in range(HOSTS)))
        certificate.private_key_and_cert_chain_pem.write_to_path(f"{name}/server.pem")
        installation.environment["POSTROOM_CA_FILE"] = f"{name}/ca.pem"
        with _stub(installation, Path(name, "server.pem")) as port:
            _add(installation, port, 0, FIRST)
            installation.start("worker")
            [worker] = installation.processes.values()
            _wait_until_idle(installation, FIRST)
            before = rss_kb(worker.pid)
            started = time.perf_counter()
            _add(installation, port, FIRST, mailboxes)
            _wait_until_idle(installation, FIRST + mailboxes)
            start_seconds = time.perf_counter() - started
            time.sleep(SETTLE_SECONDS)
            spent, watched = cpu_seconds([worker.pid]), time.perf_counter()
            time.sleep(WATCHED_SECONDS)
            cpu = (cpu_seconds([worker.pid]) - spent) / (time.perf_counter() - watched)
            after = rss_kb(worker.pid)
    return {
        "mailboxes": mailboxes,
        "kb_per_mailbox": round((after - before) / mailboxes, 1),
        "cpu_percent": round(100 * cpu, 2),
        "rss_mb": round(after / 1000, 1),
        "start_seconds": round(start_seconds, 1),
    }


@contextmanager
def _stub(installation: Postroom, certificate: Path) -> Iterator[int]:
    """The mail server; its port."""
    command = [sys.executable, "-m", "bench.idle_stub", os.fspath(certificate)]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, env=installation.environment, cwd=CHECKOUT, text=True
    ) as stub:
        assert stub.stdout is not None
        try:
            yield int(stub.stdout.readline())
        finally:
            stub.terminate()


def _add(installation: Postroom, port: int, first: int, count: int) -> None:
    command = [sys.executable, "-m", "bench.idle_seed", str(port), str(first), str(count)]
    subprocess.run(command, env=installation.environment, cwd=CHECKOUT, check=True)


def _wait_until_idle(installation: Postroom, mailboxes: int) -> None:
    """All were looked at once; from then on they wait in IDLE."""
    statement = "SELECT count(*) >= %s FROM mailboxes_mailbox WHERE last_synced_at IS NOT NULL"
    installation.wait_until(statement, [mailboxes], START_SECONDS)


def rss_kb(pid: int) -> float:
    """The process's resident memory, in kB of 1,000 octets."""
    pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 1000


if __name__ == "__main__":
    sys.exit(main())
