"""/submissions: send a message, follow it, take it back while it waits."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from ninja import Router, Status
from ninja.decorators import decorate_view

from postroom.api import schemas
from postroom.api.auth import ApiRequest
from postroom.api.find import one
from postroom.api.idempotency import idempotent
from postroom.api.mailboxes import show_trouble
from postroom.api.problems import Problem, unfit
from postroom.filing.access import find_message
from postroom.outbox.access import may_decide, visible_submissions
from postroom.outbox.composition import Composition, SubmitRefused, reply_subject
from postroom.outbox.models import Submission
from postroom.outbox.submit import cancel, submit
from postroom.providers import catalogue
from postroom.records.access import find_record
from postroom.records.models import RecordType
from postroom.workspaces.members import Member

RECORD_TYPES = {kind.label: kind for kind in RecordType}

router = Router(tags=["submissions"])


@router.post("", response={202: schemas.Submission}, by_alias=True)
@decorate_view(idempotent)
def create_submission(request: ApiRequest, body: schemas.SubmissionIn) -> Status[schemas.Submission]:
    """Queue a message; it leaves at once, or at `send_at`. The answer names the sender and why."""
    try:
        submission = submit(request.auth, composition_of(request.auth, body))
    except SubmitRefused as refused:
        fields = {refused.field: refused.words}
        raise Problem("submit_refused", refused.words, fields=fields, reason=refused.code) from refused
    return Status(202, show_submission(submission))


@router.get("/{uuid:submission_id}", response=schemas.Submission, by_alias=True)
def read_submission(request: ApiRequest, submission_id: UUID) -> schemas.Submission:
    """Where a message is: queued, sending, in_doubt, sent, failed, unknown or cancelled."""
    return show_submission(one(visible_submissions(request.auth), submission_id))


@router.delete("/{uuid:submission_id}", response={204: None})
def cancel_submission(request: ApiRequest, submission_id: UUID) -> Status[None]:
    """Take a message back while it is queued; 409 `too_late` from then on."""
    submission = one(visible_submissions(request.auth), submission_id)
    if not may_decide(request.auth, submission):
        raise Problem("not_allowed")
    try:
        cancel(request.auth, submission)
    except SubmitRefused as refused:
        raise Problem("too_late", refused.words) from refused
    return Status(204, None)


def composition_of(member: Member, body: schemas.SubmissionIn) -> Composition:
    """The body as the outbox takes it. Raises Problem for records and messages the member does not see."""
    record_type = RECORD_TYPES[body.record.type] if body.record else None
    if body.record and record_type and find_record(member, record_type, body.record.id) is None:
        raise unfit("record", "There is no such record in this workspace.")
    answered = find_message(member, body.in_reply_to) if body.in_reply_to else None
    if body.in_reply_to and answered is None:
        raise unfit("in_reply_to", "There is no such message here.")
    return Composition(
        record_type=record_type,
        record_id=body.record.id if body.record else None,
        mailbox_id=body.mailbox_id,
        from_address=body.from_address or "",
        to=body.to,
        cc=body.cc,
        bcc=body.bcc,
        # The masked subject: freezing must not fill in one that its owner keeps to himself.
        subject=body.subject or reply_subject(answered.subject if answered else ""),
        text=body.text or "",
        html=body.html or "",
        in_reply_to=body.in_reply_to,
        send_at=_aware(body.send_at),
        attachments=[(file.filename, file.content_type, file.content) for file in body.attachments],
    )


def summary_of(submission: Submission) -> dict[str, Any]:
    """The fields of SubmissionSummary."""
    return {
        "id": submission.pk,
        "state": submission.state,
        "from_": schemas.AddressOut(address=submission.from_address, name=submission.from_name),
        "reason_for_from": submission.reason_for_from,
        "subject": submission.subject,
    }


def show_submission(submission: Submission) -> schemas.Submission:
    error = catalogue.explain(submission.error_code, **submission.error_facts) if submission.error_code else None
    return schemas.Submission(
        **summary_of(submission),
        mailbox_id=submission.mailbox_id,
        to=submission.to,
        cc=submission.cc,
        bcc=submission.bcc,
        internet_message_id=submission.internet_message_id,
        message_id=submission.message_id,
        created_at=submission.created_at,
        send_at=submission.send_at,
        sent_at=submission.sent_at,
        error=show_trouble(error),
        refused=submission.refused,
    )


def _aware(moment: datetime | None) -> datetime | None:
    if moment is not None and moment.tzinfo is None:
        raise unfit("send_at", "Say the time zone, for example 2026-11-23T09:00:00Z.")
    return moment.astimezone(UTC) if moment else None
