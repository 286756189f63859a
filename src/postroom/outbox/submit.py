"""Taking a message for sending, and what a person may decide about it afterwards (DESIGN.md 7)."""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from uuid import UUID

from django.db import models, transaction

from postroom.correspondence.models import Message
from postroom.mail.headers import one_line
from postroom.mail.message import Address
from postroom.mailboxes.models import Mailbox
from postroom.outbox import later
from postroom.outbox.access import may_decide
from postroom.outbox.choice import choice_or_reason
from postroom.outbox.claims import announce
from postroom.outbox.composition import Composition, SubmitRefused, validate
from postroom.outbox.freezing import freeze
from postroom.outbox.models import SentCopy, State, Submission
from postroom.outbox.sender import Choice, NoChoice
from postroom.records.models import Company, Contact, Deal, RecordType
from postroom.workspaces import audit
from postroom.workspaces.database import now
from postroom.workspaces.ids import new_id
from postroom.workspaces.members import Member
from postroom.workspaces.models import User

__all__ = [
    "Composition",
    "SubmitRefused",
    "cancel",
    "check_again",
    "dismiss",
    "mark_as_sent",
    "send_again",
    "submit",
    "submit_notice",
]

UNDO_SECONDS = 5.0  # what the pages give
LONGEST_SNIPPET = 200
_RECORDS: dict[int, type[models.Model]] = {
    RecordType.CONTACT: Contact,
    RecordType.COMPANY: Company,
    RecordType.DEAL: Deal,
}


@transaction.atomic
def submit(
    member: Member, composition: Composition, *, undo_seconds: float = 0.0, submission_id: UUID | None = None
) -> Submission:
    """Freeze the message and queue it; its job is committed with it. Raises SubmitRefused and stores nothing then.

    It leaves after `undo_seconds`, or at `composition.send_at` if that is later. A `submission_id` that the caller took
    beforehand (`new_id()`) makes it happen once: a second one with the same id raises IntegrityError.
    """
    validate(composition)
    _find_record(member, composition)
    _find_answered(member, composition)
    choice = choice_or_reason(
        member,
        composition.record_type,
        composition.record_id,
        composition.in_reply_to,
        mailbox_id=composition.mailbox_id,
        from_address=composition.from_address,
    )
    if isinstance(choice, NoChoice):
        field = "from_address" if choice.code == "address_not_allowed" else "mailbox_id"
        raise SubmitRefused(choice.code, field, choice.reason)
    mailbox = Mailbox.objects.get(pk=choice.mailbox_id)
    return _queue(mailbox, choice, composition, author=member.user, undo_seconds=undo_seconds, given_id=submission_id)


@transaction.atomic
def submit_notice(mailbox: Mailbox, choice: Choice, composition: Composition) -> Submission:
    """Freeze and queue a message of Postroom itself, which no member wrote. Raises SubmitRefused.

    Who may send through the mailbox is not asked: the caller has chosen one that the workspace sends from.
    """
    validate(composition)
    return _queue(mailbox, choice, composition)


def _queue(
    mailbox: Mailbox,
    choice: Choice,
    composition: Composition,
    *,
    author: User | None = None,
    undo_seconds: float = 0.0,
    given_id: UUID | None = None,
) -> Submission:
    moment = now()
    send_at = moment + timedelta(seconds=undo_seconds)
    if composition.send_at is not None:
        send_at = max(send_at, composition.send_at)
    submission_id = given_id or new_id()
    # The Date header says when it leaves (RFC 5322 section 3.6.1 would say: when the author was done).
    sender = Address(choice.address, choice.name)
    frozen = freeze(composition, submission_id, sender, send_at, reply_to=choice.reply_to)
    submission = Submission.objects.create(
        id=submission_id,
        workspace_id=mailbox.workspace_id,
        mailbox=mailbox,
        author=author,
        record_type=composition.record_type,
        record_id=composition.record_id,
        internet_message_id=frozen.internet_message_id,
        from_address=choice.address,
        from_name=choice.name,
        reason_for_from=choice.reason,
        to=_as_json(composition.to),
        cc=_as_json(composition.cc),
        bcc=_as_json(composition.bcc),
        subject=frozen.subject,
        snippet=" ".join(one_line(composition.readable_text[:1_000]).split())[:LONGEST_SNIPPET],
        mime=frozen.mime,
        recipients=composition.envelope_recipients(),
        in_reply_to=composition.in_reply_to,
        created_at=moment,
        send_at=send_at,
    )
    later.send_later(submission.pk, send_at)
    announce(submission.pk, submission.record_id)
    return submission


