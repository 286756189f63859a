"""The table of results: a JSON file a run, and docs/explanation/faults.md made from it.

python -m tests.soak.report var/soak/results.json    prints the page
"""

from __future__ import annotations

import json
import os
import platform
import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from tests.soak import model
from tests.soak.faults import FAULTS
from tests.soak.results import Result

MODEL, SEND = model.NUMBER, 2
TEMPLATE = Path(__file__).with_name("faults_page.md")
EXPECTED = {fault.number: (fault.name, fault.expected) for fault in FAULTS} | {
    SEND: ("workers killed, connections cut and servers silent while sending", "sends nothing twice, loses nothing"),
    MODEL: ("clients at random while processes are killed, paused and cut off", "equals the server within 60 s"),
}


@dataclass(slots=True)
class Row:
    """One fault's runs. Seconds are from the end of the fault until all was equal."""

    fault: int
    runs: int = 0
    lost: int = 0
    doubled: int = 0
    double_sent: int = 0
    not_converged: int = 0
    p95_seconds: float = 0.0
    max_seconds: float = 0.0
    notes: list[str] = field(default_factory=list)


def row_of(fault: int, results: Sequence[Result]) -> Row:
    seconds = sorted(result.seconds for result in results) or [0.0]
    bad = [result for result in results if not result.is_good]
    return Row(
        fault,
        runs=len(results),
        lost=sum(result.lost for result in results),
        doubled=sum(result.doubled for result in results),
        not_converged=sum(bool(result.notes) for result in results),
        p95_seconds=round(seconds[int(0.95 * (len(seconds) - 1))], 2),
        max_seconds=round(seconds[-1], 2),
        notes=[f"seed {result.seed}: {'; '.join(result.notes)}"[:500] for result in bad[:5]],
    )


def summary(rows: Iterable[Row]) -> dict[str, int]:
    """What bin/soak ends with."""
    rows = list(rows)
    counts = ("runs", "lost", "doubled", "double_sent", "not_converged")
    return {"faults": len(rows)} | {name: sum(getattr(row, name) for row in rows) for name in counts}


def is_good(total: dict[str, int]) -> bool:
    return not any(total[name] for name in ("lost", "doubled", "double_sent", "not_converged"))


def machine() -> str:
    memory = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") / 2**30
    return f"{os.cpu_count()} cores, {memory:.0f} GB, {platform.system()} {platform.machine()}"


def save(path: Path, rows: Sequence[Row], command: str) -> None:
    told = {
        "date": datetime.now(UTC).date().isoformat(),
        "machine": machine(),
        "command": command,
        "rows": [{name: getattr(row, name) for name in Row.__slots__} for row in rows],
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(told, indent=1) + "\n")


def page(runs: Sequence[dict[str, Any]]) -> str:
    rows = sorted((Row(**row) for told in runs for row in told["rows"]), key=lambda row: row.fault)
    total = summary(rows)
    table = []
    for row in rows:
        name, expected = EXPECTED[row.fault]
        table.append(
            f"| {row.fault} | {name} | {expected} | {row.runs} | {row.lost} | {row.doubled + row.double_sent} |"
            f" {row.not_converged} | {_seconds(row.p95_seconds)} | {_seconds(row.max_seconds)} |"
        )
    text = TEMPLATE.read_text().replace("{table}", "\n".join(table)).replace("{notes}", _notes(rows))
    for name in ("command", "date", "machine"):
        text = text.replace(f"{{{name}}}", "`, `".join(dict.fromkeys(told[name] for told in runs)))
    return text.replace("{runs}", f"{total['runs']:,}")


def _seconds(seconds: float) -> str:
    return f"{seconds:.1f} s" if seconds else ""


def _notes(rows: Sequence[Row]) -> str:
    notes = [f"- {row.fault}, {note}" for row in rows for note in row.notes]
    return "\n".join(["\n## What was unequal\n", *notes, ""]) if notes else ""


if __name__ == "__main__":
    sys.stdout.write(page([json.loads(Path(name).read_text()) for name in sys.argv[1:]]))
