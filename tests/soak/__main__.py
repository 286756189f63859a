"""bin/soak: cause faults for long, and count what was lost, doubled or sent twice.

    bin/soak [--short] [--seeds N] [--minutes N] [--only 1,20,39] [--json] [--results FILE]

The last line is one JSON object: runs, faults, lost, doubled, double_sent, not_converged. Ends with 1 unless the last
four are 0. FILE (var/soak/results.json) is what tests.soak.report makes docs/explanation/faults.md from.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from itertools import pairwise
from pathlib import Path

from tests.servers.certs import make_certificates
from tests.servers.cyrus import Cyrus
from tests.servers.dovecot import Dovecot
from tests.soak import report
from tests.soak.faults import FAULTS
from tests.soak.model import run_model
from tests.soak.results import Result
from tests.soak.rig import CHECKOUT, Rig, running_rig

LONG_SEEDS, SHORT_SEEDS = 200, 20
LONG_MINUTES, SHORT_MINUTES = 10.0, 0.5
BETWEEN_CHECKPOINTS = 25.0  # seconds
BETWEEN_FAULTS = 3.0
EVERY_PORTION = 50  # seeds, after which a person is told how it goes

Tell = Callable[[str], None]


def main() -> int:
    options = _options()
    seeds = options.seeds or (SHORT_SEEDS if options.short else LONG_SEEDS)
    minutes = options.minutes if options.minutes is not None else SHORT_MINUTES if options.short else LONG_MINUTES
    only = {int(number) for number in options.only.split(",")} if options.only else set()

    def tell(line: str) -> None:
        if not options.json:
            sys.stdout.write(line + "\n")
            sys.stdout.flush()

    command = f"bin/soak --seeds {seeds} --minutes {minutes:g}" + (f" --only {options.only}" if options.only else "")
    rows: list[report.Row] = []
    with _folder() as folder, _servers(folder) as (dovecot, cyrus), running_rig(folder / "rig", dovecot) as rig:
        rig.tell = tell
        for fault in FAULTS:
            if not only or fault.number in only:
                rows.append(_run(fault.number, fault.name, fault.run(rig, range(seeds)), seeds, tell))
                report.save(options.results, rows, command)
        if minutes and (not only or report.MODEL in only):
            results = [*_model(rig, dovecot.imap, "model@example.test", minutes, "Dovecot", tell)]
            results += _model(rig, cyrus.imap, cyrus.add_user("model"), minutes, "Cyrus", tell)
            rows.append(report.row_of(report.MODEL, results))
        if any(row.notes for row in rows):
            shutil.copy(rig.log, CHECKOUT / "var" / "soak-engines.log")
    if not only or report.SEND in only:
        rows.append(_send(tell))
    report.save(options.results, rows, command)
    total = report.summary(rows)
    sys.stdout.write(json.dumps(total) + "\n")
    return 0 if report.is_good(total) else 1


def _options() -> argparse.Namespace:
    options = argparse.ArgumentParser(prog="bin/soak", description="Cause faults for long and count what goes wrong.")
    options.add_argument("--short", action="store_true", help=f"{SHORT_SEEDS} seeds a fault and short models")
    options.add_argument("--seeds", type=int, default=0, metavar="N", help="seeds a fault")
    options.add_argument(
        "--minutes", type=float, default=None, metavar="N", help="of the model on each server; 0: none"
    )
    options.add_argument("--only", default="", metavar="1,20,39", help="only these faults")
    options.add_argument("--json", action="store_true", help="only the last line")
    options.add_argument("--results", type=Path, default=CHECKOUT / "var/soak/results.json", metavar="FILE")
    return options.parse_args()


@contextmanager
def _folder() -> Iterator[Path]:
    """With a short path, for sockets, and open to the servers' own users."""
    folder = Path(tempfile.mkdtemp(prefix="prs-", dir="/tmp"))
    folder.chmod(0o755)
    (folder / "rig").mkdir()
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def _servers(folder: Path) -> Iterator[tuple[Dovecot, Cyrus]]:
    (folder / "certs").mkdir()
    dovecot = Dovecot(folder / "dovecot", make_certificates(folder / "certs")).start()
    cyrus = Cyrus(folder / "cyrus").start()
    try:
        yield dovecot, cyrus
    finally:
        dovecot.stop()
        cyrus.stop()


def _run(number: int, name: str, running: Iterator[Result], seeds: int, tell: Tell) -> report.Row:
    started = time.monotonic()
    results: list[Result] = []
    tell(f"{number}: {name}")
    for result in running:
        results.append(result)
        if not result.is_good:
            told = "; ".join(result.notes)
            tell(f"  seed {result.seed}: {result.lost} lost, {result.doubled} doubled; {told}"[:600])
        if len(results) % EVERY_PORTION == 0 and len(results) < seeds:
            tell(f"  {len(results)} of {seeds} after {time.monotonic() - started:.0f} s")
    row = report.row_of(number, results)
    good = sum(result.is_good for result in results)
    tell(
        f"  {good} of {len(results)} good, {time.monotonic() - started:.0f} s, equal after {row.max_seconds} s at most"
    )
    return row


def _model(rig: Rig, port: int, user: str, minutes: float, server: str, tell: Tell) -> Sequence[Result]:
    checkpoints = max(1, round(minutes * 60 / BETWEEN_CHECKPOINTS))
    seconds = minutes * 60 / checkpoints
    tell(f"{report.MODEL}: the model on {server}, {checkpoints} checkpoints")
    seed = len(server)
    running = run_model(rig, port, user, seed, checkpoints=checkpoints, seconds=seconds, between_faults=BETWEEN_FAULTS)
    results = []
    for result in running:
        results.append(result)
        tell(f"  {'equal' if result.is_good else f'UNEQUAL: {result.notes}'} after {result.seconds:.1f} s")
    return results


def _send(tell: Tell) -> report.Row:
    """The faults of sending are tests of their own; each of them is a run here."""
    tell(f"{report.SEND}: {report.EXPECTED[report.SEND][0]}")
    command = [sys.executable, "-m", "pytest", "-q", "--no-header", "-rN", "tests/faults/test_send_faults.py"]
    environment = {name: value for name, value in os.environ.items() if name != "DATABASE_URL"}
    done = subprocess.run(command, cwd=CHECKOUT, env=environment, capture_output=True, text=True, check=False)
    last = done.stdout.strip().splitlines()[-1] if done.stdout.strip() else done.stderr[-300:]
    words = last.replace(",", "").split()
    counts = {name: int(count) for count, name in pairwise(words) if count.isdigit()}
    failed = counts.get("failed", 0) + counts.get("error", 0) + (not counts)
    tell(f"  {last}")
    return report.Row(
        report.SEND, runs=counts.get("passed", 0) + failed, double_sent=failed, notes=[last] if failed else []
    )


if __name__ == "__main__":
    sys.exit(main())
