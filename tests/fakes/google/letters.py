"""A message as the mailbox keeps it, and as the API shows it (users.messages, format minimal to raw)."""

from __future__ import annotations

import base64
import re
from dataclasses import dataclass, field
from email import policy
from email.header import decode_header, make_header
from email.message import Message
from email.parser import BytesHeaderParser, BytesParser
from email.utils import getaddresses
from functools import cached_property
from typing import Any

_HEADERS = BytesHeaderParser(policy=policy.compat32)
_WHOLE = BytesParser(policy=policy.compat32)
_REPLY_WORDS = re.compile(r"^\s*((re|fwd?|aw|wg)\s*:\s*)+", re.IGNORECASE)


@dataclass
class Letter:
    """One message. `at_ms` is its internalDate, `kept_at` the monotonic clock when the mailbox got it."""

    remote_id: str
    thread_id: str
    raw: bytes
    labels: set[str]
    at_ms: int
    history_id: int
    kept_at: float = 0.0
    _people: dict[str, tuple[tuple[str, str], ...]] = field(default_factory=dict, repr=False)
    _addresses: dict[str, frozenset[str]] = field(default_factory=dict, repr=False)

    @cached_property
    def headers(self) -> list[tuple[str, str]]:
        """Its header fields in order, unfolded and decoded, as the API shows them."""
        return [(name, _readable(str(value))) for name, value in _HEADERS.parsebytes(self.raw).items()]

    def header(self, name: str) -> str:
        """The first field of that name, "" without one."""
        return next((value for one, value in self.headers if one.lower() == name.lower()), "")

    @cached_property
    def internet_message_id(self) -> str:
        """The Message-ID header, with its brackets."""
        return self.header("Message-ID").strip()

    @cached_property
    def subject_core(self) -> str:
        """The subject without Re: and Fwd:."""
        return _REPLY_WORDS.sub("", self.header("Subject")).strip().lower()

    @cached_property
    def references(self) -> frozenset[str]:
        """The Message-IDs that References and In-Reply-To name."""
        return frozenset(re.findall(r"<[^<>\s]+>", f"{self.header('References')} {self.header('In-Reply-To')}"))

    def people(self, name: str) -> tuple[tuple[str, str], ...]:
        """Display name and address of everybody in the fields of that name, in lower case."""
        if name not in self._people:
            values = [value for one, value in self.headers if one.lower() == name]
            self._people[name] = tuple((who.lower(), address.lower()) for who, address in getaddresses(values))
        return self._people[name]

    def addresses(self, name: str) -> frozenset[str]:
        """The addresses in the fields of that name: thousands of messages are asked for dozens."""
        if name not in self._addresses:
            self._addresses[name] = frozenset(address for _, address in self.people(name))
        return self._addresses[name]

    @cached_property
    def body(self) -> Message:
        """The message, parsed."""
        return _WHOLE.parsebytes(self.raw)

    @cached_property
    def text(self) -> str:
        """The first text in it."""
        for part in self.body.walk():
            if part.get_content_maintype() == "text":
                return _octets(part).decode(part.get_content_charset() or "utf-8", errors="replace")
        return ""

    @cached_property
    def snippet(self) -> str:
        """The beginning of its text."""
        return " ".join(re.sub(r"<[^>]*>", " ", self.text).split())[:200]


def named(letter: Letter) -> dict[str, Any]:
    """Id and thread, as lists have them."""
    return {"id": letter.remote_id, "threadId": letter.thread_id}


def labelled(letter: Letter) -> dict[str, Any]:
    """Id, thread and labels, as modify and send answer. No labels: no key."""
    return {**named(letter), **({"labelIds": sorted(letter.labels)} if letter.labels else {})}


def minimal(letter: Letter) -> dict[str, Any]:
    """format=minimal."""
    return {
        **labelled(letter),
        "snippet": letter.snippet,
        "historyId": str(letter.history_id),
        "internalDate": str(letter.at_ms),
        "sizeEstimate": len(letter.raw),
    }


def shape(letter: Letter, form: str, wanted_headers: list[str]) -> dict[str, Any]:
    """A Message in one of the four formats of users.messages.get."""
    if form == "minimal":
        return minimal(letter)
    if form == "raw":
        return {**minimal(letter), "raw": base64.urlsafe_b64encode(letter.raw).decode()}
    if form == "metadata":
        wanted = {name.lower() for name in wanted_headers}
        headers = [
            {"name": name, "value": value} for name, value in letter.headers if not wanted or name.lower() in wanted
        ]
        payload: dict[str, Any] = {"mimeType": letter.body.get_content_type()}
        return {**minimal(letter), "payload": {**payload, "headers": headers} if headers else payload}
    return {**minimal(letter), "payload": _part(letter.body, "")}


def attachment(letter: Letter, attachment_id: str) -> dict[str, Any] | None:
    """users.messages.attachments.get; None where there is no such part."""
    for number, part in enumerate(letter.body.walk()):
        if not part.is_multipart() and attachment_id == f"ANGjdJ{number:04d}":
            octets = _octets(part)
            return {"size": len(octets), "data": base64.urlsafe_b64encode(octets).decode()}
    return None


def _part(part: Message, place: str, root: Message | None = None) -> dict[str, Any]:
    root = root or part
    told: dict[str, Any] = {
        "partId": place,
        "mimeType": part.get_content_type(),
        "filename": part.get_filename() or "",
        "headers": [{"name": name, "value": _readable(str(value))} for name, value in part.items()],
        "body": {"size": 0},
    }
    if not told["headers"]:
        del told["headers"]
    if part.is_multipart():
        below: list[Any] = part.get_payload()  # type: ignore[assignment]
        parts = [_part(one, f"{place}.{n}" if place else str(n), root) for n, one in enumerate(below)]
        return {**told, "parts": parts} if parts else told
    octets = _octets(part)
    if told["filename"] or part.get_content_maintype() != "text":
        number = next(n for n, one in enumerate(root.walk()) if one is part)
        told["body"] = {"attachmentId": f"ANGjdJ{number:04d}", "size": len(octets)}
    elif octets:
        told["body"] = {"size": len(octets), "data": base64.urlsafe_b64encode(octets).decode()}
    return told


def _octets(part: Message) -> bytes:
    octets = part.get_payload(decode=True)
    return octets if isinstance(octets, bytes) else b""


def _readable(value: str) -> str:
    unfolded = re.sub(r"\r?\n(?=[ \t])", "", value).strip()
    try:
        return str(make_header(decode_header(unfolded))) if "=?" in unfolded else unfolded
    except (ValueError, LookupError):
        return unfolded
