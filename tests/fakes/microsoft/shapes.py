"""Graph's JSON for what a mailbox holds (v1.0 resource types message, mailFolder, attachment, user)."""

from __future__ import annotations

import base64
import re
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any

from tests.fakes.microsoft.mailbox import ROOT, FakeMailbox, Folder, Message
from tests.fakes.microsoft.mime import Attachment, attachments_of, body_of, recipients

SIZE = re.compile(r"integer 0x0*e08", re.IGNORECASE)  # PidTagMessageSize
ONLY_WHEN_SELECTED = {"internetMessageHeaders", "uniqueBody"}


def moment(when: datetime) -> str:
    """A time as Graph writes it."""
    return when.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def person(name: str, address: str) -> dict[str, Any]:
    """A recipient."""
    return {"emailAddress": {"name": name or address, "address": address}}


def id_of(mailbox: FakeMailbox, message: Message, immutable: bool) -> str:
    """The id that the client asked for."""
    return message.id if immutable else mailbox.mutable_id(message)


def message_json(
    mailbox: FakeMailbox,
    message: Message,
    *,
    immutable: bool,
    select: Iterable[str] = (),
    sizes: bool = False,
    as_text: bool = False,
) -> dict[str, Any]:
    """A message with what was selected, by default all but what has to be asked for."""
    names = list(select) or [name for name in PROPERTIES if name not in ONLY_WHEN_SELECTED]
    shown: dict[str, Any] = {"@odata.etag": f'W/"{_change_key(message)}"', "id": id_of(mailbox, message, immutable)}
    shown |= {name: PROPERTIES[name](message) for name in names if name in PROPERTIES}
    if as_text and "body" in shown and shown["body"]["contentType"] == "html":
        shown["body"] = {"contentType": "text", "content": re.sub(r"<[^>]+>", "", shown["body"]["content"])}
    if sizes:
        # Asked for as "Integer 0x0E08", it is told as "Integer 0xe08".
        shown["singleValueExtendedProperties"] = [{"id": "Integer 0xe08", "value": str(len(message.raw))}]
    return shown


def folder_json(mailbox: FakeMailbox, folder: Folder, select: Iterable[str] = ()) -> dict[str, Any]:
    """A folder. v1.0 does not say which one is well known."""
    held = [message for message in mailbox.by_id.values() if message.folder == folder.id]
    whole = {
        "id": folder.id,
        "displayName": folder.name,
        "parentFolderId": root_id(mailbox) if folder.parent == ROOT else folder.parent,
        "childFolderCount": sum(one.parent == folder.id for one in mailbox.folders.values()),
        "unreadItemCount": sum(not message.is_read for message in held),
        "totalItemCount": len(held),
        "isHidden": folder.is_hidden,
    }
    chosen = set(select)
    return {name: value for name, value in whole.items() if not chosen or name in chosen or name == "id"}


def root_id(mailbox: FakeMailbox) -> str:
    """The id of the folder that holds all others."""
    return f"AQMkAGI2ROOT{mailbox.user_id[:8]}AAA="


def attachment_json(message: Message, at: int, file: Attachment, with_bytes: bool) -> dict[str, Any]:
    """A file attachment."""
    shown = {
        "@odata.type": "#microsoft.graph.fileAttachment",
        "@odata.mediaContentType": file.content_type,
        "id": f"{message.id[:-1]}BEgAQ{at:04d}=",
        "lastModifiedDateTime": moment(message.received_at),
        "name": file.name,
        "contentType": file.content_type,
        "size": len(file.content) + 180,
        "isInline": file.is_inline,
        "contentId": file.content_id or None,
        "contentLocation": None,
    }
    return {**shown, "contentBytes": base64.b64encode(file.content).decode()} if with_bytes else shown


def user_json(mailbox: FakeMailbox) -> dict[str, Any]:
    """The user of a mailbox."""
    given, _, family = mailbox.name.partition(" ")
    return {
        "@odata.context": "https://graph.microsoft.com/v1.0/$metadata#users/$entity",
        "businessPhones": [],
        "displayName": mailbox.name,
        "givenName": given,
        "jobTitle": None,
        "mail": mailbox.address,
        "mobilePhone": None,
        "officeLocation": None,
        "preferredLanguage": None,
        "surname": family,
        "userPrincipalName": mailbox.address,
        "id": mailbox.user_id,
    }


def _change_key(message: Message) -> str:
    return base64.b64encode(f"CQAAABYA{message.number:06d}{message.version:06d}".encode()).decode()


def _sent_at(message: Message) -> str:
    try:
        return moment(parsedate_to_datetime(str(message.parsed["Date"])))
    except (TypeError, ValueError):
        return moment(message.received_at)


def _one(message: Message, *names: str) -> dict[str, Any] | None:
    found = recipients(message.parsed, *names)
    return person(*found[0]) if found else None


def _all(message: Message, name: str) -> list[dict[str, Any]]:
    return [person(*one) for one in recipients(message.parsed, name)]


def _body(message: Message) -> dict[str, Any]:
    kind, content = body_of(message.parsed)
    return {"contentType": kind, "content": content}


def _preview(message: Message) -> str:
    kind, content = body_of(message.parsed)
    text = re.sub(r"<[^>]+>", " ", content) if kind == "html" else content
    return " ".join(text.split())[:255]


PROPERTIES: dict[str, Callable[[Message], Any]] = {
    "createdDateTime": lambda message: moment(message.received_at),
    "lastModifiedDateTime": lambda message: moment(message.received_at),
    "changeKey": _change_key,
    "categories": lambda message: list(message.categories),
    "receivedDateTime": lambda message: moment(message.received_at),
    "sentDateTime": _sent_at,
    "hasAttachments": lambda message: any(not file.is_inline for file in attachments_of(message.parsed)),
    "internetMessageId": lambda message: message.internet_message_id,
    "subject": lambda message: str(message.parsed["Subject"] or ""),
    "bodyPreview": _preview,
    "importance": lambda message: "normal",
    "parentFolderId": lambda message: message.folder,
    "conversationId": lambda message: message.conversation,
    "conversationIndex": lambda message: base64.b64encode(message.conversation.encode()[:22]).decode(),
    "isDeliveryReceiptRequested": lambda message: None,
    "isReadReceiptRequested": lambda message: False,
    "isRead": lambda message: message.is_read,
    "isDraft": lambda message: message.is_draft,
    "webLink": lambda message: f"https://outlook.office365.com/owa/?ItemID={message.id}&viewmodel=ReadMessageItem",
    "inferenceClassification": lambda message: "focused",
    "body": _body,
    "sender": lambda message: _one(message, "Sender", "From"),
    "from": lambda message: _one(message, "From"),
    "toRecipients": lambda message: _all(message, "To"),
    "ccRecipients": lambda message: _all(message, "Cc"),
    "bccRecipients": lambda message: _all(message, "Bcc"),
    "replyTo": lambda message: _all(message, "Reply-To"),
    "flag": lambda message: {"flagStatus": message.flag},
    "internetMessageHeaders": lambda message: [
        {"name": name, "value": str(value)} for name, value in message.parsed.items()
    ],
    "uniqueBody": _body,
}
