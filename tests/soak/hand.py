"""The hand: a process with Django loaded that forks engines, each in a clean state, to be killed at will.

stdin and stdout are lines of JSON, a question and its answer:

    {"do": "migrate"}                                        {}
    {"do": "connect", "mailboxes": [ConnectRequest's …], …}  {"workspace": id, "mailboxes": {address: id}}
    {"do": "point", "mailbox": id, "server": …, …}           {}
    {"do": "decide", "mailbox": …, "folder": id, "said": …}  {}                  what its owner answers
    {"do": "collect"}                                        {"removed": …, "left": …}
    {"do": "start", "address": …, "fail": …, …}              {"pid": …}          one pass of sync, then it ends
    {"do": "wait", "pid": …, "seconds": …}                   {"ended": bool, "stopped": bool, "code": …, "rss_mb": …}

An engine ends with 0 when its mailbox is up to date, 1 after an exception that nobody expected, 3 after an error of
the server, 4 when another worker runs the mailbox.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
import time
import traceback
from collections.abc import Callable
from contextlib import redirect_stdout, suppress
from typing import Any

import django
import uvloop

PAGE_MESSAGES = 4  # small, so that a few letters are several pages
UP_TO_DATE, BROKE, REFUSED, ELSEWHERE = 0, 1, 3, 4


def main() -> int:
    with redirect_stdout(sys.stderr):
        django.setup()
        import postroom.ops.sync_once  # noqa: F401  loaded before the first fork
    answer({"ready": True})
    for line in sys.stdin:
        asked = json.loads(line)
        try:
            with redirect_stdout(sys.stderr):
                told = DEEDS[asked.pop("do")](**asked)
        except Exception as error:  # noqa: BLE001  the hand goes on; whoever asked raises it
            told = {"broke": repr(error)}
        answer(told)
    return 0


def answer(told: dict[str, Any]) -> None:
    sys.stdout.write(json.dumps(told) + "\n")
    sys.stdout.flush()


def migrate() -> dict[str, Any]:
    from django.db import connections

    from postroom.ops.migrations import ensure_migrated

    ensure_migrated()
    connections.close_all()
    return {}


def connect(mailboxes: list[dict[str, Any]], contacts: list[str]) -> dict[str, Any]:
    """A new workspace with these mailboxes and contacts. Nobody signs in to it, so its owner has no password."""
    from django.db import connections

    from postroom.mail.address import address_key
    from postroom.mailboxes.connect import ConnectRequest, store_mailbox
    from postroom.records.models import Contact, ContactAddress
    from postroom.workspaces.members import Member
    from postroom.workspaces.models import Membership, Role, User, Workspace

    workspace = Workspace.objects.create(name="Soak")
    user = User.objects.create(email=f"{workspace.pk}@soak.test", name="Owner")
    owner = Member(workspace, user, Membership.objects.create(workspace=workspace, user=user, role=Role.OWNER))
    for address in contacts:
        contact = Contact.objects.create(workspace=workspace, name=address)
        ContactAddress.objects.create(workspace=workspace, contact=contact, address=address, key=address_key(address))
    made = {one["address"]: str(store_mailbox(owner, ConnectRequest(**one)).pk) for one in mailboxes}
    connections.close_all()
    return {"workspace": str(workspace.pk), "mailboxes": made}


def point(mailbox: str, server: dict[str, Any], username: str) -> dict[str, Any]:
    """Store other servers for a mailbox; the password stays "pass"."""
    from django.db import connections

    from postroom.mailboxes.credentials import store_credentials
    from postroom.mailboxes.models import Mailbox

    login = server | {"username": username, "password": "pass"}
    store_credentials(Mailbox.objects.get(pk=mailbox), {"imap": login, "smtp": login}, sign_in_user=username)
    connections.close_all()
    return {}


def decide(mailbox: str, folder: str, said: str) -> dict[str, Any]:
    """Answer what a folder asks, as the mailbox's page does. A question that was taken back needs no answer."""
    from django.db import connections

    from postroom.mailboxes.models import Folder, Mailbox
    from postroom.mailboxes.questions import NotAsked, answer
    from postroom.workspaces.members import Member
    from postroom.workspaces.models import Membership

    workspace_id = Mailbox.objects.get(pk=mailbox).workspace_id
    owner = Membership.objects.select_related("workspace", "user").get(workspace_id=workspace_id)
    with suppress(NotAsked, Folder.DoesNotExist):
        answer(Member(owner.workspace, owner.user, owner), Folder.objects.get(pk=folder), said)
    connections.close_all()
    return {}


