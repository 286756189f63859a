"""Every Procrastinate task. Queue "import" is worked by the importer processes, "light" beside the sessions.

A task is thin: it calls one function of the part it belongs to. All are safe to run twice.
"""

from __future__ import annotations

import asyncio
import logging
import math
import random
from collections.abc import Callable, Coroutine, Mapping
from typing import Any, Final
from uuid import UUID

from procrastinate import App, BaseRetryStrategy, RetryDecision
from procrastinate.contrib.django import app
from procrastinate.jobs import Job, Status

from postroom.correspondence import attachment_files, unused_files
from postroom.engine.importer import Importer
from postroom.engine.joints import joints
from postroom.engine.outage import is_outage, pause_seconds
from postroom.engine.patience import reaction_to
from postroom.filing.sent import store_sent
from postroom.mailboxes import imports, journal, journeys, revocation, watches
from postroom.mailboxes.health import MailboxHealth
from postroom.outbox import (
    app_notice,
    approval_notice,
    health_days,
    leftovers,
    owner_notice,
    rescue,
    resolve,
    sending,
    sent_copy,
)
from postroom.outbox.models import State, Submission
from postroom.providers.errors import FolderGone, NeedsReconnect, ProviderError, Throttled
from postroom.sync.sending import Outcome, Sent
from postroom.workspaces.database import in_thread

log = logging.getLogger(__name__)

KEPT_HOURS = 7 * 24  # of a failed job
STALLED_SECONDS = 15.0  # an importer without a heartbeat for so long is dead


class PatientRetry(BaseRetryStrategy):
    """Tries again as long as the error may pass: `most_tries` times, or for ever."""

    def __init__(self, most_tries: int | None = None) -> None:
        self._most_tries = most_tries

    def get_retry_decision(self, *, exception: BaseException, job: Job) -> RetryDecision | None:
        if self._most_tries is not None and job.attempts + 1 >= self._most_tries:
            return None
        if isinstance(exception, ProviderError):
            return _again_in(reaction_to(exception, job.attempts + 1, random.random()).seconds)  # noqa: S311  jitter
        if isinstance(exception, asyncio.CancelledError) or is_outage(exception):
            return _again_in(pause_seconds(job.attempts + 1, random.random()))  # noqa: S311
        return None


def _again_in(seconds: float) -> RetryDecision:
    return RetryDecision(retry_in={"seconds": math.ceil(seconds)})


class _Own:
    """What an importer process keeps between its jobs."""

    importer: Importer | None = None


async def import_slice(slice_id: str) -> None:
    if _Own.importer is None:
        _Own.importer = Importer(joints().store(), MailboxHealth("import"))
    if not await in_thread(imports.may_run, UUID(slice_id)):
        return
    try:
        await _Own.importer.run(UUID(slice_id))
    except NeedsReconnect as error:
        await in_thread(imports.refused, UUID(slice_id), error)
    except FolderGone:
        await in_thread(imports.folder_gone, UUID(slice_id))
    except Throttled as error:
        seconds = reaction_to(error, 1, random.random()).seconds  # noqa: S311
        await in_thread(imports.throttled, UUID(slice_id), error, seconds)
    except ProviderError:
        raise  # PatientRetry decides
    except Exception as error:  # a supervisor: what breaks is not tried without a pause, nor forgotten
        if not is_outage(error):
            await in_thread(imports.broke, UUID(slice_id))
        raise
    else:
        await in_thread(imports.go_on, UUID(slice_id))


async def send_submission(submission_id: str) -> None:
    await _store_if_sent(submission_id, await sending.send(UUID(submission_id)))


async def look_for_submission(submission_id: str) -> None:
    await _store_if_sent(submission_id, await resolve.look(UUID(submission_id)))


async def file_sent_copy(submission_id: str) -> None:
    await sent_copy.file_sent_copy(UUID(submission_id))
    await in_thread(_store_sent, submission_id)  # a person may have said that it was sent


async def drop_uploads(submission_id: str) -> None:
    await leftovers.drop(UUID(submission_id))


async def revoke_permission(row_id: str, workspace_id: str, app: str, subject: str, sealed: str) -> None:
    await revocation.revoke(UUID(row_id), UUID(workspace_id), app, subject, sealed)


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
        if job.queueing_lock:  # its successor may be queued already; who queued it does so again
            await app.job_manager.finish_job(job, Status.FAILED, delete_job=True)
        else:
            await app.job_manager.retry_job(job)
    await in_thread(imports.queue_orphans)
    await in_thread(rescue.rescue_stuck)
    await in_thread(_store_what_was_sent)


