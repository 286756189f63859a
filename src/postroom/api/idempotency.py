"""`Idempotency-Key`: a repeated request gets the first one's answer and does nothing.

The work and its answer are committed in one transaction, under an advisory lock of the key. So a process that dies in
between leaves neither, and the repeated request does the work; a request that comes while the first is at work is told
so (409). An answer that made nothing (4xx, 5xx) is not kept: the cause may be mended and the same request sent again.
Keys are a member's own: another member's answer is never given away.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from datetime import timedelta
from functools import wraps
from typing import Any, Final

from django.db import connection, transaction
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.utils import timezone
from django.utils.crypto import salted_hmac

from postroom.api.auth import find_member_of
from postroom.api.models import IdempotencyKey
from postroom.api.problems import Problem, respond, unfit
from postroom.workspaces.members import Member

HEADER: Final = "Idempotency-Key"
REPLAYED: Final = "Idempotent-Replayed"
KEPT_FOR: Final = timedelta(hours=48)
LONGEST_KEY: Final = 255

Run = Callable[..., HttpResponse]


def idempotent(run: Run) -> Run:
    """Decorate the operation of a POST that creates (ninja's `decorate_view`)."""

    @wraps(run)
    def once(request: HttpRequest, **arguments: Any) -> HttpResponse:
        key = request.headers.get(HEADER)
        member = _member(request) if key is not None else None
        if key is None or member is None:
            return run(request, **arguments)  # without a member it answers 401
        if not 0 < len(key) <= LONGEST_KEY or not key.isprintable():
            return respond(unfit(HEADER, f"A key has 1 to {LONGEST_KEY} printable characters."))
        try:
            return _answer(member, _stored_key(member, key), _digest(request), lambda: run(request, **arguments))
        except Problem as refused:
            return respond(refused)

    return once


def forget_old_keys() -> int:
    """Delete the answers that are older than KEPT_FOR; return how many."""
    return IdempotencyKey.objects.filter(created_at__lt=timezone.now() - KEPT_FOR).delete()[0]


@transaction.atomic
def _answer(member: Member, key: str, digest: str, work: Callable[[], HttpResponse]) -> HttpResponse:
    """The stored answer, or that of the work, stored when it made something. Raises Problem for the two conflicts."""
    if not _lock(key):
        raise Problem("idempotency_key_in_use")
    known = IdempotencyKey.objects.filter(workspace=member.workspace, key=key).first()
    if known is not None:
        if known.request_digest != digest:
            raise Problem("idempotency_key_reused")
        return JsonResponse(known.response, status=known.status, headers={REPLAYED: "true"})
    with transaction.atomic():
        response = work()
        has_failed = response.status_code >= 400
        transaction.set_rollback(has_failed)
    if not has_failed:
        forget_old_keys()
        IdempotencyKey.objects.create(
            workspace=member.workspace,
            key=key,
            request_digest=digest,
            status=response.status_code,
            response=json.loads(response.content),
        )
    return response


def _lock(key: str) -> bool:
    """Hold the key until the transaction ends; False when somebody else does."""
    number = int.from_bytes(hashlib.sha256(key.encode()).digest()[:8], "big", signed=True)
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_try_advisory_xact_lock(%s)", [number])
        return bool(cursor.fetchone()[0])


def _stored_key(member: Member, key: str) -> str:
    return f"{member.user.pk}:{hashlib.sha256(key.encode()).hexdigest()}"


def _digest(request: HttpRequest) -> str:
    """Keyed: a body may hold a mailbox's password, which a plain digest would let whoever has the table guess."""
    said = f"{request.method} {request.path}\n".encode() + request.body
    return salted_hmac("postroom.idempotency", said, algorithm="sha256").hexdigest()


def _member(request: HttpRequest) -> Member | None:
    scheme, _, secret = request.headers.get("Authorization", "").partition(" ")
    return find_member_of(secret) if scheme.lower() == "bearer" else None
