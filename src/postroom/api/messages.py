"""/messages and /attachments: one message whole, why it is where it is, its files."""

from __future__ import annotations

from typing import Any, Final, cast
from uuid import UUID

from django.http import HttpResponseBase
from ninja import Router

from postroom.api import schemas
from postroom.api.auth import ApiRequest
from postroom.api.find import one
from postroom.api.problems import Problem
from postroom.correspondence.models import Attachment, Direction, Message, Participant
from postroom.correspondence.reading import load_body, open_attachment
from postroom.correspondence.streamed_file import StreamedFile
from postroom.filing.access import Reach, find_message, may_read_content
from postroom.filing.details import FiledOn, MessageDetails, load_details
from postroom.filing.explain import why
from postroom.mail.mime.sanitize import sanitize
from postroom.records.models import RecordType
from postroom.workspaces.members import Member

FILE_HEADERS: Final = {
    # A file from a stranger: never rendered on our origin, never guessed at, never kept by a cache.
    "Content-Security-Policy": "default-src 'none'; sandbox",
    "X-Content-Type-Options": "nosniff",
    "Cache-Control": "private, no-store",
    "Referrer-Policy": "no-referrer",
}

router = Router(tags=["messages"])
files = Router(tags=["messages"])


@router.get("/{uuid:message_id}", response=schemas.Message, by_alias=True)
def read_message(request: ApiRequest, message_id: UUID) -> schemas.Message:
    """A whole message. Of a colleague's personal mailbox you see what its owner shares; the rest is empty."""
    message = _find(request.auth, message_id)
    details = load_details(Reach.of(request.auth), [message])[message.pk]
    body = load_body(message) if may_read_content(message) else None
    return schemas.Message(
        **summary_of(message, details),
        at=message.at,
        date=message.date,
        text=body.text if body else "",
        html=_safe_html(body.html, details) if body and body.html else "",
        is_readable=message.is_readable,
        has_twin=message.has_twin,
        problem=message.problem,
        filings=[show_filing(filed) for filed in details.filings],
    )


@router.get("/{uuid:message_id}/why", response=schemas.Reasons)
def explain_message(request: ApiRequest, message_id: UUID) -> schemas.Reasons:
    """Every record the message is on, and why."""
    reasons = why(request.auth, _find(request.auth, message_id))
    return schemas.Reasons(
        items=[
            schemas.Reason(
                record=record_ref(reason.record_type, reason.record_id),
                record_name=reason.record_name,
                reason=reason.reason,
                sentence=reason.sentence,
            )
            for reason in reasons
        ]
    )


@files.get("/{uuid:attachment_id}")
def download_attachment(request: ApiRequest, attachment_id: UUID) -> HttpResponseBase:
    """The file, always as a download. 410 `file_gone` when the storage has lost it."""
    attachment = one(Attachment.objects.filter(workspace_id=request.auth.workspace_id), attachment_id)
    if not may_read_content(_find(request.auth, attachment.message_id)):
        raise Problem("not_found")
    try:
        content = open_attachment(attachment)
    except FileNotFoundError as error:
        raise Problem("file_gone") from error
    return StreamedFile(
        content,
        as_attachment=True,
        filename=attachment.filename or "attachment",
        content_type="application/octet-stream",
        headers=FILE_HEADERS,
    )


def summary_of(message: Message, details: MessageDetails) -> dict[str, Any]:
    """The fields of MessageSummary. `message` is masked already."""
    sender = [show_participant(participant) for participant in details.from_]
    return {
        "id": message.pk,
        "thread_id": message.thread_id,
        "direction": Direction(message.direction).label,
        "from_": sender[0] if sender else schemas.AddressOut(address=message.from_address, name=message.from_name),
        "to": [show_participant(participant) for participant in details.to],
        "cc": [show_participant(participant) for participant in details.cc],
        "subject": message.subject,
        "snippet": message.snippet,
        "internet_message_id": message.internet_message_id,
        "attachments": [show_attachment(attachment) for attachment in details.attachments],
        "sender": "unknown",  # until Authentication-Results are read (DESIGN.md 5, invariant 7)
        "mailbox_ids": details.mailbox_ids,
    }


def show_participant(participant: Participant) -> schemas.AddressOut:
    return schemas.AddressOut(address=participant.address, name=participant.name)


def show_attachment(attachment: Attachment) -> schemas.Attachment:
    return schemas.Attachment(
        id=attachment.pk,
        filename=attachment.filename,
        content_type=attachment.content_type,
        size=attachment.size,
        is_inline=attachment.is_inline,
    )


def show_filing(filed: FiledOn) -> schemas.FiledOn:
    record = record_ref(filed.record_type, filed.record_id)
    return schemas.FiledOn(reason=filed.reason, address=filed.address or None, record=record)


def record_ref(record_type: int, record_id: UUID) -> schemas.RecordRef:
    return schemas.RecordRef(type=cast(Any, RecordType(record_type).label), id=record_id)


def _safe_html(html: str, details: MessageDetails) -> str:
    """The HTML without anything that runs or loads from elsewhere; inline images point at their attachment."""
    inline = {file.content_id.strip("<>"): f"/api/v1/attachments/{file.pk}" for file in details.attachments}
    return sanitize(html, with_remote_images=False, attachment_url=lambda name: inline.get(name.strip("<>"))).html


def _find(member: Member, message_id: UUID) -> Message:
    message = find_message(member, message_id)
    if message is None:
        raise Problem("not_found")
    return message
