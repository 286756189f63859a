"""A connection check as lines for the page (lines.py)."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from dataclasses import replace
from typing import Final

from asgiref.sync import sync_to_async
from django.template.loader import render_to_string
from django.urls import reverse

from postroom.mailboxes.connect import (
    AlreadyConnected,
    ConnectRequest,
    MailboxGone,
    check,
    reconnect,
    store_mailbox,
)
from postroom.mailboxes.models import Mailbox
from postroom.mailboxes.same_account import OtherAccount, OtherServer, require_same_account
from postroom.providers.base import CheckStep
from postroom.providers.errors import ProviderError
from postroom.web import check_words
from postroom.web.forms.mailboxes import ConnectForm
from postroom.web.lines import go, put
from postroom.web.next_page import next_url
from postroom.web.refusal import closed_html
from postroom.workspaces.approval import NotApproved
from postroom.workspaces.members import Member

_THIS_MACHINE: Final = ("localhost", "127.0.0.1", "::1")  # a bridge program: its mail goes over no wire


async def lines(
    member: Member,
    request: ConnectRequest,
    mailbox: Mailbox | None = None,
    read_warnings: frozenset[str] = frozenset(),
) -> AsyncIterator[bytes]:
    """Check step by step; save and send to the mailboxes when everything passed, else explain what failed.

    `mailbox` is the connected one that gets new servers or a new password. Warnings other than `read_warnings` stop it
    too, and can be accepted.
    """
    yield put("progress", render_to_string("postroom/connect/_progress.html", {"step": "check"}), "replace")
    yield put("check", render_to_string("postroom/connect/_check.html", {"running": True}), "replace", scroll="check")
    steps: list[CheckStep] = []
    if mailbox is None and (closed := await sync_to_async(closed_html)(member, request)):
        for line in _ended(steps):
            yield line
        yield _over(closed)
        return
    if unread := unread_warnings(plain_text(request), read_warnings):
        for line in _ended(steps):
            yield line
        yield _over(warnings_html(unread, was_tried=False))
        return
    async for step in check(request):
        steps.append(step)
        yield put(f"check-{step.server}", step_html(step), "append")
        yield put(f"state-{step.server}", state_html(steps, step.server, running=True))
    for line in _ended(steps):
        yield line
    if not steps or not all(step.ok for step in steps):
        yield _over(verdict_html(await sync_to_async(whats_wrong)(request, steps, mailbox)))
        return
    if unread := unread_warnings(steps, read_warnings):
        yield _over(warnings_html(unread))
        return
    try:
        location = await sync_to_async(save)(member, request.settled(steps), mailbox, read_warnings)
    except (AlreadyConnected, NotApproved):
        yield _over(await sync_to_async(closed_html)(member, request))
    except OtherServer as moved:
        yield _over(moved_html(moved, read_warnings))
    except (OtherAccount, MailboxGone, ProviderError) as error:
        yield _over(verdict_html([not_the_same(error)]))
    else:
        yield go(location)


def save(
    member: Member, request: ConnectRequest, mailbox: Mailbox | None, read_warnings: frozenset[str] = frozenset()
) -> str:
    """Store what passed its check and say where to go on.

    Raises AlreadyConnected and NotApproved; of a connected mailbox OtherAccount, MailboxGone or a ProviderError, and
    OtherServer unless that is among the `read_warnings`.
    """
    if mailbox is None:
        return next_url(store_mailbox(member, request))
    reconnect(member, mailbox, request, has_moved=OtherServer.code in read_warnings)
    return reverse("mailboxes")


async def refusal_lines(form: ConnectForm) -> AsyncIterator[bytes]:
    """Beside every field what is wrong with it."""
    for field in form:
        html = render_to_string("postroom/connect/_field_errors.html", {"field": field})
        yield put(f"errors-{field.name}", html)
    yield _over(render_to_string("postroom/connect/_typed_wrong.html", {"form": form}))


def whats_wrong(request: ConnectRequest, steps: list[CheckStep], mailbox: Mailbox | None) -> list[CheckStep]:
    """The steps of a check that failed; of a connected mailbox first of all that another account signed in to read.

    What else that one may not do, such as send as the mailbox's address, only follows from it.
    """
    reading = [step.ok for step in steps if step.server == next(iter(check_words.SERVERS))]
    if mailbox is None or not reading or not all(reading):
        return steps
    try:
        require_same_account(mailbox, request.settled(steps).credentials, None, has_moved=True)
    except (OtherAccount, ProviderError) as error:
        return [not_the_same(error)]
    return steps


def not_the_same(error: OtherAccount | MailboxGone | ProviderError) -> CheckStep:
    """Why the check of a connected mailbox ends without its being saved (mailboxes/same_account.py)."""
    facts, words = dict(error.facts), getattr(error, "server_words", "")
    return CheckStep(next(iter(check_words.SERVERS)), "account", False, 0.0, "", error.code, words, facts)


def step_html(step: CheckStep) -> str:
    return render_to_string("postroom/connect/_check_step.html", {"step": step, "words": check_words.words(step)})


def state_html(steps: list[CheckStep], server: str, *, running: bool) -> str:
    """The state beside a server's name: working, passed, stopped, not tried."""
    own = [step for step in steps if step.server == server]
    failed = next((step for step in own if not step.ok), None)
    context = {"failed": bool(failed), "passed": bool(own) and not failed, "running": running}
    return render_to_string("postroom/connect/_check_state.html", context)


