"""`doctor`: whether this installation is well, and what to do where it is not."""

from __future__ import annotations

import argparse
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
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
    declare(
        commands,
        "doctor",
        doctor,
        "Look at database, processes, disk, keys and mailboxes; exit 1 if something needs a person.",
    )


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
    checks: tuple[Callable[[], Finding], ...] = (
        _database,
        _worker,
        _imports,
        _disk,
        _keys,
        _mailboxes,
        _questions,
        _pushes,
        _unreadable,
    )
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


def _imports() -> Finding:
    from postroom.mailboxes.imports import broken_slices
    from postroom.mailboxes.models import ImportSlice, Worker

    importers = Worker.living().filter(kind="imports").count()
    count, broken = ImportSlice.objects.filter(is_done=False).count(), broken_slices().count()
    oldest = ImportSlice.objects.filter(is_done=False).order_by("pk").first()
    what = f"{importers} importers, {count} open slices"
    if oldest is not None:
        planned = datetime.fromtimestamp((oldest.pk.int >> 80) / 1_000, UTC)  # UUIDv7 (RFC 9562 section 5.7)
        what += f", the oldest for {_since(planned)}" + (f", {broken} of them broken" if broken else "")
    fix = "Read the importers' log in the data folder." if importers else "Start Postroom with bin/up."
    return Finding("imports", not broken and (importers > 0 or not count), what, fix)


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
    troubled = [mailbox for mailbox in found if mailbox.error_code]
    named = (
        f"{one.address} ({one.error_code}{f' for {_since(one.failing_since)}' if one.failing_since else ''})"
        for one in troubled
    )
    what = ", ".join(named) if troubled else f"{len(found)} connected, none in trouble"
    return Finding("mailboxes", not troubled, what, "Open Settings > Mailboxes to see what to do.")


def _questions() -> Finding:
    from postroom.mailboxes.models import Folder

    asking = Folder.objects.filter(mailbox__disconnected_at=None).exclude(held_code="").select_related("mailbox")
    named = [f"{one.name} of {one.mailbox.address} ({one.held_code})" for one in asking.order_by("mailbox__address")]
    what = ", ".join(named) if named else "no folder asks anything"
    return Finding("questions", not named, what, "Open the mailbox's page and answer; nothing is removed before.")


def _pushes() -> Finding:
    """Not being called is no failure: the mailboxes are polled."""
    from django.conf import settings

    from postroom.mailboxes.models import PushWatch

    watches = PushWatch.objects.filter(mailbox__disconnected_at=None).select_related("mailbox")
    if not settings.PUSH_URL:
        return Finding("pushes", True, "off: providers cannot call this address, all mailboxes are polled")
    refused = [f"{one.mailbox.address} ({one.error_code})" for one in watches.exclude(error_code="")]
    what = f"{watches.filter(error_code='').count()} watches" + (f", refused: {', '.join(refused)}" if refused else "")
    return Finding("pushes", True, what)


def _unreadable() -> Finding:
    from postroom.correspondence.models import Message

    count = Message.objects.exclude(problem="").count()
    return Finding("messages", True, f"{count} kept without their text" if count else "all could be read")


def _since(moment: datetime) -> str:
    """Roughly how long it is since then, in one unit."""
    seconds = max((datetime.now(UTC) - moment).total_seconds(), 0)
    for unit, length in (("days", 86_400), ("hours", 3_600), ("minutes", 60)):
        if seconds >= 2 * length:
            return f"{seconds // length:.0f} {unit}"
    return f"{seconds:.0f} seconds"
