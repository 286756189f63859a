"""A message that was sent from here is on its record at once, not only when the mailbox shows it."""

from __future__ import annotations

from uuid import UUID

from django.utils import timezone

from postroom.correspondence.store import PostgresStore
from postroom.engine.store import NewMessage
from postroom.filing.filer import RecordFiler
from postroom.filing.refile import file_sent
from postroom.mail.mime.identity import identity
from postroom.mail.mime.parsing import parse
from postroom.outbox.models import Submission


def store_sent(submission: Submission) -> UUID:
    """Store the frozen message of a submission, tie both together; the message's id. Again: nothing changes.

    When sync brings the copy from the Sent folder, that is the same message by its identity and gets a placement only.
    """
    raw = bytes(submission.mime)
    parsed = parse(raw)
    message = NewMessage(
        remote_id="",
        raw_size=len(raw),
        identity=identity(parsed, raw),
        # To the second, as IMAP tells times: a reply of the same second must not seem older than what it answers.
        received_at=(submission.sent_at or timezone.now()).replace(microsecond=0),
        flags=(),
        parsed=parsed,
    )
    store = PostgresStore(RecordFiler())
    try:
        message_id = store.save_unplaced(submission.mailbox_id, message)
    finally:
        store.close()
    file_sent(submission, message_id)  # nothing new, unless sync had been faster
    return message_id