def _store_what_was_sent() -> None:
    """The worker died between sending and storing: put what was sent on its record."""
    for submission in Submission.objects.filter(state=State.SENT, message_id=None).order_by("-sent_at")[:50]:
        try:
            store_sent(submission)
        except Exception:  # a supervisor: one that cannot be stored keeps no other waiting
            log.exception("submission %s was sent and cannot be stored", submission.pk)


async def tell_owners(timestamp: int) -> None:
    """Write to the owners of mailboxes that fail for long."""
    await in_thread(owner_notice.tell_owners)


async def tell_of_ending_grants(timestamp: int) -> None:
    """Write about mailboxes whose permission ends soon."""
    await in_thread(app_notice.tell_of_ending_grants)


async def tell_administrators(timestamp: int) -> None:
    """Write to the administrators about a registration at a provider that is refused or ends soon."""
    await in_thread(app_notice.tell_administrators)


async def tell_of_approvals(timestamp: int) -> None:
    """Write to the administrators about requests to connect a mailbox; to who asked, what was decided."""
    await in_thread(approval_notice.tell_of_approvals)


async def keep_watches(timestamp: int) -> None:
    """Begin and renew the watches by which providers call us."""
    await watches.keep_watches()


async def note_health(timestamp: int) -> None:
    """Add the minute to the day of each mailbox; every tenth also the mail that came and left."""
    await in_thread(health_days.note_states)
    if timestamp // 60 % 10 == 0:
        await in_thread(health_days.count_fresh)


async def count_all_days(timestamp: int) -> None:
    """Count the mail of all days that are shown once more: an outage held up what belongs to an earlier one."""
    await in_thread(health_days.count_all)


async def forget_old_jobs(timestamp: int) -> None:
    """Jobs that failed are kept for whoever looks into it, and not for ever; half-written files for an hour; what was
    done with a mailbox for a month."""
    await app.job_manager.delete_old_jobs(
        nb_hours=KEPT_HOURS, include_failed=True, include_cancelled=True, include_aborted=True
    )
    await in_thread(attachment_files.forget_unfinished)
    await in_thread(journal.prune)
    await in_thread(journeys.prune)


async def remove_orphan_files(timestamp: int) -> None:
    """Workers that died between a file and its row leave files of attachments that nobody can find."""
    if removed := await in_thread(unused_files.remove_orphans):
        log.info("%s files of attachments that nothing names were removed", removed)


# By name: when, and what. Each is a task of its own, so one that fails keeps no other from running.
PERIODIC: Final[Mapping[str, tuple[str, Callable[[int], Coroutine[Any, Any, None]]]]] = {
    "rescue": ("* * * * * */5", rescue_work),
    "forget_old_jobs": ("17 * * * *", forget_old_jobs),
    "keep_watches": ("* * * * *", keep_watches),
    "note_health": ("* * * * *", note_health),
    "count_all_days": ("27 2 * * *", count_all_days),
    "tell_owners": ("*/10 * * * *", tell_owners),
    "tell_of_ending_grants": ("*/10 * * * *", tell_of_ending_grants),
    "tell_administrators": ("* * * * *", tell_administrators),
    "tell_of_approvals": ("* * * * *", tell_of_approvals),
    "remove_orphan_files": ("43 3 * * *", remove_orphan_files),
}


def register(procrastinate_app: App) -> None:
    """Called when Django is ready (PROCRASTINATE_ON_APP_READY)."""
    procrastinate_app.task(name="import_slice", queue="import", retry=PatientRetry())(import_slice)
    for job in (send_submission, look_for_submission, file_sent_copy):
        procrastinate_app.task(name=job.__name__, queue="light")(job)
    procrastinate_app.task(name="drop_uploads", queue="light", retry=PatientRetry())(drop_uploads)
    patiently = PatientRetry(revocation.MOST_TRIES)
    procrastinate_app.task(name=revocation.TASK, queue="light", retry=patiently)(revoke_permission)
    # Without a `lock`: a worker that died over a rescue would hold it, and nobody could rescue that job.
    for name, (cron, periodic) in PERIODIC.items():
        task = procrastinate_app.task(name=name, queue="light", queueing_lock=name)
        procrastinate_app.periodic(cron=cron)(task(periodic))
