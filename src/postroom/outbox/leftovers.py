"""Takes away what was handed over and never sent: what the job `drop_uploads` does.

Some providers keep what is handed over as a draft, where people see it. A try that died before the act, a refusal or
an undo would leave one behind for each.
"""

from __future__ import annotations

from uuid import UUID

from postroom.engine.sending import drop_uploads
from postroom.mailboxes.credentials import load_credentials
from postroom.mailboxes.models import Grant
from postroom.mailboxes.sealing import Unsealable
from postroom.outbox.models import State, Submission
from postroom.providers import registry
from postroom.providers.base import Credentials
from postroom.workspaces.database import in_thread

ENDED = (State.SENT, State.FAILED, State.CANCELLED)  # nothing else may lose its upload: it may be about to leave


async def drop(submission_id: UUID) -> bool:
    """Delete the leftovers of a submission that has ended; whether its provider was asked. Raises ProviderError."""
    found = await in_thread(_find_ended, submission_id)
    if found is None:
        return False
    submission, credentials = found
    keep = submission.upload if submission.state == State.SENT else ""
    provider = registry.provider(submission.mailbox.provider)
    await drop_uploads(provider, credentials, submission.internet_message_id, keep)
    return True


def _find_ended(submission_id: UUID) -> tuple[Submission, Credentials] | None:
    ended = Submission.objects.select_related("mailbox").defer("mime").filter(pk=submission_id, state__in=ENDED)
    submission = ended.filter(tries__gt=0, mailbox__disconnected_at=None).first()
    if submission is None:
        return None
    if registry.provider(submission.mailbox.provider).capabilities.upload_settles_seconds is None:
        return None
    # Sent once more by a person, the same message may be under way in another row.
    twins = Submission.objects.filter(
        mailbox_id=submission.mailbox_id, internet_message_id=submission.internet_message_id
    )
    if twins.exclude(pk=submission.pk).exclude(state__in=ENDED).exists():
        return None
    try:
        return submission, load_credentials(submission.mailbox)
    except (Unsealable, Grant.DoesNotExist):
        return None
