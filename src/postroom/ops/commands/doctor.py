"""`doctor`: whether this installation is well, and what to do where it is not."""

from __future__ import annotations

import argparse
import os
from collections.abc import Iterator
from typing import Any, Final

from postroom.ops import data_folder
from postroom.ops.commands.options import declare
from postroom.ops.data_folder import DataFolderError
from postroom.ops.embedded_postgres import EmbeddedPostgresError
from postroom.ops.findings.disk import room
from postroom.ops.findings.finding import Finding
from postroom.ops.output import CommandFailed, Output
from postroom.ops.running_database import running_database
from postroom.providers.guard import NetworkPolicy, UnfitSetting
from postroom.providers.pace import poll_seconds_of

_FOLDER_FIX: Final = "Bring what is missing back from a backup, or from the machine that runs Postroom already."
_DATABASE_FIX: Final = "Start the database server, or mend DATABASE_URL; the server's log says more."
_OWN_DATABASE_FIX: Final = "Read log/postgres.log in the data folder; where the disk is full, make room."


def add(commands: Any) -> None:
    declare(
        commands,
        "doctor",
        see,
        "Look at database, worker, disk, clock, DNS, keys and each mailbox; exit 1 if something is wrong.",
        needs_database=False,  # that there is none is the first thing to be told
    )


def see(options: argparse.Namespace, output: Output) -> int:
    """The whole visit. Without a database there is little to look at: what keeps it from starting."""
    try:
        NetworkPolicy.from_environment(os.environ)
        poll_seconds_of(os.environ)
        with running_database(output.progress):
            return doctor(options, output)
    except UnfitSetting as error:
        found = Finding("settings", False, str(error), "Mend that setting; docs/reference/settings.md has them all.")
    except DataFolderError as error:
        found = Finding("data folder", False, str(error), _FOLDER_FIX)
    except (CommandFailed, EmbeddedPostgresError) as error:
        is_ours = not os.environ.get("DATABASE_URL")
        found = Finding("database", False, str(error), _OWN_DATABASE_FIX if is_ours else _DATABASE_FIX)
    return _tell(iter((found, room([data_folder.path()]))), output)


def doctor(options: argparse.Namespace, output: Output) -> int:
    """On a database that is ready."""
    return _tell(_examine(), output)


def _tell(found: Iterator[Finding], output: Output) -> int:
    findings = []
    for finding in found:
        findings.append(finding)
        output.line(f"{'ok  ' if finding.ok else 'FAIL'} {finding.name}: {finding.what}")
        if not finding.ok and finding.fix:
            output.line(f"     {finding.fix}")
    is_well = all(finding.ok for finding in findings)
    output.answer({"ok": is_well, "findings": [finding.as_json() for finding in findings]})
    return 0 if is_well else 1


def _examine() -> Iterator[Finding]:
    from postroom.ops.findings import machine, work  # they need Django, which is ready only now
    from postroom.ops.findings.mailboxes import mailboxes

    for look in (
        machine.database,
        work.worker,
        work.jobs,
        work.imports,
        work.sending,
        machine.disk,
        machine.clock,
        machine.names,
        machine.keys,
        work.registrations,
    ):
        yield look()
    yield from mailboxes()
    for look in (work.questions, work.pushes, work.messages):
        yield look()
