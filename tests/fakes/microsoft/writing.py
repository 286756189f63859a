"""Drafts, attachments and what is done to messages (message-createreply.md, message-update.md and their like).

A draft is kept as MIME whichever way it came, so that all ways end in the same message.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

from tests.fakes.microsoft.calls import Call
from tests.fakes.microsoft.errors import GraphError, bad_request
from tests.fakes.microsoft.listing import find
from tests.fakes.microsoft.mailbox import Message
from tests.fakes.microsoft.mime import Attachment, attachments_of, composed, edited, header_of, parse, recipients
from tests.fakes.microsoft.shapes import attachment_json, message_json, moment
from tests.fakes.served import Answer, Request, json_answer

MOST_AT_ONCE = 3 * 1024 * 1024  # of an attachment that is posted (outlook-large-attachments.md)
MOST_IN_SESSION = 150 * 1024 * 1024
MOST_A_RANGE = 4 * 1024 * 1024
MOST_A_REQUEST = 4 * 1024 * 1024
_PEOPLE = {"toRecipients": "To", "ccRecipients": "Cc", "bccRecipients": "Bcc", "replyTo": "Reply-To"}
_ALWAYS = {"isRead", "flag", "categories", "importance", "inferenceClassification", "singleValueExtendedProperties"}


def create(call: Call, folder: str = "drafts") -> Answer:
    """POST messages: a draft, from JSON or from MIME as base64."""
    call.need_writing()
    target = call.mailbox.find_folder(folder)
    if is_mime(call.request):
        message = call.mailbox.add(bytes_of(call.request), target, is_draft=True, is_read=True)
    else:
        asked = call.request.json()
        message = call.mailbox.add(raw_of(call, asked), target, is_draft=not _is_received(asked), is_read=True)
        _set_flags(message, asked)
    return _created(call, message)


def create_reply(call: Call, message_id: str, to_all: bool) -> Answer:
    """POST createReply or createReplyAll: a draft in the same conversation, from JSON or MIME."""
    call.need_writing()
    original, mailbox = find(call, message_id), call.mailbox
    drafts = mailbox.find_folder("drafts")
    conversation = original.conversation
    if is_mime(call.request):
        raw = bytes_of(call.request)
        return _created(call, mailbox.add(raw, drafts, is_draft=True, is_read=True, conversation=conversation))
    asked = call.request.json() or {}
    if asked.get("comment") is not None and "body" in (asked.get("message") or {}):
        raise bad_request("Specify either a comment or the body of the message, not both.", "ErrorInvalidRequest")
    message = mailbox.add(
        _reply(call, original, to_all, asked), drafts, is_draft=True, is_read=True, conversation=conversation
    )
    return _created(call, message)


def _reply(call: Call, original: Message, to_all: bool, asked: Mapping[str, Any]) -> bytes:
    parsed = original.parsed
    given = asked.get("message") or {}
    _check_headers(given)
    back_to = recipients(parsed, "Reply-To") or recipients(parsed, "From")
    others = [one for one in recipients(parsed, "To") if one[1].lower() != call.mailbox.address] if to_all else []
    subject = str(parsed["Subject"] or "")
    headers = {
        "From": f"{call.mailbox.name} <{call.mailbox.address}>",
        "To": ", ".join(_written(one) for one in [*back_to, *others]),
        "Cc": ", ".join(_written(one) for one in recipients(parsed, "Cc")) if to_all else "",
        "Subject": subject if re.match(r"(?i)re:", subject) else f"Re: {subject}",
        "Date": format(datetime.now(UTC), "%a, %d %b %Y %H:%M:%S +0000"),
        "Message-ID": call.mailbox.made_message_id(),
        "In-Reply-To": original.internet_message_id,
        "References": f"{parsed['References'] or ''} {original.internet_message_id}".strip(),
        **_headers_of(given),
    }
    content = (given.get("body") or {}).get("content") or f"<p>{asked.get('comment') or ''}</p>"
    quoted = f"<hr><p>From: {parsed['From']}</p>"
    kind = (given.get("body") or {}).get("contentType", "html")
    return composed(list(headers.items()), (kind, content + quoted), _files(given)).as_bytes()


def update(call: Call, message_id: str) -> Answer:
    """PATCH: of a draft nearly everything, else only flags."""
    call.need_writing()
    message, asked = find(call, message_id), call.request.json()
    fixed = set(asked) - _ALWAYS
    if fixed and not message.is_draft:
        raise bad_request(f"Property {sorted(fixed)[0]} can be changed in a draft only.", "ErrorInvalidPropertySet")
    _check_headers(asked)
    if fixed:
        body = asked.get("body")
        message.rewrite(
            edited(
                message.raw,
                headers=_headers_of(asked),
                body=(body.get("contentType", "text"), body.get("content") or "") if body else None,
            )
        )
        message.internet_message_id = str(message.parsed["Message-ID"] or message.internet_message_id)
    _set_flags(message, asked)
    call.mailbox.note_update(message, asked)
    return json_answer(200, message_json(call.mailbox, message, immutable=call.immutable))


def move(call: Call, message_id: str) -> Answer:
    """POST move: 201 with the message, under another id unless ids are immutable."""
    call.need_writing()
    message = find(call, message_id)
    call.mailbox.move(message.id, str(call.request.json().get("destinationId", "")))
    return _created(call, message)


def delete(call: Call, message_id: str) -> Answer:
    """DELETE: into the recoverable items, out of all folders."""
    call.need_writing()
    call.mailbox.delete(find(call, message_id).id)
    return Answer(204)


# Attachments.


def list_attachments(call: Call, message_id: str) -> Answer:
    """The files of a message; their bytes only where selected or nothing is."""
    call.need_reading()
    message = find(call, message_id)
    with_bytes = not call.select or "contentBytes" in call.select
    files = attachments_of(message.parsed)
    return json_answer(
        200, {"value": [attachment_json(message, at, file, with_bytes) for at, file in enumerate(files)]}
    )


def attach(call: Call, message_id: str) -> Answer:
    """POST attachments: a file of less than 3 MB."""
    call.need_writing()
    message, asked = _draft(call, message_id), call.request.json()
    if asked.get("@odata.type", "").lower() != "#microsoft.graph.fileattachment":
        raise bad_request("An attachment needs @odata.type #microsoft.graph.fileAttachment.")
    file = _file(asked)
    if len(file.content) >= MOST_AT_ONCE or len(call.request.body) > MOST_A_REQUEST:
        raise GraphError(413, "RequestEntityTooLarge", "The attachment is too large for one request.")
    _add(call, message, file)
    return json_answer(201, attachment_json(message, len(attachments_of(message.parsed)) - 1, file, True))


@dataclass(slots=True)
class UploadSession:
    """A large attachment on its way. Its URL is its own permission."""

    call: Call
    message: str
    file: Mapping[str, Any]
    size: int
    received: bytearray = field(default_factory=bytearray)
    expires_at: datetime = field(default_factory=lambda: datetime.now(UTC) + timedelta(hours=1))


def create_upload(call: Call, message_id: str) -> Answer:
    """POST attachments/createUploadSession."""
    call.need_writing()
    message = _draft(call, message_id)
    item = call.request.json().get("AttachmentItem") or {}
    size = item.get("size")
    if item.get("attachmentType") != "file" or not isinstance(size, int) or not item.get("name"):
        raise bad_request("AttachmentItem needs attachmentType, name and size.", "ErrorInvalidRequest")
    if size < MOST_AT_ONCE:
        raise bad_request(
            "The file is too small for an upload session.", "ErrorAttachmentSizeShouldNotBeLessThanMinimumSize"
        )
    if size > MOST_IN_SESSION:
        raise bad_request("The file is too large.", "ErrorAttachmentSizeLimitExceeded")
    token = uuid4().hex
    session = call.microsoft.uploads[token] = UploadSession(call, message.id, item, size)
    answer = {
        "@odata.context": "https://graph.microsoft.com/v1.0/$metadata#microsoft.graph.uploadSession",
        "uploadUrl": f"{call.microsoft.url}/upload/{token}?authtoken={uuid4().hex}",
        "expirationDateTime": moment(session.expires_at),
        "nextExpectedRanges": ["0-"],
    }
    return json_answer(201, answer)


def upload(session: UploadSession | None, request: Request) -> Answer:
    """PUT a range: in order, without Authorization, 201 with Location for the last."""
    if session is None:
        return GraphError(404, "ErrorItemNotFound", "The upload session was not found.").answer()
    if "authorization" in request.headers:
        return GraphError(401, "InvalidAudienceForResource", "The upload URL takes no Authorization.").answer()
    expected = {
        "expirationDateTime": moment(session.expires_at),
        "nextExpectedRanges": [str(len(session.received))],
    }
    if request.method != "PUT":
        return json_answer(200, expected) if request.method == "GET" else Answer(204)
    found = re.fullmatch(r"bytes (\d+)-(\d+)/(\d+)", request.headers.get("content-range", ""))
    if not found:
        return bad_request("Content-Range is missing.", "ErrorInvalidRequest").answer()
    begin, end, size = (int(group) for group in found.groups())
    if len(request.body) > MOST_A_RANGE:
        return GraphError(413, "RequestEntityTooLarge", "A range has at most 4 MB.").answer()
    if begin != len(session.received) or end - begin + 1 != len(request.body) or size != session.size or end >= size:
        words = f"The range {begin}-{end} is not expected, but {len(session.received)}-."
        return GraphError(416, "ErrorInvalidRange", words).answer()
    session.received += request.body
    if len(session.received) < session.size:
        return json_answer(200, {**expected, "nextExpectedRanges": [str(len(session.received))]})
    call = session.call
    message = call.mailbox.find(session.message)
    file = _file({**session.file, "contentBytes": base64.b64encode(session.received).decode()})
    _add(call, message, file)
    shown = attachment_json(message, len(attachments_of(message.parsed)) - 1, file, False)
    place = f"{call.microsoft.api}{call.owner_path}/messages('{message.id}')/attachments('{shown['id']}')"
    return Answer(201, b"", {"Location": place})


# Bytes and JSON.


def is_mime(request: Request) -> bool:
    """Whether the body is MIME as base64."""
    return request.headers.get("content-type", "").split(";")[0].strip().lower() == "text/plain"


def bytes_of(request: Request) -> bytes:
    """The MIME of a request; raise GraphError."""
    try:
        raw = base64.b64decode(b"".join(request.body.split()), validate=True)
    except binascii.Error:
        raise bad_request("Invalid base64 string for MIME content.", "ErrorMimeContentInvalidBase64String") from None
    if len(request.body) > MOST_A_REQUEST:
        raise GraphError(413, "RequestEntityTooLarge", "The request is larger than 4 MB.")
    if not raw.strip() or not parse(raw).keys():
        raise bad_request("The MIME content is not valid.", "ErrorMimeContentInvalid")
    return raw


def raw_of(call: Call, asked: Mapping[str, Any]) -> bytes:
    """A message of Graph's JSON."""
    _check_headers(asked)
    body = asked.get("body") or {}
    headers = {
        "From": f"{call.mailbox.name} <{call.mailbox.address}>",
        "Date": format(datetime.now(UTC), "%a, %d %b %Y %H:%M:%S +0000"),
        "Message-ID": asked.get("internetMessageId") or call.mailbox.made_message_id(),
        **_headers_of(asked),
    }
    text = body.get("content") or ""
    return composed(list(headers.items()), (body.get("contentType", "text"), text), _files(asked)).as_bytes()


