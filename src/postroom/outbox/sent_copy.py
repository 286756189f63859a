"""Sees to the copy in Sent: what the job `file_sent_copy` does. Safe to repeat, and never a reason to send again."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from postroom.engine.sending import SendingDriver
from postroom.outbox.claims import CopyDesk
from postroom.outbox.models import SentCopy, State, Submission
from postroom.providers import registry
from postroom.sync import sending as steps
from postroom.workspaces.database import in_thread, now


async def file_sent_copy(submission_id: UUID) -> steps.Outcome | None:
    """Look in Sent and append the message if it is not there. None when there was nothing to do."""
    found = await in_thread(_find_pending, submission_id)
    if found is None:
        return None
    submission, moment = found
    capabilities = registry.provider(submission.mailbox.provider).capabilities
    age_seconds = (moment - (submission.sent_at or moment)).total_seconds()
    running = steps.file_copy(files_itself=capabilities.files_sent_itself, age_seconds=age_seconds)
    return await SendingDriver(CopyDesk(submission_id)).run(running)


def _find_pending(submission_id: UUID) -> tuple[Submission, datetime] | None:
    pending = Submission.objects.select_related("mailbox").filter(state=State.SENT, sent_copy=SentCopy.PENDING)
    submission = pending.defer("mime").filter(pk=submission_id).first()
    return (submission, now()) if submission else None
