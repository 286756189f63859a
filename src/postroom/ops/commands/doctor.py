"""`doctor`: whether this installation is well, and what to do where it is not."""

from __future__ import annotations

import argparse
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Final

from postroom.ops import data_folder
from postroom.ops.commands.options import declare
from postroom.ops.output import Output

LEAST_FREE_BYTES: Final = 1_000_000_000
OLDEST_POSTGRESQL: Final = 140_000  # as server_version_num says 14.0


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at. `fix` says what to do when it is not `ok`."""

    name: str
    ok: bool
    what: str
    fix: str = ""

    def as_json(self) -> dict[str, Any]:
        return {"name": self.name, "ok": self.ok, "what": self.what} | ({} if self.ok else {"fix": self.fix})


def add(commands: Any) -> None:
    declare(commands, "doctor", doctor, "Look at database, worker, disk, keys and mailboxes; exit 1 if one fails.")


def doctor(options: argparse.Namespace, output: Output) -> int:
    findings = []
    for finding in _examine():
        findings.append(finding)
        output.line(f"{'ok  ' if finding.ok else 'FAIL'} {finding.name}: {finding.what}")
        if not finding.ok and finding.fix:
            output.line(f"     {finding.fix}")
    is_well = all(finding.ok for finding in findings)
    output.answer({"ok": is_well, "findings": [finding.as_json() for finding in findings]})
    return 0 if is_well else 1


def _examine() -> Iterator[Finding]:
    checks: tuple[Callable[[], Finding], ...] = (_database, _worker, _disk, _keys, _mailboxes)
    return (check() for check in checks)


def _database() -> Finding:
    from django.db import connection

    with connection.cursor() as cursor:
        cursor.execute("SELECT current_setting('server_version_num')::int, current_setting('server_version')")
        number, name = cursor.fetchone()
    is_new = number >= OLDEST_POSTGRESQL
    return Finding("database", is_new, f"PostgreSQL {name}", "Use PostgreSQL 14 or newer.")


def _worker() -> Finding:
    from postroom.mailboxes.models import Worker

    count = Worker.living().filter(kind="sessions").count()
    return Finding("worker", count > 0, f"{count} seen in the last 10 seconds", "Start Postroom with bin/up.")


def _disk() -> Finding:
    folder = data_folder.path()
    free = shutil.disk_usage(folder).free
    what = f"{free / 1e9:.1f} GB free in {folder}"
    return Finding("disk", free >= LEAST_FREE_BYTES, what, "Make room, or move the data folder (POSTROOM_DATA).")


def _keys() -> Finding:
    try:
        keys = data_folder.sealing_keys(data_folder.path())
    except data_folder.DataFolderError as error:
        return Finding("keys", False, str(error), "Restore the keys from a backup.")
    return Finding("keys", True, f"{len(keys.keys)} sealing key(s), current {keys.current}")


def _mailboxes() -> Finding:
    from postroom.mailboxes.models import Mailbox

    found = list(Mailbox.objects.filter(disconnected_at=None).order_by("address"))
    troubled = [f"{mailbox.address} ({mailbox.error_code or mailbox.state})" for mailbox in found if mailbox.error_code]
    what = ", ".join(troubled) if troubled else f"{len(found)} connected, none in trouble"
    return Finding("mailboxes", not troubled, what, "Open Settings > Mailboxes to see what to do.")
