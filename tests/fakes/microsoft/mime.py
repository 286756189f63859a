"""Messages as bytes, and what Graph shows of them."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from email import message_from_bytes
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import getaddresses
from typing import Any

_PARTS_OWN = {"content-type", "content-transfer-encoding", "content-disposition", "mime-version"}


@dataclass(frozen=True, slots=True)
class Attachment:
    """A file on a message."""

    name: str
    content_type: str
    content: bytes
    is_inline: bool = False
    content_id: str = ""


def parse(raw: bytes) -> EmailMessage:
    """Read bytes as a message."""
    return message_from_bytes(raw, policy=SMTP)


def recipients(message: EmailMessage, *names: str) -> list[tuple[str, str]]:
    """Name and address of everybody in these headers."""
    values = [str(value) for name in names for value in message.get_all(name, [])]
    return [(name, address) for name, address in getaddresses(values) if address]


def body_of(message: EmailMessage) -> tuple[str, str]:
    """("html" or "text", the body); Graph prefers HTML."""
    part = message.get_body(("html", "plain"))
    if part is None:
        return "text", ""
    content = part.get_content() if part.get_content_maintype() == "text" else ""
    return ("html" if part.get_content_subtype() == "html" else "text"), str(content)


def attachments_of(message: EmailMessage) -> list[Attachment]:
    """Files and inline parts, in order; a message in it counts as a file."""
    body = message.get_body(("html", "plain"))
    found = []
    for part in message.walk():
        if part is message or part is body or (part.is_multipart() and part.get_content_type() != "message/rfc822"):
            continue
        if part.get_content_maintype() == "text" and part.get_content_disposition() is None:
            continue  # the plain alternative
        inner = part.get_content() if part.is_multipart() else None
        payload = inner.as_bytes() if isinstance(inner, EmailMessage) else part.get_payload(decode=True)
        found.append(
            Attachment(
                part.get_filename() or "unnamed",
                part.get_content_type(),
                payload if isinstance(payload, bytes) else b"",
                part.get_content_disposition() == "inline",
                (part.get("Content-ID") or "").strip("<> "),
            )
        )
    return found


def edited(
    raw: bytes,
    *,
    headers: Mapping[str, str | None] | None = None,
    body: tuple[str, str] | None = None,
    add: Iterable[Attachment] = (),
    without: int | None = None,
) -> bytes:
    """The message with headers replaced (None: removed), another body, more attachments or one less."""
    if headers is not None and body is None and not add and without is None:
        message = parse(raw)
    else:
        old = parse(raw)
        files = [file for at, file in enumerate(attachments_of(old)) if at != without]
        message = composed(
            [(name, str(value)) for name, value in old.items() if name.lower() not in _PARTS_OWN],
            body or body_of(old),
            [*files, *add],
        )
    for name, value in (headers or {}).items():
        del message[name]
        if value:
            message[name] = value
    return message.as_bytes()


def composed(headers: Iterable[tuple[str, str]], body: tuple[str, str], files: Iterable[Attachment]) -> EmailMessage:
    """A message of these parts."""
    message = EmailMessage(policy=SMTP)
    for name, value in headers:
        if value:
            message[name] = value
    kind, text = body
    message.set_content(text, subtype="html" if kind.lower() == "html" else "plain")
    for file in files:
        main, _, sub = file.content_type.partition("/")
        message.add_attachment(
            file.content,
            maintype=main if sub else "application",
            subtype=sub or "octet-stream",
            filename=file.name,
            disposition="inline" if file.is_inline else "attachment",
            cid=f"<{file.content_id}>" if file.content_id else None,
        )
    return message


def header_of(people: Iterable[Mapping[str, Any]]) -> str:
    """Graph's recipients as a header's value."""
    return ", ".join(
        str(Address(one["emailAddress"].get("name") or "", addr_spec=one["emailAddress"]["address"])) for one in people
    )


def without_bcc(raw: bytes) -> bytes:
    """What leaves: nobody is told of blind copies."""
    return edited(raw, headers={"Bcc": None}) if re.search(rb"(?im)^bcc:", raw) else raw
