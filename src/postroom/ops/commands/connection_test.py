"""`mailbox test`: send a small marked message, and say of each step when it was reached, or why it was not."""

from __future__ import annotations

import argparse
import time
from typing import Any, Final

from postroom.ops.commands.options import declare
from postroom.ops.commands.people import find_member_by_address
from postroom.ops.output import CommandFailed, Output

LOOK_SECONDS: Final = 0.5
WAIT_SECONDS: Final = 120
MARKS: Final = {"done": "ok  ", "warned": "note", "running": "... ", "stopped": "STOP", "waiting": "    "}


def add(mailboxes: Any) -> None:
    """Add the command to the group `mailbox`."""
    test = declare(mailboxes, "test", test_mailbox, "Send a small marked message by a mailbox and follow it.")
    test.add_argument("mailbox", metavar="MAILBOX", help="its address or its id")
    test.add_argument(
        "--contact", default="", metavar="ADDRESS", help="write to the contact who has this address, not to itself"
    )
    test.add_argument("--yes", action="store_true", help="with --contact: yes, write to that person")
    test.add_argument("--member", default="", metavar="ADDRESS", help="who tests (default: the mailbox's owner)")
    test.add_argument(
        "--wait", type=_seconds, default=WAIT_SECONDS, metavar="SECONDS", help="follow it so long (default %(default)s)"
    )


def test_mailbox(options: argparse.Namespace, output: Output) -> int:
    """0 when every step was reached, else 1. The message leaves by the workers of `bin/up`, which have to run."""
    from postroom.outbox.composition import SubmitRefused
    from postroom.outbox.connection_test import begin_test

    member, mailbox = _whose(options)
    contact = _contact(member, options) if options.contact else None
    try:
        test = begin_test(member, mailbox, contact, address=options.contact)
    except SubmitRefused as refused:
        raise CommandFailed(refused.words, refused.code) from refused
    output.progress(f"{mailbox.address} writes to {test.address}")
    progress = _follow(member, test, options.wait, output)
    _explain(progress, output)
    output.answer({"ok": progress.state == "passed", "id": test.pk, "state": progress.state, "steps": _rows(progress)})
    return 0 if progress.state == "passed" else 1


def _whose(options: argparse.Namespace) -> tuple[Any, Any]:
    """The member who tests, and the mailbox as he sees it. Raises CommandFailed."""
    from django.db.models import Q

    from postroom.mailboxes.access import visible_mailboxes
    from postroom.mailboxes.models import Mailbox

    member = find_member_by_address(options.member) if options.member else None
    seen = visible_mailboxes(member) if member else Mailbox.objects.filter(disconnected_at=None)
    named = seen.filter(Q(address__iexact=options.mailbox) | Q(pk__in=_ids(options.mailbox)))
    found = list(named.select_related("owner")[:2])
    if not found:
        raise CommandFailed(f"There is no mailbox {options.mailbox}. See `postroom mailbox list`.", "not_found")
    if len(found) > 1:
        raise CommandFailed("Several workspaces have this mailbox. Name it by its id.", "usage")
    return member or find_member_by_address(found[0].owner.email), found[0]


def _contact(member: Any, options: argparse.Namespace) -> Any:
    """The contact that is written to. Raises CommandFailed."""
    from postroom.mail.address import address_key
    from postroom.records.access import contacts

    found = contacts(member).filter(addresses__key=address_key(options.contact)).first()
    if found is None:
        raise CommandFailed(f"No contact has the address {options.contact}.", "not_found")
    if not options.yes:
        raise CommandFailed(f"This writes to {found.name}. Say --yes if it shall.", "usage")
    return found


def _follow(member: Any, test: Any, wait_seconds: int, output: Output) -> Any:
    """Say each step as it is reached; the progress at the end, which is the last one that time allowed."""
    from postroom.filing.connection_test import follow
    from postroom.outbox.connection_test import visible_tests

    deadline, told = time.monotonic() + wait_seconds, set[str]()
    while True:
        progress = follow(member, visible_tests(member).get(pk=test.pk))
        for step in progress.steps:
            if step.is_done and step.name not in told:
                told.add(step.name)
                after = "" if step.seconds is None else f"  after {step.seconds:.1f} s"
                output.line(f"{MARKS[step.state]} {step.words}{after}")
        if progress.state != "running" or time.monotonic() > deadline:
            return progress
        time.sleep(LOOK_SECONDS)


def _explain(progress: Any, output: Output) -> None:
    """The steps that were not reached, and everything that is to be known about a step."""
    for step in progress.steps:
        if not step.is_done:
            output.line(f"{MARKS[step.state]} {step.words}")
        if (entry := step.entry) is not None:
            for line in (entry.what, *entry.fix, f"{entry.who_acts}.", f"More: {_page_of(entry)}"):
                output.line(f"     {line}")
        if step.server_words:
            output.line(f"     The server said: {step.server_words}")


def _rows(progress: Any) -> list[dict[str, Any]]:
    rows = []
    for step in progress.steps:
        row = {"name": step.name, "state": step.state.value, "needed": step.is_needed, "seconds": step.seconds}
        if (entry := step.entry) is not None:
            row |= {"code": entry.code, "what": entry.what, "fix": " ".join(entry.fix), "who": entry.who}
            row |= {"docs": _page_of(entry), "server_words": step.server_words}
        rows.append(row)
    return rows


def _page_of(entry: Any) -> str:
    from django.conf import settings

    return f"{settings.BASE_URL}/{entry.docs}"


def _ids(text: str) -> list[Any]:
    from uuid import UUID

    try:
        return [UUID(text)]
    except ValueError:
        return []


def _seconds(text: str) -> int:
    if not text.isascii() or not text.isdigit() or int(text) > 3_600:
        raise argparse.ArgumentTypeError(f"seconds from 0 to 3600, not {text!r}")
    return int(text)
