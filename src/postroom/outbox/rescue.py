"""Finds submissions that no living job cares for, and gives them one. Runs every few seconds, by PostgreSQL's clock."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from uuid import UUID

from django.db import close_old_connections, connection, transaction

from postroom.outbox import later
from postroom.outbox.claims import announce, bury
from postroom.outbox.models import State, Submission

log = logging.getLogger(__name__)

CLAIM_GRACE_SECONDS = 10.0  # a claim so young is never taken for dead
MOST_AT_ONCE = 500

_NO_JOB = """NOT EXISTS (SELECT FROM procrastinate_jobs j WHERE j.task_name = %(task)s
                         AND j.status IN ({states}) AND j.args ->> 'submission_id' = s.id::text)"""
_NOT_WAITED_FOR = _NO_JOB.format(states="'todo', 'doing'")
# A job of a dead worker stays "doing" until ops/jobs.py finds the worker's heart silent; then it is "todo".
_NOT_UNDER_WAY = _NO_JOB.format(states="'doing'")

_GONE = """s.state = 'queued' AND EXISTS (
           SELECT FROM mailboxes_mailbox m WHERE m.id = s.mailbox_id AND m.disconnected_at IS NOT NULL)"""
_MENDED = """s.state = 'queued' AND s.send_at > now() AND s.error_code <> '' AND EXISTS (
             SELECT FROM mailboxes_grant g WHERE g.mailbox_id = s.mailbox_id AND g.updated_at > s.claimed_at)"""
_DUE = f"s.state = 'queued' AND s.send_at <= now() AND {_NOT_WAITED_FOR}"
_DEAD = f"s.state = 'sending' AND s.claimed_at < now() - %(grace)s * interval '1 second' AND {_NOT_UNDER_WAY}"
_ORPHANED_DOUBT = f"""s.state = 'in_doubt' AND s.claimed_at < now() - %(grace)s * interval '1 second'
             AND EXISTS (SELECT FROM outbox_attempt a WHERE a.submission_id = s.id AND a.ended_at IS NULL)
             AND {_NOT_UNDER_WAY}"""
_LOOK_DUE = f"s.state IN ('in_doubt', 'unknown') AND s.next_look_at <= now() AND {_NOT_WAITED_FOR}"
_COPY_DUE = f"""s.state = 'sent' AND s.sent_copy = 'pending' AND coalesce(s.next_look_at, s.sent_at) <= now()
             AND {_NOT_WAITED_FOR}"""


def rescue_stuck(*, grace_seconds: float = CLAIM_GRACE_SECONDS) -> int:
    """Put everything back to work that got stuck; return how many submissions that were."""
    close_old_connections()
    try:
        return sum(1 for _ in _rescue(grace_seconds))
    finally:
        close_old_connections()


def _rescue(grace_seconds: float) -> Iterator[UUID]:
    for submission_id in _find(_GONE, later.SEND):
        _cancel(submission_id)
        yield submission_id
    for submission_id in _find(_DEAD, later.SEND, grace_seconds):
        log.warning("submission %s: its worker died before handing it over; queued again", submission_id)
        bury(submission_id)
        yield submission_id
    for submission_id in _find(_MENDED, later.SEND):
        _send_now(submission_id)
        yield submission_id
    for submission_id in _find(_DUE, later.SEND):
        later.send_later(submission_id)
        yield submission_id
    for submission_id in _find(_ORPHANED_DOUBT, later.SEND, grace_seconds):
        log.warning("submission %s: its worker died while handing it over; looking for it", submission_id)
        _look_now(submission_id)
        yield submission_id
    for submission_id in _find(_LOOK_DUE, later.LOOK):
        later.look_later(submission_id)
        yield submission_id
    for submission_id in _find(_COPY_DUE, later.FILE_COPY):
        later.file_copy_later(submission_id)
        yield submission_id


def _find(condition: str, task: str, grace_seconds: float = 0.0) -> list[UUID]:
    with connection.cursor() as cursor:
        cursor.execute(
            f"SELECT s.id FROM outbox_submission s WHERE {condition} LIMIT {MOST_AT_ONCE}",  # noqa: S608
            {"task": task, "grace": grace_seconds},
        )
        return [row[0] for row in cursor.fetchall()]


def _cancel(submission_id: UUID) -> None:
    """Its mailbox was disconnected: nothing may leave from there."""
    queued = Submission.objects.filter(pk=submission_id, state=State.QUEUED)
    if queued.update(state=State.CANCELLED, error_code="mailbox_disconnected"):
        announce(submission_id)


@transaction.atomic
def _send_now(submission_id: UUID) -> None:
    """The mailbox was connected anew since the last try failed."""
    with connection.cursor() as cursor:
        cursor.execute(
            "UPDATE outbox_submission SET send_at = now() WHERE id = %s AND state = 'queued' AND send_at > now()",
            [submission_id],
        )
        is_ours = cursor.rowcount == 1
    if is_ours:
        later.send_later(submission_id)


@transaction.atomic
def _look_now(submission_id: UUID) -> None:
    with connection.cursor() as cursor:
        cursor.execute(
            "UPDATE outbox_submission SET next_look_at = now() WHERE id = %s AND state = 'in_doubt'", [submission_id]
        )
        cursor.execute(
            "UPDATE outbox_attempt SET ended_at = now(), outcome = 'in_doubt'"
            " WHERE submission_id = %s AND ended_at IS NULL",
            [submission_id],
        )
