"""What Graph answers, read into values. Whatever has another shape than documented is a ProtocolViolation."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any

from postroom.providers.errors import ProtocolViolation
from postroom.providers.outlook.quirks import same_property

LONGEST_WAIT_SECONDS = 86_400.0


@dataclass(frozen=True, slots=True)
class Answer:
    """A status with what came along: of a request, or of one part of a batch. `headers` have names in lower case."""

    status: int
    headers: Mapping[str, str] = field(default_factory=dict)
    octets: bytes = field(default=b"", repr=False)
    body: Any = field(default=None, repr=False)

    @property
    def is_success(self) -> bool:
        return 200 <= self.status < 300

    @property
    def retry_after_seconds(self) -> float | None:
        """How long to stay away (RFC 9110 section 10.2.3: seconds or a date), a day at most."""
        return read_retry_after(self.headers.get("retry-after", ""), datetime.now(UTC))

    def fields(self) -> dict[str, Any]:
        """The body, which must be an object of JSON."""
        if not isinstance(self.body, dict):
            raise unreadable("no object")
        return self.body

    def error(self) -> tuple[str, str]:
        """Code and words of an error's body (learn.microsoft.com/graph/errors); the innermost code is in the words."""
        told = self.body.get("error") if isinstance(self.body, dict) else None
        if not isinstance(told, dict):
            return "", str(told or "")
        return str(told.get("code") or ""), str(told.get("message") or "")


def read_answer(status: int, headers: Mapping[str, str], octets: bytes) -> Answer:
    """An HTTP response. A body that says it is JSON and is not is left unread: its status may be all that counts."""
    lowered = {name.lower(): value for name, value in headers.items()}
    body = None
    if "json" in lowered.get("content-type", ""):
        try:
            body = json.loads(octets) if octets else None
        except (ValueError, RecursionError):
            body = None
    return Answer(status, lowered, octets, body)


def read_batch(answer: Answer, count: int) -> list[Answer]:
    """The parts of a batch in the order of the requests, whose ids were "0", "1" …; they come in any order."""
    parts: dict[str, Answer] = {}
    told = answer.fields().get("responses")
    for one in told if isinstance(told, list) else ():
        if isinstance(one, dict) and isinstance(one.get("status"), int):
            headers = one.get("headers") if isinstance(one.get("headers"), dict) else {}
            lowered = {str(name).lower(): str(value) for name, value in (headers or {}).items()}
            parts[str(one.get("id"))] = Answer(one["status"], lowered, b"", one.get("body"))
    try:
        return [parts[str(number)] for number in range(count)]
    except KeyError as error:
        raise unreadable(f"no answer to part {error.args[0]} of a batch") from error


def read_retry_after(value: str, now: datetime) -> float | None:
    """Seconds from a Retry-After header; None where it says nothing that can be understood."""
    value = value.strip()
    if not value:
        return None
    try:
        seconds = float(value)
    except ValueError:
        try:
            seconds = (parsedate_to_datetime(value).astimezone(UTC) - now).total_seconds()
        except (ValueError, TypeError, OverflowError):
            return None
    if seconds != seconds:  # "nan"
        return None
    return min(max(seconds, 0.0), LONGEST_WAIT_SECONDS)


def values(answer: Answer) -> Sequence[Mapping[str, Any]]:
    """The objects of a collection's page."""
    told = answer.fields().get("value")
    if not isinstance(told, list) or not all(isinstance(one, dict) for one in told):
        raise unreadable("no collection")
    return told


def link(answer: Answer, name: str) -> str:
    """`@odata.nextLink` or `@odata.deltaLink`, "" where there is none."""
    told = answer.fields().get(f"@odata.{name}")
    return told if isinstance(told, str) else ""


def read_moment(value: object) -> datetime | None:
    """A DateTimeOffset as Graph writes it: "2026-11-23T07:50:08Z", at times with seven digits of a second."""
    if not isinstance(value, str):
        return None
    try:
        moment = datetime.fromisoformat(value)
    except ValueError:
        return None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def extended_value(one: Mapping[str, Any], property_id: str) -> str:
    """A MAPI property that was asked for, "" where the message has none."""
    for told_id, value in _extended(one):
        if same_property(told_id, property_id):
            return value
    return ""


def _extended(one: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    told = one.get("singleValueExtendedProperties")
    for entry in told if isinstance(told, list) else ():
        if isinstance(entry, dict) and isinstance(entry.get("value"), str):
            yield str(entry.get("id") or ""), entry["value"]


def unreadable(words: str) -> ProtocolViolation:
    return ProtocolViolation("unexpected_answer", server_words=words[:500])