def collect() -> dict[str, Any]:
    """Remove the files that no attachment names, as the nightly job does; how many were left after that."""
    from django.db import connections

    from postroom.correspondence.unused_files import remove_orphans

    removed, left = remove_orphans(), remove_orphans()
    connections.close_all()
    return {"removed": removed, "left": left}


def start(**asked: Any) -> dict[str, Any]:
    if (pid := os.fork()) == 0:
        code = BROKE
        try:
            code = engine(**asked)
        except BaseException:  # noqa: BLE001  a supervisor of sorts: the traceback goes to the log
            traceback.print_exc()
        finally:
            sys.stderr.flush()
            os._exit(code)
    return {"pid": pid}


def engine(
    address: str,
    fail: str = "",
    clock_seconds: float = 0,
    constants: dict[str, Any] | None = None,
    timeouts: dict[str, float] | None = None,
) -> int:
    """One pass. `constants` are other values for numbers of ours: {"sync.pages.PAGE_MESSAGES": 4}."""
    from postroom.engine import failpoints
    from postroom.ops import sync_once
    from postroom.providers import registry
    from postroom.providers.guard import NetworkPolicy
    from postroom.providers.imap.provider import ImapProvider
    from postroom.providers.imap.transport import Timeouts
    from tests.soak.clock import shift

    for name, value in ({"sync.pages.PAGE_MESSAGES": PAGE_MESSAGES} | (constants or {})).items():
        module, _, constant = name.rpartition(".")
        assert hasattr(sys.modules[f"postroom.{module}"], constant), name
        setattr(sys.modules[f"postroom.{module}"], constant, value)
    if timeouts:
        policy = NetworkPolicy.from_environment(os.environ)
        registry.PROVIDERS["imap"] = ImapProvider(policy, timeouts=Timeouts(**timeouts))
    failpoints.arm(fail)
    if clock_seconds:
        shift(clock_seconds)
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        # The count repairs what sync lost, and what sync loses is to be seen.
        [summary] = runner.run(sync_once.run(address, lambda line: None, counts_months=False))
    if "error" in summary:
        sys.stderr.write(f"{address}: {summary['error']}\n")
        return REFUSED
    return ELSEWHERE if summary.get("skipped") else UP_TO_DATE


def wait(pid: int, seconds: float) -> dict[str, Any]:
    """Until the process ends or stops itself, or the time is over."""
    deadline = time.monotonic() + seconds
    while True:
        found, status, used = os.wait4(pid, os.WNOHANG | os.WUNTRACED)
        if found and os.WIFSTOPPED(status):
            return {"ended": False, "stopped": True, "code": None, "rss_mb": 0}
        if found:
            code = os.waitstatus_to_exitcode(status)
            return {"ended": True, "stopped": False, "code": code, "rss_mb": used.ru_maxrss / 1024}
        if time.monotonic() > deadline:
            return {"ended": False, "stopped": False, "code": None, "rss_mb": 0}
        time.sleep(0.004)


DEEDS: dict[str, Callable[..., dict[str, Any]]] = {
    "migrate": migrate,
    "connect": connect,
    "collect": collect,
    "point": point,
    "decide": decide,
    "start": start,
    "wait": wait,
}

if __name__ == "__main__":
    sys.exit(main())