def _check_headers(asked: Mapping[str, Any]) -> None:
    given = asked.get("internetMessageHeaders") or []
    for header in given:
        if not header["name"].lower().startswith("x-"):
            raise bad_request(
                f"The internet message header name '{header['name']}' should start with 'x-' or 'X-'.",
                "InvalidInternetMessageHeader",
            )
    if len(given) > 5:
        raise bad_request(
            "Maximum number of headers in one message should be less than or equal to 5.",
            "InvalidInternetMessageHeaderCollection",
        )


def _headers_of(asked: Mapping[str, Any]) -> dict[str, str]:
    headers = {header: header_of(asked[name]) for name, header in _PEOPLE.items() if name in asked}
    if "subject" in asked:
        headers["Subject"] = asked["subject"] or ""
    for name, header in (("from", "From"), ("sender", "Sender")):
        if asked.get(name):
            headers[header] = header_of([asked[name]])
    if asked.get("internetMessageId"):
        headers["Message-ID"] = asked["internetMessageId"]
    return headers | {one["name"]: one["value"] for one in asked.get("internetMessageHeaders") or []}


def _set_flags(message: Message, asked: Mapping[str, Any]) -> None:
    message.is_read = bool(asked.get("isRead", message.is_read))
    message.flag = (asked.get("flag") or {}).get("flagStatus", message.flag)
    message.categories = tuple(asked.get("categories", message.categories))