@transaction.atomic
def cancel(member: Member, submission: Submission) -> None:
    """Take it back while it is queued. Raises SubmitRefused when a worker has it already."""
    _may_decide(member, submission)
    queued = Submission.objects.filter(pk=submission.pk, state=State.QUEUED)
    if not queued.update(state=State.CANCELLED):
        raise SubmitRefused("not_queued", "state", "It is too late: the message is being sent or has been sent.")
    submission.state = State.CANCELLED
    if submission.tries:
        later.drop_uploads_later(submission.pk)
    audit.record(member, "submission.cancelled", str(submission.pk))
    announce(submission.pk, submission.record_id)


@transaction.atomic
def dismiss(member: Member, submission: Submission) -> bool:
    """Close a failed message, so that lists show it no more; its error stays on the row. False when it was not failed.

    Raises SubmitRefused when it is not the member's to decide.
    """
    _may_decide(member, submission)
    failed = Submission.objects.filter(pk=submission.pk, state=State.FAILED)
    if not failed.update(state=State.CANCELLED):
        return False
    submission.state = State.CANCELLED
    audit.record(member, "submission.dismissed", str(submission.pk))
    announce(submission.pk, submission.record_id)
    return True


@transaction.atomic
def check_again(member: Member, submission: Submission) -> None:
    """Look in Sent once more."""
    _may_decide(member, submission)
    doubtful = Submission.objects.filter(pk=submission.pk, state__in=[State.IN_DOUBT, State.UNKNOWN])
    if not doubtful.update(next_look_at=now()):
        raise _not_unknown()
    later.look_later(submission.pk)


@transaction.atomic
def mark_as_sent(member: Member, submission: Submission) -> None:
    """A person knows that it arrived."""
    _may_decide(member, submission)
    moment = now()
    unknown = Submission.objects.filter(pk=submission.pk, state=State.UNKNOWN)
    sent_at = submission.claimed_at or moment
    if not unknown.update(state=State.SENT, sent_at=sent_at, next_look_at=None, error_code=""):
        raise _not_unknown()
    submission.state, submission.sent_at = State.SENT, sent_at
    audit.record(member, "submission.marked_as_sent", str(submission.pk))
    later.file_copy_later(submission.pk)
    announce(submission.pk, submission.record_id)


@transaction.atomic
def send_again(member: Member, submission: Submission) -> Submission:
    """Send the same bytes once more, though the first may have arrived; returns the new submission.

    The Message-ID stays, so a reader's server may recognise the second copy. The first is closed as cancelled; what it
    had handed over, should it still wait there, is what the new one sends (`tries` goes on, so it is looked for).
    """
    _may_decide(member, submission)
    unknown = Submission.objects.filter(pk=submission.pk, state=State.UNKNOWN)
    if not unknown.update(state=State.CANCELLED, next_look_at=None, error_code="sent_again"):
        raise _not_unknown()
    moment = now()
    again = Submission.objects.get(pk=submission.pk)
    again.pk = new_id()
    again._state.adding = True
    again.state, again.sent_copy, again.author = State.QUEUED, SentCopy.PENDING, member.user
    again.created_at = again.send_at = moment
    again.worker_id = again.claimed_at = again.sent_at = again.next_look_at = again.message_id = None
    again.doubted_at = again.sent_copy_at = None
    again.looks, again.upload = 0, ""
    again.error_code, again.error_words, again.error_facts, again.refused = "", "", {}, {}
    again.save(force_insert=True)
    audit.record(member, "submission.sent_again", str(submission.pk))
    later.send_later(again.pk)
    announce(submission.pk, submission.record_id)
    announce(again.pk)
    return again


def _not_unknown() -> SubmitRefused:
    return SubmitRefused("not_unknown", "state", "Its state has changed meanwhile. Reload the page.")


def _may_decide(member: Member, submission: Submission) -> None:
    if not may_decide(member, submission):
        raise SubmitRefused("not_allowed", "state", "Only its author and who may send from its mailbox decide this.")


def _find_record(member: Member, composition: Composition) -> None:
    if composition.record_id is None and composition.record_type is None:
        return
    model = _RECORDS.get(composition.record_type or 0)
    if model is None or not _in_workspace(model, member, composition.record_id):
        raise SubmitRefused("record_not_found", "record", "There is no such record in this workspace.")


def _find_answered(member: Member, composition: Composition) -> None:
    if composition.in_reply_to is not None and not _in_workspace(Message, member, composition.in_reply_to):
        raise SubmitRefused("message_not_found", "in_reply_to", "The message that is answered is not there any more.")


def _in_workspace(model: type[models.Model], member: Member, row_id: UUID | None) -> bool:
    return model._default_manager.filter(pk=row_id, workspace_id=member.workspace_id).exists()


def _as_json(addresses: Any) -> list[dict[str, str]]:
    return [{"name": one.name, "address": one.address} for one in addresses]
