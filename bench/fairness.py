"""How much a large first import in one mailbox delays the new mail of another.

All of Postroom runs but the web: a worker, two importers, a database. Two Dovecots, since it is Postroom that is
measured and not a server's own fairness. One holds the mailbox that is imported; in the other's a mail arrives each
second, first while nothing else happens (`quiet_*`), then until the import is through (`busy_*`). A delay is the time
from the server's acceptance of the mail to its committed row, to LOOK_SECONDS exact.
"""

from __future__ import annotations

import argparse
import json
import shutil
import smtplib
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from email.message import EmailMessage
from email.utils import format_datetime, localtime
from pathlib import Path
from statistics import quantiles

from bench import corpus
from bench.corpus import CACHE, PEOPLE
from bench.dovecot import PASSWORD, USER, dovecot
from bench.rig import CHECKOUT, DATABASES, READY_SECONDS, Postroom, postroom

SHORT_MESSAGES = 2_000
QUIET_ARRIVALS = 30
EACH_SECONDS = 1.0
LOOK_SECONDS = 0.01
LOST_AFTER_SECONDS = 60.0
IMPORT_SECONDS = 3_600.0
ADDRESS = "arrivals@bench.example"


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="bench/fairness", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--messages", type=int, default=20_000)
    parser.add_argument("--database", choices=DATABASES, default="embedded")
    parser.add_argument("--short", action="store_true", help=f"{SHORT_MESSAGES} messages")
    parser.add_argument("--json", action="store_true", help="end with one JSON object on the last line")
    options = parser.parse_args(arguments)
    result = _measure(SHORT_MESSAGES if options.short else options.messages, options.database)
    for name, value in result.items():
        print(f"{name:<14} {value}")
    if options.json:
        print(json.dumps(result))
    return 0


def _measure(messages: int, database: str) -> dict[str, float]:
    imported = corpus.cached(messages)
    CACHE.mkdir(parents=True, exist_ok=True)
    folder = Path(tempfile.mkdtemp(prefix="fairness-", dir=CACHE))
    folder.chmod(0o755)
    try:
        with (
            dovecot(imported.maildir) as large,
            dovecot(folder / "Maildir") as small,
            postroom(database) as installation,
            installation.seeding(PEOPLE, imap_port=large.imap, keep="everything") as seeding,
        ):
            _connect_small(installation, small.imap)
            installation.start("worker", "importer", "importer")
            installation.wait_until("SELECT last_synced_at IS NOT NULL FROM mailboxes_mailbox", [], READY_SECONDS)
            with smtplib.LMTP("127.0.0.1", small.lmtp, timeout=10) as lmtp:
                arrivals = _Arrivals(installation, lmtp)
                quiet = arrivals.until(lambda: arrivals.count >= QUIET_ARRIVALS)
                started = time.perf_counter()
                seeding.connect_mailbox()
                busy = arrivals.until(lambda: _is_imported(installation, messages))
                import_seconds = time.perf_counter() - started
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    return {
        "messages": messages,
        "import_s": round(import_seconds, 1),
        "arrivals": len(busy),
        "quiet_p95_ms": _p95(quiet),
        "busy_p95_ms": _p95(busy),
        "extra_p95_ms": round(_p95(busy) - _p95(quiet), 1),
        "busy_max_ms": round(1000 * max(busy), 1),
    }


class _Arrivals:
    """Mail that arrives, one a second, each waited for."""

    def __init__(self, installation: Postroom, lmtp: smtplib.LMTP) -> None:
        self.count = 0
        self._installation = installation
        self._lmtp = lmtp

    def until(self, is_over: Callable[[], bool]) -> list[float]:
        """The delays, in seconds."""
        delays = []
        while not is_over():
            began = time.perf_counter()
            delays.append(self._arrive())
            time.sleep(max(0.0, began + EACH_SECONDS - time.perf_counter()))
        return delays

    def _arrive(self) -> float:
        self.count += 1
        message_id = f"<arrival-{self.count}@bench.example>"
        mail = EmailMessage()
        mail["From"], mail["To"], mail["Subject"] = PEOPLE[0].address, ADDRESS, f"Arrival {self.count}"
        mail["Date"], mail["Message-ID"] = format_datetime(localtime()), message_id
        mail.set_content("Could you send me the offer again?\n" * 40)
        self._lmtp.sendmail(PEOPLE[0].address, [ADDRESS], mail.as_bytes())
        accepted = time.perf_counter()
        stored = "SELECT count(*) > 0 FROM correspondence_message WHERE internet_message_id = %s"
        while not self._installation.row(stored, [message_id])[0]:
            if time.perf_counter() - accepted > LOST_AFTER_SECONDS:
                raise TimeoutError(f"{message_id} never came\n{self._installation.log_end()}")
            time.sleep(LOOK_SECONDS)
        return time.perf_counter() - accepted


def _is_imported(installation: Postroom, messages: int) -> bool:
    finished, done = installation.row(
        "SELECT bool_and(import_finished_at IS NOT NULL), sum(done_count) FROM mailboxes_mailbox"
    )
    return bool(finished) and int(done) >= messages


def _connect_small(installation: Postroom, port: int) -> None:
    """Connect the mailbox that mail arrives in."""
    login = {"host": "127.0.0.1", "port": port, "security": "none", "username": USER, "password": PASSWORD}
    wanted = {"address": ADDRESS, "secrets": {"imap": login, "smtp": login}}
    command = [sys.executable, "-m", "bench.fairness_mailbox", json.dumps(wanted)]
    subprocess.run(command, env=installation.environment, cwd=CHECKOUT, check=True)


def _p95(seconds: Sequence[float]) -> float:
    return round(quantiles(seconds, n=100, method="inclusive")[94] * 1000, 1)


if __name__ == "__main__":
    sys.exit(main())