def _is_received(asked: Mapping[str, Any]) -> bool:
    """PidTagMessageFlags without "unsent" makes it a message that came."""
    return any(
        one.get("id", "").lower() in ("integer 0x0e07", "integer 0xe07") and not int(one.get("value", 8)) & 8
        for one in asked.get("singleValueExtendedProperties") or []
    )


def _files(asked: Mapping[str, Any]) -> list[Attachment]:
    return [_file(one) for one in asked.get("attachments") or []]


def _file(asked: Mapping[str, Any]) -> Attachment:
    return Attachment(
        asked.get("name") or "unnamed",
        asked.get("contentType") or "application/octet-stream",
        base64.b64decode(asked.get("contentBytes") or ""),
        bool(asked.get("isInline")),
        asked.get("contentId") or "",
    )


def _add(call: Call, message: Message, file: Attachment) -> None:
    message.rewrite(edited(message.raw, add=[file]))
    call.mailbox.note_update(message, ("hasAttachments",))


def _draft(call: Call, message_id: str) -> Message:
    message = find(call, message_id)
    if not message.is_draft:
        raise bad_request("The message is not a draft.", "ErrorInvalidRequest")
    return message


def _created(call: Call, message: Message) -> Answer:
    return json_answer(201, message_json(call.mailbox, message, immutable=call.immutable))


def _written(one: tuple[str, str]) -> str:
    return f'"{one[0]}" <{one[1]}>' if one[0] else one[1]
