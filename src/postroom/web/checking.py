"""A connection check as lines for the page: each line is JSON and says what goes where (js/check.js)."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from typing import Any

from asgiref.sync import sync_to_async
from django.template.loader import render_to_string
from django.urls import reverse

from postroom.mailboxes.connect import (
    AlreadyConnected,
    ConnectRequest,
    check,
    is_connected,
    reconnect,
    store_mailbox,
)
from postroom.mailboxes.models import Mailbox
from postroom.providers.base import CheckStep
from postroom.web import check_words
from postroom.web.forms.mailboxes import ConnectForm
from postroom.workspaces.members import Member


async def lines(member: Member, request: ConnectRequest, mailbox: Mailbox | None = None) -> AsyncIterator[bytes]:
    """Check step by step; save and send to the mailboxes when everything passed, else explain what failed.

    `mailbox` is the connected one that gets new servers or a new password.
    """
    yield _line(
        "check", render_to_string("postroom/connect/_check.html", {"running": True}), place="replace", scroll=True
    )
    if mailbox is None and await sync_to_async(is_connected)(member, request.address):
        yield _over(already_connected(request.address))
        return
    steps: list[CheckStep] = []
    async for step in check(request):
        steps.append(step)
        yield _line(f"check-{step.server}", step_html(step), place="append")
        yield _line(f"state-{step.server}", state_html(steps, step.server, running=True))
    for server in check_words.SERVERS:
        yield _line(f"state-{server}", state_html(steps, server, running=False))
    if not steps or not all(step.ok for step in steps):
        yield _over(verdict_html(steps))
        return
    try:
        await sync_to_async(save)(member, request, mailbox)
    except AlreadyConnected:
        yield _over(already_connected(request.address))
    else:
        yield _json({"location": reverse("mailboxes")})


def save(member: Member, request: ConnectRequest, mailbox: Mailbox | None) -> None:
    """Store what passed its check. Raises AlreadyConnected."""
    if mailbox is None:
        store_mailbox(member, request)
    else:
        reconnect(member, mailbox, request)


async def refusal_lines(form: ConnectForm) -> AsyncIterator[bytes]:
    """Beside every field what is wrong with it."""
    for field in form:
        html = render_to_string("postroom/connect/_field_errors.html", {"field": field})
        yield _line(f"errors-{field.name}", html)
    yield _over(render_to_string("postroom/connect/_typed_wrong.html", {"form": form}))


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


def already_connected(address: str) -> str:
    return render_to_string("postroom/connect/_already_connected.html", {"address": address})


def _line(into: str, html: str, **how: Any) -> bytes:
    return _json({"into": into, "html": html, **how})


def _over(html: str) -> bytes:
    return _json({"into": "check-verdict", "html": html, "over": True, "scroll": True})


def _json(line: dict[str, Any]) -> bytes:
    return json.dumps(line).encode() + b"\n"
