"""What a FETCH response tells about one message (RFC 3501 section 7.4.2 and the extensions named beside each)."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta, timezone
from functools import lru_cache

from postroom.providers.errors import ProtocolViolation
from postroom.providers.imap.tokens import Value, parse_values, text_of, words_of

_SECTION = re.compile(r"(?:BODY|BINARY)\[([^\]]*)\](?:<\d+>)?")
_PLAIN_FETCH = re.compile(
    rb"""\(UID ([1-9]\d{0,9}) FLAGS \(([^()"\[\]{}]*)\)"""
    rb"""(?: INTERNALDATE "([^"\\]*)")?(?: RFC822\.SIZE (0|[1-9]\d{0,18}))?"""
    rb"""(?: MODSEQ \((0|[1-9]\d{0,19})\))?(?: BODY\[(|HEADER\.FIELDS \([A-Za-z -]*\))\] |(\)))"""
)
_DATE = re.compile(rb" ?(\d{1,2})-(\w{3})-(\d{4}) (\d\d):(\d\d):(\d\d) ([+-])(\d\d)(\d\d)")
_MONTHS = {name: number for number, name in enumerate(b"Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec".split(), 1)}


@dataclass(frozen=True, slots=True)
class Fetch:
    """What a server told about one message. A field is None when it was not told.

    `sections` maps "", "HEADER", "TEXT", "1.MIME" … (the words between BODY's brackets) to octets, None for NIL.
    `others` keeps everything else by name: ENVELOPE and BODYSTRUCTURE as nested lists, X-GM-MSGID …
    """

    sequence: int
    uid: int | None = None
    flags: tuple[str, ...] | None = None
    internal_date: datetime | None = None
    size: int | None = None
    modseq: int | None = None
    sections: dict[str, bytes | None] = field(default_factory=dict)
    others: dict[str, Value] = field(default_factory=dict)


def read_fetch(sequence: int, parts: Sequence[bytes | bytearray], start: int) -> Fetch:
    """A whole FETCH response whose item list begins at octet `start` of the first part."""
    return _plain_fetch(sequence, parts, start) or _fetch(sequence, parse_values(parts, start))


def _plain_fetch(sequence: int, parts: Sequence[bytes | bytearray], start: int) -> Fetch | None:
    """What nearly every server says to our own questions, in one look; None when it is anything else.

    A first import reads two such answers a message. Whatever this reads, `_fetch` reads alike (a test compares them).
    """
    match = _PLAIN_FETCH.fullmatch(parts[0], start)
    if match is None:
        return None
    uid, flags, date, size, modseq, section, end = match.groups()
    if len(parts) != (1 if end else 3) or (not end and parts[2] != b")"):
        return None
    return Fetch(
        sequence,
        uid=int(uid),
        flags=_plain_flags(flags),
        internal_date=None if date is None else _internal_date(date),
        size=None if size is None else int(size),
        modseq=None if modseq is None else int(modseq),
        sections={} if end else {_section(section): bytes(parts[1])},
    )


@lru_cache(maxsize=256)  # most messages share a few combinations
def _plain_flags(words: bytes) -> tuple[str, ...]:
    return tuple(words_of(parse_values([words])))


@lru_cache(maxsize=64)
def _section(name: bytes) -> str:
    return text_of(name).upper()


def _fetch(sequence: int, values: list[Value]) -> Fetch:
    items = values[0] if len(values) == 1 else None
    if not isinstance(items, list):
        raise ProtocolViolation("unreadable_response", server_words=f"{sequence} FETCH")
    fetched = Fetch(sequence)
    told: dict[str, object] = {"sequence": sequence, "sections": fetched.sections, "others": fetched.others}
    rest = iter(items)
    for name in rest:
        if isinstance(name, list):  # Domino wraps one item in parentheses of its own
            inner = _fetch(sequence, [name])
            fetched.others.update(inner.others)
            fetched.sections.update(inner.sections)
            continue
        # Yandex names BODY[2] and closes the list without a value when the part is empty
        _tell(told, fetched, text_of(name).upper() if isinstance(name, bytes) else str(name), next(rest, None))
    return Fetch(**told)  # type: ignore[arg-type]  # the keys are fields of Fetch, see _tell


def _tell(told: dict[str, object], fetched: Fetch, name: str, value: Value) -> None:
    if name == "UID" and isinstance(value, int):
        told["uid"] = value
    elif name == "FLAGS" and isinstance(value, list):
        told["flags"] = tuple(words_of(value))
    elif name == "INTERNALDATE" and isinstance(value, bytes):
        told["internal_date"] = _internal_date(value)
    elif name == "RFC822.SIZE" and isinstance(value, int):
        told["size"] = value
    elif name == "MODSEQ" and isinstance(value, list) and len(value) == 1 and isinstance(value[0], int):
        told["modseq"] = value[0]
    elif match := _SECTION.fullmatch(name):
        fetched.sections[match[1]] = value if isinstance(value, bytes) else _as_octets(value)
    else:
        fetched.others[name] = value


def _as_octets(value: Value) -> bytes | None:
    """A section sent as a bare number or NIL instead of a string."""
    return str(value).encode() if isinstance(value, int) else None


def _internal_date(text: bytes) -> datetime | None:
    """RFC 3501 date-time; None for what is no date, since a wrong clock must not lose a message."""
    match = _DATE.fullmatch(text)
    month = _MONTHS.get(match[2].title()) if match else None
    if match is None or month is None:
        return None
    day, _, year, hour, minute, second, sign, zone_hours, zone_minutes = match.groups()
    try:
        zone = _zone(sign, zone_hours, zone_minutes)
        when = datetime(int(year), month, int(day), int(hour), int(minute), min(int(second), 59), tzinfo=zone)
        return when if zone is UTC else when.astimezone(UTC)
    except (ValueError, OverflowError):
        return None


@lru_cache(maxsize=64)
def _zone(sign: bytes, hours: bytes, minutes: bytes) -> timezone:
    offset = timedelta(hours=int(hours), minutes=int(minutes))
    return timezone(-offset if sign == b"-" else offset) if offset else UTC
