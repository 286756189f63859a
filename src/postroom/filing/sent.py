"""A message that was sent from here is on its record at once, not only when the mailbox shows it."""

from __future__ import annotations

from dataclasses import replace
from uuid import UUID

from django.db.models import Exists, OuterRef
from django.utils import timezone

from postroom.correspondence.models import Direction, Message, Placement
from postroom.correspondence.store import PostgresStore
from postroom.engine.store import NewMessage
from postroom.filing.filer import RecordFiler
from postroom.filing.refile import file_sent
from postroom.mail.message import ParsedMessage
from postroom.mail.mime.identity import identity, reference_key
from postroom.mail.mime.parsing import parse
from postroom.outbox.models import Submission


def store_sent(submission: Submission) -> UUID:
    """Store the frozen message of a submission, tie both together; the message's id. Again: nothing changes.

    When sync brings the copy from the Sent folder, that is the same message by its identity, or by what the provider
    made of it (correspondence/sent_copies.py), and gets a placement only.
    """
    store = PostgresStore(RecordFiler())
    try:
        message_id = _find_copy(submission)
        if message_id is None:
            message_id = store.save_unplaced(submission.mailbox_id, _new_message(submission))
        else:
            names = (submission.sent_internet_message_id, submission.internet_message_id)
            store.join_names(submission.mailbox_id, names)
    finally:
        store.close()
    file_sent(submission, message_id)  # nothing new, unless sync had been faster
    return message_id


def _new_message(submission: Submission) -> NewMessage:
    raw = bytes(submission.mime)
    parsed = _as_it_left(parse(raw), submission)
    return NewMessage(
        remote_id="",
        raw_size=len(raw),
        identity=identity(parsed, raw),
        # To the second, as IMAP tells times: a reply of the same second must not seem older than what it answers.
        received_at=(submission.sent_at or timezone.now()).replace(microsecond=0),
        flags=(),
        parsed=parsed,
    )


def _as_it_left(parsed: ParsedMessage, submission: Submission) -> ParsedMessage:
    """The message under the id that its readers see. Ours stays among what it refers to: a reply may name either."""
    sent_id = submission.sent_internet_message_id
    if not sent_id:
        return parsed
    references = (*parsed.references, parsed.internet_message_id)
    return replace(parsed, internet_message_id=sent_id, references=references)


def _find_copy(submission: Submission) -> UUID | None:
    """The copy that sync has brought from the mailbox before we knew under which id it had left."""
    sent_id = submission.sent_internet_message_id
    if not sent_id:
        return None
    in_mailbox = Placement.objects.filter(message_id=OuterRef("pk"), mailbox_id=submission.mailbox_id)
    return (
        Message.objects.filter(
            Exists(in_mailbox),
            workspace_id=submission.workspace_id,
            ref=reference_key(sent_id),
            internet_message_id=sent_id,
            direction=Direction.OUT,
            from_address__iexact=submission.from_address,
        )
        .values_list("pk", flat=True)
        .first()
    )
