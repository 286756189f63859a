"""`mailbox check`, `mailbox connect` and `mailbox list`."""

from __future__ import annotations

import argparse
import asyncio
import os
from typing import Any, Final

from postroom.ops.commands import connection_test, discovering
from postroom.ops.commands.options import declare, group, read_password
from postroom.ops.commands.people import find_member_by_address
from postroom.ops.output import CommandFailed, Output

SERVERS: Final = ("imap", "smtp")
# RFC 8314 section 3 (TLS), RFC 3501 and RFC 6409 (STARTTLS); 25 for servers without encryption on a private network.
PORTS: Final = {
    "imap": {"tls": 993, "starttls": 143, "none": 143},
    "smtp": {"tls": 465, "starttls": 587, "none": 25},
}


def add(commands: Any) -> None:
    mailboxes = group(commands, "mailbox", "Connected mailboxes.")
    check = declare(mailboxes, "check", check_mailbox, "Try both servers of a mailbox step by step; store nothing.")
    _add_servers(check)
    discovering.add(mailboxes)
    connect = declare(mailboxes, "connect", connect_mailbox, "Check a mailbox and, when all steps pass, connect it.")
    _add_servers(connect)
    connect.add_argument("--owner", default="", metavar="ADDRESS", help="the member it belongs to (default: the owner)")
    connect.add_argument("--display-name", default="", metavar="NAME", help="the name people see beside the address")
    connect.add_argument("--kind", choices=("personal", "shared"), default="shared")
    connect.add_argument("--usage", choices=("general", "sales", "support", "billing", "personal"), default="general")
    connect.add_argument(
        "--keep",
        choices=("everything", "records"),
        default="",
        help="which mail is kept (default: everything of a shared mailbox, of a personal one what is on records)",
    )
    connect.add_argument("--days", type=_days, default=30, metavar="N", help="how far back, 1 to 365 (default 30)")
    shown = declare(mailboxes, "list", list_mailboxes, "Show every mailbox with its state and progress.")
    shown.add_argument("--email", default="", metavar="ADDRESS", help="only those this member sees")
    connection_test.add(mailboxes)


def check_mailbox(options: argparse.Namespace, output: Output) -> int:
    steps = asyncio.run(_run_check(_request(options), output))
    return _finish_check(steps, output)


def connect_mailbox(options: argparse.Namespace, output: Output) -> int:
    from postroom.mailboxes import connect
    from postroom.providers import catalogue
    from postroom.workspaces.approval import NotApproved

    member = find_member_by_address(options.owner) if options.owner else _only_owner()
    request = _request(options)
    try:
        connect.require_open(member, request)
    except connect.AlreadyConnected as error:
        raise CommandFailed(f"{request.address} is connected already.", "already_connected") from error
    except NotApproved as refused:
        entry = catalogue.explain(refused.code, **refused.facts)
        raise CommandFailed(f"{entry.what} {' '.join(entry.fix)}", refused.code) from refused
    steps = asyncio.run(_run_check(request, output))
    if not steps or not all(step["ok"] for step in steps):
        return _finish_check(steps, output)
    mailbox = connect.store_mailbox(member, request)
    output.line(f"{mailbox.address} is connected. Its mail is imported by `bin/up`, or now by `postroom sync --once`.")
    output.answer({"ok": True, "id": mailbox.pk, "address": mailbox.address, "steps": steps})
    return 0


def list_mailboxes(options: argparse.Namespace, output: Output) -> int:
    from postroom.mailboxes.access import visible_mailboxes
    from postroom.mailboxes.models import Mailbox

    found = Mailbox.objects.filter(disconnected_at=None).select_related("owner").order_by("address")
    if options.email:
        found = visible_mailboxes(find_member_by_address(options.email))
    rows = [_row(mailbox) for mailbox in found]
    for row in rows:
        progress = row["progress"]
        trouble = f"  {row['error']['what']}" if row["error"] else ""
        counts = f"{progress['listed']} listed, {progress['kept']} kept, {progress['filed']} filed"
        output.line(f"{row['address']}  {row['kind']}  {row['state']}  {counts}{trouble}")
    if not rows:
        output.line("No mailbox is connected. Connect one with `postroom mailbox connect`.")
    output.answer({"ok": True, "mailboxes": rows})
    return 0


def _add_servers(command: argparse.ArgumentParser) -> None:
    command.add_argument("--address", required=True, help="the mailbox's address")
    command.add_argument("--provider", default=SERVERS[0], help="the kind of mailbox (default: %(default)s)")
    for server in SERVERS:
        name = server.upper()
        command.add_argument(f"--{server}-host", metavar="HOST", help=f"the {name} server")
        command.add_argument(f"--{server}-port", type=_port, metavar="PORT", help="default: as usual")
        command.add_argument(f"--{server}-security", choices=("tls", "starttls", "none"), default="tls")
        command.add_argument(f"--{server}-username", metavar="NAME", help="default: the address")
        command.add_argument(
            f"--{server}-password-stdin", action="store_true", help=f"read the {name} password from stdin, one line"
        )
    command.add_argument("--password-stdin", action="store_true", help="read one password for both servers from stdin")


