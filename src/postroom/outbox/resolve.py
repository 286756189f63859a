"""Looks for a submission nobody is sure about: what the job `look_for_submission` does. Never sends."""

from __future__ import annotations

from uuid import UUID

from postroom.engine.sending import SendingDriver
from postroom.outbox.claims import LookDesk
from postroom.outbox.models import State, Submission
from postroom.providers import registry
from postroom.sync import sending as steps
from postroom.workspaces.database import in_thread, now


async def look(submission_id: UUID) -> steps.Outcome | None:
    """Look once, if a look is due. Returns the outcome, which is stored already; None when no look was due."""
    due = await in_thread(_find_due, submission_id)
    if due is None:
        return None
    capabilities = registry.provider(due.mailbox.provider).capabilities
    # A copy in Sent can be found only where something files it there before we do.
    can_find = capabilities.finds_by_message_id and capabilities.files_sent_itself is not False
    return await SendingDriver(LookDesk(submission_id, due.looks)).run(steps.look(due.looks, can_find=can_find))


def _find_due(submission_id: UUID) -> Submission | None:
    doubtful = Submission.objects.select_related("mailbox").filter(state__in=[State.IN_DOUBT, State.UNKNOWN])
    return doubtful.defer("mime").filter(pk=submission_id, next_look_at__lte=now()).first()