def verdict_html(steps: list[CheckStep]) -> str:
    """The catalogue's entries of the steps that failed, with the servers' words."""
    return render_to_string("postroom/connect/_verdicts.html", {"verdicts": check_words.verdicts(steps)})


def plain_text(request: ConnectRequest) -> list[CheckStep]:
    """A warning for each server that would hear the password as plain text, before it is said to anybody."""
    warned = []
    for name in check_words.SERVERS:
        server = request.secrets.get(name, {})
        if server.get("security") == "none" and server.get("host") not in _THIS_MACHINE:
            facts = {"host": server.get("host"), "port": server.get("port")}
            warned.append(CheckStep(name, "tls", True, 0.0, "", "not_encrypted", facts=facts))
    return warned


def unread_warnings(steps: Sequence[CheckStep], read: frozenset[str]) -> list[CheckStep]:
    """The steps that passed with a warning that nobody has accepted yet."""
    return [step for step in steps if step.ok and step.code and step.code not in read]


def warnings_html(steps: Sequence[CheckStep], *, is_whole: bool = False, was_tried: bool = True) -> str:
    """What to think about before saving, with the button that saves all the same.

    `is_whole`: on a page without script, which has forgotten the password. Without `was_tried` the password was told
    to nobody yet.
    """
    context = {
        "verdicts": check_words.warnings(steps),
        "codes": " ".join(sorted({step.code for step in steps})),
        "is_whole": is_whole,
        "was_tried": was_tried,
    }
    return render_to_string("postroom/connect/_warnings.html", context)


def moved_html(error: OtherServer, read_warnings: frozenset[str], *, is_whole: bool = False) -> str:
    """That none of its messages are on the new server, with the button that says that it moved."""
    context = {
        "verdicts": check_words.warnings([replace(not_the_same(error), ok=True)]),
        "codes": " ".join(sorted({*read_warnings, error.code})),
        "is_whole": is_whole,
        "was_tried": True,
        "button": "The server moved: its messages have been copied",
    }
    return render_to_string("postroom/connect/_warnings.html", context)


def _ended(steps: list[CheckStep]) -> list[bytes]:
    """What is beside each server's name when nothing more is tried."""
    return [put(f"state-{server}", state_html(steps, server, running=False)) for server in check_words.SERVERS]


def _over(html: str) -> bytes:
    return put("check-verdict", html, over=True, scroll="check-verdict")
