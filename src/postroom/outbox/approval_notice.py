"""Tells the administrators that a member asks to connect a mailbox, and the member what was decided; each once.

By mail from a shared mailbox of the workspace (notices.py). Who is told is claimed in the transaction that queues the
letters (owner_notice.py says why): `told_of` is the state that those concerned know. Who has connected the mailbox
already needs no letter that he may.
"""

from __future__ import annotations

from typing import Final
from uuid import UUID

from django.conf import settings
from django.db.models import F, QuerySet

from postroom.outbox.notices import Letter, find_sender, has_sender, send_letter, tell_each
from postroom.providers import registry
from postroom.workspaces.members import administrators
from postroom.workspaces.models import ApprovalRequest, User

MOST_AT_ONCE: Final = 50
State = ApprovalRequest.State


def tell_of_approvals() -> int:
    """Write about requests and decisions that those concerned were not told of; return to how many people."""
    return tell_each(_untold().values_list("pk", flat=True)[:MOST_AT_ONCE], _tell)


def _untold() -> QuerySet[ApprovalRequest]:
    """Those that a letter is due about, and can be carried."""
    waiting = ApprovalRequest.objects.exclude(state=State.WITHDRAWN).exclude(told_of=F("state"))
    return waiting.filter(has_sender(), used_at=None).order_by("asked_at")


def _tell(request_id: UUID) -> int:
    request = _claim(request_id)
    sender = find_sender(request.workspace_id) if request else None
    if request is None or sender is None:
        return 0
    ApprovalRequest.objects.filter(pk=request_id).update(told_of=request.state)
    return send_letter(sender, _concerned(request), letter(request))


def _claim(request_id: UUID) -> ApprovalRequest | None:
    """The request, if it is ours to tell of. Whoever comes second waits for us and then finds it told."""
    request = _untold().select_for_update(of=("self",)).select_related("user", "decided_by").filter(pk=request_id)
    return request.first()


def _concerned(request: ApprovalRequest) -> list[User]:
    if request.state == State.ASKED:
        return administrators(request.workspace_id)
    return [request.user] if request.user.is_active else []


def letter(request: ApprovalRequest) -> Letter:
    """To the administrators while it waits, to the member once it is decided."""
    return _request_letter(request) if request.state == State.ASKED else _decision_letter(request)


def _request_letter(request: ApprovalRequest) -> Letter:
    provider = registry.PROVIDERS.get(request.provider)
    by = provider.title if provider else request.provider
    lines = [f"{request.user} asks to connect {request.address} to Postroom"]
    lines += [f"as a {request.kind} mailbox, by {by}.", *(["", *request.words.splitlines()] if request.words else [])]
    lines += ["", f"Grant or refuse it: {settings.BASE_URL}/settings/approvals/", ""]
    lines += ["All administrators got this letter; the first to decide decides. Nothing is connected before."]
    return Letter(f"{request.user} asks to connect {request.address}", tuple(lines))


def _decision_letter(request: ApprovalRequest) -> Letter:
    is_granted = request.state == State.GRANTED
    who = str(request.decided_by) if request.decided_by else "An administrator"
    lines = [f"{who} has {'granted' if is_granted else 'refused'} your request to connect {request.address}."]
    lines += ["", *request.answer.splitlines()] if request.answer else []
    if is_granted:
        lines += ["", f"Connect it: {settings.BASE_URL}/settings/approvals/"]
    return Letter(f"{request.address}: {'granted' if is_granted else 'refused'}", tuple(lines))
