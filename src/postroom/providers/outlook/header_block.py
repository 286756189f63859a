"""A header block (RFC 5322 section 2.2) out of what Graph tells of a message.

`internetMessageHeaders` has the header as it came, but nothing of what was written in the mailbox itself: sent mail and
drafts have properties alone. What the header does not name is filled in from them. Text beyond ASCII is UTF-8 (RFC
6532).
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from datetime import UTC
from email.utils import format_datetime, formataddr
from typing import Any

from postroom.providers.outlook.requests import IN_REPLY_TO, REFERENCES
from postroom.providers.outlook.responses import extended_value, read_moment

_FIELD_NAME = re.compile(r"[!-9;-~]+")  # RFC 5322 section 3.6.8
_BREAKS = re.compile(r"[\r\n\0]+[ \t]*")
_PEOPLE = (
    ("From", "from"),
    ("Sender", "sender"),
    ("To", "toRecipients"),
    ("Cc", "ccRecipients"),
    ("Bcc", "bccRecipients"),
    ("Reply-To", "replyTo"),
)


def header_block(message: Mapping[str, Any]) -> bytes:
    """The fields, each on a line of its own, and the empty line that ends them."""
    fields = list(_header_fields(message))
    named = {name.lower() for name, _ in fields}
    fields += [(name, value) for name, value in _property_fields(message) if value and name.lower() not in named]
    lines = [f"{name}: {_BREAKS.sub(' ', value).strip()}\r\n" for name, value in fields]
    return "".join([*lines, "\r\n"]).encode("utf-8", "replace")


def _header_fields(message: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    told = message.get("internetMessageHeaders")
    for one in told if isinstance(told, list) else ():
        name, value = (one.get("name"), one.get("value")) if isinstance(one, dict) else (None, None)
        if isinstance(name, str) and isinstance(value, str) and _FIELD_NAME.fullmatch(name):
            yield name, value


def _property_fields(message: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    for name, property_name in _PEOPLE:
        yield name, ", ".join(_addresses(message.get(property_name)))
    yield "Subject", str(message.get("subject") or "")
    yield "Message-ID", str(message.get("internetMessageId") or "")
    yield "In-Reply-To", extended_value(message, IN_REPLY_TO)
    yield "References", extended_value(message, REFERENCES)
    sent_at = read_moment(message.get("sentDateTime"))
    yield "Date", format_datetime(sent_at.astimezone(UTC)) if sent_at else ""


def _addresses(told: object) -> Iterator[str]:
    """Recipients as mailboxes (RFC 5322 section 3.4); one without an address is a person who left, and is left out."""
    for one in told if isinstance(told, list) else [told]:
        person = one.get("emailAddress") if isinstance(one, dict) else None
        address = person.get("address") if isinstance(person, dict) else None
        if not isinstance(person, dict) or not isinstance(address, str) or "@" not in address:
            continue
        name = str(person.get("name") or "")
        name = "" if name == address else _BREAKS.sub(" ", name)
        try:
            yield formataddr((name, _BREAKS.sub("", address)))
        except UnicodeError:  # an address beyond ASCII (RFC 6532 section 3.2)
            yield f"<{_BREAKS.sub('', address)}>"
