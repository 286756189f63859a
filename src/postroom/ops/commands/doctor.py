"""`doctor`: whether this installation is well, and what to do where it is not."""

from __future__ import annotations

import argparse
import os
from collections.abc import Iterator
from typing import Any

from postroom.ops import data_folder
from postroom.ops.commands.options import declare
from postroom.ops.embedded_postgres import EmbeddedPostgresError
from postroom.ops.findings.disk import room
from postroom.ops.findings.finding import Finding
from postroom.ops.output import CommandFailed, Output
from postroom.ops.running_database import running_database
from postroom.providers.guard import NetworkPolicy
from postroom.providers.pace import poll_seconds_of


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
    NetworkPolicy.from_environment(os.environ)
    poll_seconds_of(os.environ)
    try:
        with running_database(output.progress):
            return doctor(options, output)
    except (CommandFailed, EmbeddedPostgresError) as error:
        fix = "Start the database, or mend DATABASE_URL. Its log says more."
        return _tell(iter((Finding("database", False, str(error), fix), room([data_folder.path()]))), output)


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