def _request(options: argparse.Namespace) -> Any:
    """The ConnectRequest of the options and the passwords on stdin. Raises CommandFailed."""
    from postroom.mail.address import is_valid
    from postroom.mailboxes.connect import ConnectRequest
    from postroom.providers import registry

    typed = [value for value in vars(options).values() if isinstance(value, str)]
    if any(not value.isprintable() for value in typed):
        raise CommandFailed("Line breaks and control characters cannot be used in options.", "invalid")
    if not is_valid(options.address):
        raise CommandFailed(f"{options.address} is not a mail address.", "invalid")
    if options.provider not in registry.PROVIDERS:
        raise CommandFailed(f"There is no provider {options.provider}.", "invalid")
    secrets = {} if os.environ.get("POSTROOM_DEMO") and options.provider not in SERVERS else _servers(options)
    given = {name: getattr(options, name) for name in ("display_name", "usage", "keep") if hasattr(options, name)}
    return ConnectRequest(
        provider=options.provider,
        address=options.address,
        kind=getattr(options, "kind", "shared"),
        backfill_days=getattr(options, "days", 30),
        secrets=secrets,
        **given,
    )


def _servers(options: argparse.Namespace) -> dict[str, dict[str, Any]]:
    """Both servers' settings; the passwords are read from stdin in the order of SERVERS."""
    both = read_password() if options.password_stdin else ""
    found = {}
    for server in SERVERS:
        host = getattr(options, f"{server}_host")
        if not host:
            raise CommandFailed(f"--{server}-host is needed.", "usage")
        own = getattr(options, f"{server}_password_stdin")
        if not own and not both:
            raise CommandFailed(f"Give --password-stdin for both servers, or --{server}-password-stdin.", "usage")
        security = getattr(options, f"{server}_security")
        found[server] = {
            "host": host,
            "port": getattr(options, f"{server}_port") or PORTS[server][security],
            "security": security,
            "username": getattr(options, f"{server}_username") or options.address,
            "password": read_password(f"the {server.upper()} password") if own else both,
        }
    return found


async def _run_check(request: Any, output: Output) -> list[dict[str, Any]]:
    """Every step as it happens, with its seconds."""
    from postroom.mailboxes import connect

    steps = []
    async for step in connect.check(request):
        row = _step_row(step)
        steps.append(row)
        mark = "FAIL" if not step.ok else "warn" if step.code else "ok  "
        output.line(f"{mark} {step.server} {step.name} {step.seconds:.2f} s  {step.note}".rstrip())
        if row.get("code"):
            _show_cause(row, output)
    return steps


def _show_cause(row: dict[str, Any], output: Output) -> None:
    """What happened, what to do, who must act, where more is written, and the server's words."""
    from postroom.providers import catalogue

    who = "" if row["ok"] else f"{catalogue.WHO_ACTS[row['who']]}."
    said = f"The server said: {row['server_words']}" if row["server_words"] else ""
    for text in (row["title"] + ".", row["what"], *row["steps"], who, said, f"More: {row['docs']}"):
        if text:
            output.line(f"     {text}")


def _step_row(step: Any) -> dict[str, Any]:
    """One step for programs; a step that passed with a warning has its words too."""
    from django.conf import settings

    from postroom.providers import catalogue

    row = {"server": step.server, "name": step.name, "ok": step.ok, "seconds": round(step.seconds, 3)}
    if not step.ok or step.code:
        entry = catalogue.explain_check(step.code, **step.facts)
        row |= {
            "warning": step.ok,
            "code": entry.code,
            "title": entry.title,
            "what": entry.what,
            "fix": " ".join(entry.fix),
            "steps": list(entry.fix),
            "who": entry.who,
            "docs": f"{settings.BASE_URL}/{entry.docs}",
            "server_words": step.server_words,
        }
    return row


def _finish_check(steps: list[dict[str, Any]], output: Output) -> int:
    is_good = bool(steps) and all(step["ok"] for step in steps)
    output.line("All steps passed." if is_good else "The check failed; nothing was stored.")
    output.answer({"ok": is_good, "steps": steps})
    return 0 if is_good else 1


def _only_owner() -> Any:
    """The owner of the only workspace. Raises CommandFailed where that is not one person."""
    from postroom.workspaces.members import Member
    from postroom.workspaces.models import Membership, Role

    owners = Membership.objects.filter(role=Role.OWNER, user__is_active=True, left_at=None)
    found = list(owners.select_related("workspace", "user").order_by("created_at")[:50])
    if not found:
        raise CommandFailed("There is no workspace yet. Make one with `postroom init`.", "no_workspace")
    if len({membership.workspace_id for membership in found}) > 1:
        raise CommandFailed("There are several workspaces. Say whose mailbox it is with --owner.", "usage")
    return Member(found[0].workspace, found[0].user, found[0])


def _row(mailbox: Any) -> dict[str, Any]:
    error = mailbox.error
    return {
        "id": mailbox.pk,
        "address": mailbox.address,
        "kind": mailbox.kind,
        "provider": mailbox.provider,
        "owner": mailbox.owner.email,
        "state": mailbox.state,
        "progress": {"listed": mailbox.listed_count, "kept": mailbox.kept_count, "filed": mailbox.filed_count},
        "last_synced_at": mailbox.last_synced_at.isoformat() if mailbox.last_synced_at else None,
        "error": {"code": error.code, "what": error.what, "fix": " ".join(error.fix)} if error else None,
    }


def _days(text: str) -> int:
    return _number(text, 1, 365)


def _port(text: str) -> int:
    return _number(text, 1, 65535)


def _number(text: str, least: int, most: int) -> int:
    if not text.isascii() or not text.isdigit() or not least <= int(text) <= most:
        raise argparse.ArgumentTypeError(f"a number from {least} to {most}, not {text!r}")
    return int(text)
