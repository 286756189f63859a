"""`doctor`: whether this installation is well, and what to do where it is not."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from postroom.ops.commands.options import declare
from postroom.ops.output import Output

if TYPE_CHECKING:  # what it looks at needs Django, which is ready only once the command runs
    from postroom.ops.findings.finding import Finding


def add(commands: Any) -> None:
    declare(
        commands,
        "doctor",
        doctor,
        "Look at database, worker, disk, clock, DNS, keys and each mailbox; exit 1 if something needs a person.",
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
    from postroom.ops.findings import machine, work
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
