"""A Message of the API as values of ours. No I/O. What Google does not describe raises ProtocolViolation."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Final

from postroom.providers.base import FetchedHeader, FetchedMessage
from postroom.providers.errors import ProtocolViolation
from postroom.providers.gmail.labels import flags_of
from postroom.providers.gmail.raw import decoded

# What decides whether a message is wanted, and what to show of it until its body is there.
DECIDING: Final = (
    "From",
    "Sender",
    "To",
    "Cc",
    "Bcc",
    "Reply-To",
    "Message-ID",
    "In-Reply-To",
    "References",
    "Date",
    "Subject",
    "X-Postroom-Submission",
    "Auto-Submitted",
    "List-ID",
)


def worn(message: Mapping[str, Any]) -> frozenset[str]:
    """The labels of a message; it has no such member when it wears none."""
    return frozenset(str(label) for label in _list(message.get("labelIds", [])))


def fetched_message(remote_id: str, message: Mapping[str, Any]) -> FetchedMessage:
    """Of format=raw."""
    raw = message.get("raw")
    if not isinstance(raw, str):
        raise ProtocolViolation("unexpected_answer", server_words="a message without its source")
    return FetchedMessage(remote_id, decoded(raw), received_at(message), flags_of(worn(message)))


def fetched_header(remote_id: str, message: Mapping[str, Any]) -> FetchedHeader:
    """Of format=metadata with DECIDING."""
    lines = [f"{name}: {value}\r\n" for name, value in header_fields(message)]
    return FetchedHeader(
        remote_id,
        "".join([*lines, "\r\n"]).encode("utf-8", "replace"),
        _number(message.get("sizeEstimate", 0)),
        received_at(message),
        flags_of(worn(message)),
    )


def header_fields(message: Mapping[str, Any]) -> list[tuple[str, str]]:
    """The header fields that the answer tells, each on one line: Google has unfolded and decoded them."""
    payload = message.get("payload", {})
    told = _list(payload.get("headers", []) if isinstance(payload, dict) else None)
    fields = []
    for one in told:
        if not isinstance(one, dict) or not isinstance(one.get("name"), str):
            raise ProtocolViolation("unexpected_answer", server_words="a header field without a name")
        name = one["name"]
        if name.isascii() and name.isprintable() and ":" not in name and " " not in name:
            fields.append((name, " ".join(str(one.get("value") or "").replace("\0", " ").split())))
    return fields


def received_at(message: Mapping[str, Any]) -> datetime:
    """internalDate, in ms since 1970: when Google took the message in."""
    milliseconds = _number(message.get("internalDate"))
    try:
        return datetime.fromtimestamp(milliseconds / 1000, UTC)
    except (OverflowError, OSError, ValueError) as error:
        raise ProtocolViolation("unexpected_answer", server_words=f"internalDate {milliseconds}") from error


def _number(value: object) -> int:
    try:
        return int(str(value)[:24])
    except ValueError as error:
        raise ProtocolViolation("unexpected_answer", server_words=f"{value!r:.40} is no number") from error


def _list(value: object) -> list[Any]:
    if not isinstance(value, list):
        raise ProtocolViolation("unexpected_answer", server_words="no list")
    return value
