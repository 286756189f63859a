"""Every Procrastinate task. Queue "import" is worked by the importer processes, "light" beside the sessions.

A task is thin: it calls one function of the part it belongs to. All are safe to run twice.
"""

from __future__ import annotations

import asyncio
import logging
import math
from uuid import UUID

from procrastinate import App, BaseRetryStrategy, RetryDecision
from procrastinate.contrib.django import app
from procrastinate.jobs import Job

from postroom.engine.importer import Importer
from postroom.engine.joints import joints
from postroom.filing.sent import store_sent
from postroom.mailboxes.health import MailboxHealth, import_later
from postroom.mailboxes.models import ImportSlice
from postroom.outbox import rescue, resolve, sending, sent_copy
from postroom.outbox.models import State, Submission
from postroom.providers.errors import NeedsReconnect, ProviderError, Throttled
from postroom.sync.backoff import delay_seconds
from postroom.sync.sending import Outcome, Sent
from postroom.workspaces.database import in_thread

log = logging.getLogger(__name__)

STALLED_SECONDS = 15.0  # an importer without a heartbeat for so long is dead


class PatientRetry(BaseRetryStrategy):
    """Tries again as long as the error may pass; a refused sign-in waits for its owner (rescue queues it again)."""

    def get_retry_decision(self, *, exception: BaseException, job: Job) -> RetryDecision | None:
        if isinstance(exception, NeedsReconnect):
            return None
        if isinstance(exception, Throttled) and exception.retry_after_seconds:
            return _again_in(exception.retry_after_seconds)
        if isinstance(exception, ProviderError | asyncio.CancelledError):
            return _again_in(delay_seconds(job.attempts + 1, 0.5))
        return None


def _again_in(seconds: float) -> RetryDecision:
    return RetryDecision(retry_in={"seconds": math.ceil(seconds)})


class _Own:
    """What an importer process keeps between its jobs."""

    importer: Importer | None = None


async def import_slice(slice_id: str) -> None:
    if _Own.importer is None:
        _Own.importer = Importer(joints().store(), MailboxHealth())
    await _Own.importer.run(UUID(slice_id))


async def send_submission(submission_id: str) -> None:
    await _store_if_sent(submission_id, await sending.send(UUID(submission_id)))


async def look_for_submission(submission_id: str) -> None:
    await _store_if_sent(submission_id, await resolve.look(UUID(submission_id)))


async def file_sent_copy(submission_id: str) -> None:
    await in_thread(_store_sent, submission_id)  # a person may have said that it was sent
    await sent_copy.file_sent_copy(UUID(submission_id))


async def _store_if_sent(submission_id: str, outcome: Outcome | None) -> None:
    if isinstance(outcome, Sent):
        await in_thread(_store_sent, submission_id)


def _store_sent(submission_id: str) -> None:
    submission = Submission.objects.filter(pk=submission_id, state=State.SENT, message_id=None).first()
    if submission is not None:
        store_sent(submission)


async def rescue_work(timestamp: int) -> None:
    """Put back to work what a dead worker left: jobs, slices without a job, submissions without a job."""
    for job in await app.job_manager.get_stalled_jobs(seconds_since_heartbeat=STALLED_SECONDS):
        log.warning("job %s of a dead worker is tried again", job.id)
        await app.job_manager.retry_job(job)
    await in_thread(_rescue_slices)
    await in_thread(rescue.rescue_stuck)
    await in_thread(_store_what_was_sent)


def _store_what_was_sent() -> None:
    """The worker died between sending and storing: put what was sent on its record."""
    for submission in Submission.objects.filter(state=State.SENT, message_id=None)[:50]:
        store_sent(submission)


def _rescue_slices() -> None:
    """Queue slices again whose job is gone: the worker died between storing and queueing, or a sign-in was refused."""
    orphans = ImportSlice.objects.raw(
        """
        SELECT s.id, s.mailbox_id, s.position
        FROM mailboxes_importslice s JOIN mailboxes_mailbox m ON m.id = s.mailbox_id
        WHERE NOT s.is_done AND m.disconnected_at IS NULL AND m.paused_at IS NULL AND NOT m.needs_reconnect
          AND NOT EXISTS (SELECT FROM procrastinate_jobs j WHERE j.task_name = 'import_slice'
                          AND j.status IN ('todo', 'doing') AND j.args ->> 'slice_id' = s.id::text)
        ORDER BY s.position LIMIT 200
        """
    )
    for piece in orphans:
        import_later(piece.mailbox_id, piece)


def register(procrastinate_app: App) -> None:
    """Called when Django is ready (PROCRASTINATE_ON_APP_READY)."""
    procrastinate_app.task(name="import_slice", queue="import", retry=PatientRetry())(import_slice)
    for job in (send_submission, look_for_submission, file_sent_copy):
        procrastinate_app.task(name=job.__name__, queue="light")(job)
    rescue_task = procrastinate_app.task(name="rescue", queue="light", queueing_lock="rescue", lock="rescue")
    procrastinate_app.periodic(cron="* * * * * */5")(rescue_task(rescue_work))
