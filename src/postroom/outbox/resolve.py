"""Looks for a submission nobody is sure about: what the job `look_for_submission` does. Never sends."""

from __future__ import annotations

from uuid import UUID

from postroom.engine.sending import SendingDriver
from postroom.outbox.claims import LookDesk, failed_tries
from postroom.outbox.models import State, Submission
from postroom.providers import registry
from postroom.sync import sending as steps
from postroom.workspaces.database import in_thread, now


async def look(submission_id: UUID) -> steps.Outcome | None:
    """Look once, if a look is due. Returns the outcome, which is stored already; None when no look was due."""
    found = await in_thread(_find_due, submission_id)
    if found is None:
        return None
    due, doubt = found
    capabilities = registry.provider(due.mailbox.provider).capabilities
    # A copy in Sent can be found only where something files it there before we do.
    finds_copies = capabilities.finds_by_message_id and capabilities.files_sent_itself is not False
    running = steps.look(doubt, can_find=finds_copies or bool(due.upload))
    return await SendingDriver(LookDesk(submission_id, due.looks)).run(running)


def _find_due(submission_id: UUID) -> tuple[Submission, steps.Doubt] | None:
    doubtful = Submission.objects.select_related("mailbox").filter(state__in=[State.IN_DOUBT, State.UNKNOWN])
    moment = now()
    due = doubtful.defer("mime").filter(pk=submission_id, next_look_at__lte=moment).first()
    if due is None:
        return None
    doubt = steps.Doubt(
        looks=due.looks,
        seconds=(moment - (due.doubted_at or moment)).total_seconds(),
        settles_seconds=registry.provider(due.mailbox.provider).capabilities.upload_settles_seconds,
        failures=failed_tries(submission_id),
    )
    return due, doubt
