"""What an IMAP server can say, as values (RFC 3501 section 7 and the extensions named beside each)."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta, timezone
from functools import lru_cache
from typing import Literal, TypeAlias, cast

from postroom.providers.errors import ProtocolViolation
from postroom.providers.imap.tokens import Value, parse_ranges, parse_values

Condition = Literal["OK", "NO", "BAD", "PREAUTH", "BYE"]
Ranges: TypeAlias = tuple[tuple[int, int], ...]


@dataclass(frozen=True, slots=True)
class ResponseCode:
    """The machine-readable word in brackets: `[UIDVALIDITY 7]` is ("UIDVALIDITY", b"7")."""

    name: str
    argument: bytes = b""

    @property
    def number(self) -> int:
        """The first number of the argument, 0 when there is none."""
        first = self.argument.split(b" ", 1)[0]
        return int(first) if first.isdigit() and len(first) <= 20 else 0


@dataclass(frozen=True, slots=True)
class Status:
    """OK, NO, BAD, PREAUTH or BYE, with its code and its words for people. `tag` is "" when untagged."""

    condition: Condition
    text: str
    code: ResponseCode | None = None
    tag: str = ""

    @property
    def words(self) -> str:
        """What the server said, as a person would quote it."""
        code = (
            f"[{self.code.name}{' ' + _text(self.code.argument) if self.code.argument else ''}] " if self.code else ""
        )
        return f"{self.condition} {code}{self.text}".strip()


@dataclass(frozen=True, slots=True)
class Continuation:
    """The server waits for more: the rest of a command, a SASL answer, or DONE."""

    text: str


@dataclass(frozen=True, slots=True)
class Capability:
    """What the server offers, in upper case."""

    names: frozenset[str]


@dataclass(frozen=True, slots=True)
class Enabled:
    """What ENABLE switched on (RFC 5161)."""

    names: frozenset[str]


@dataclass(frozen=True, slots=True)
class Folder:
    """One line of LIST, LSUB or XLIST. `name` as it crossed the wire; `delimiter` None in a flat namespace."""

    attributes: frozenset[str]  # lower case, with the backslash
    delimiter: str | None
    name: str


@dataclass(frozen=True, slots=True)
class FolderStatus:
    """The answer to STATUS; items in upper case, without those that are no number (APPENDLIMIT NIL)."""

    name: str
    items: dict[str, int]


@dataclass(frozen=True, slots=True)
class Flags:
    """The flags a folder knows."""

    flags: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Found:
    """SEARCH or SORT: numbers in the server's order; ESEARCH: `ranges` (RFC 4731)."""

    numbers: tuple[int, ...] = ()
    ranges: Ranges = ()
    count: int | None = None


@dataclass(frozen=True, slots=True)
class Vanished:
    """UIDs that are gone; `is_earlier` when it answers a question about the past (RFC 7162 section 3.2.10)."""

    ranges: Ranges
    is_earlier: bool


@dataclass(frozen=True, slots=True)
class Exists:
    """How many messages the folder holds now."""

    count: int


@dataclass(frozen=True, slots=True)
class Recent:
    """How many messages are new to this session."""

    count: int


@dataclass(frozen=True, slots=True)
class Expunge:
    """The message with that sequence number is gone; those above move down by one."""

    sequence: int


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


@dataclass(frozen=True, slots=True)
class Other:
    """An untagged response that we have no use for: NAMESPACE, THREAD, ID, METADATA …"""

    name: str
    values: tuple[Value, ...]


@dataclass(frozen=True, slots=True)
class Stray:
    """A line outside the grammar (Exchange says `Server Unavailable.` and breaks lines before `[COPYUID`)."""

    text: str


Event: TypeAlias = (
    Status | Continuation | Capability | Enabled | Folder | FolderStatus | Flags | Found | Vanished | Exists
    | Recent | Expunge | Fetch | Other | Stray
)  # fmt: skip

_STATUS = re.compile(rb"(\S+) (OK|NO|BAD|PREAUTH|BYE)(?: (.*))?", re.IGNORECASE | re.DOTALL)
_CODE = re.compile(rb'\[([^\s\]]+)(?: ((?:[^\]"]|"(?:[^"\\]|\\.)*+")*+))?\] ?(.*)', re.DOTALL)
_UNTAGGED = re.compile(rb"\* (?:(\d{1,10}) )?([A-Za-z][^\s()]*) ?")
_SECTION = re.compile(r"(?:BODY|BINARY)\[([^\]]*)\](?:<\d+>)?")
_PLAIN_FETCH = re.compile(
    rb"""\(UID ([1-9]\d{0,9}) FLAGS \(([^()"\[\]{}]*)\)"""
    rb"""(?: INTERNALDATE "([^"\\]*)")?(?: RFC822\.SIZE (0|[1-9]\d{0,18}))?(?: BODY\[\] |(\)))"""
)
_DATE = re.compile(rb" ?(\d{1,2})-(\w{3})-(\d{4}) (\d\d):(\d\d):(\d\d) ([+-])(\d\d)(\d\d)")
_MONTHS = {name: number for number, name in enumerate(b"Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec".split(), 1)}


def parse_response(parts: Sequence[bytes | bytearray]) -> Event:
    """One whole response from its parts; raise ProtocolViolation when a known response does not fit its grammar."""
    line = parts[0]
    if line.startswith(b"+"):
        return Continuation(_text(line[1:].lstrip()))
    if match := _STATUS.fullmatch(line):
        return _status(match[1], match[2], match[3] or b"")
    match = _UNTAGGED.match(line)
    if match is None:
        return Stray(_text(line)[:500])
    name = match[2].upper()
    if match[1] is not None:
        return _numbered(int(match[1]), name, parts, match.end())
    reader = _READERS.get(name)
    values = parse_values(parts, match.end())
    return reader(values) if reader else Other(_text(name), tuple(values))


def _status(tag: bytes, condition: bytes, rest: bytes) -> Status:
    code = None
    if match := _CODE.fullmatch(rest):
        code, rest = ResponseCode(_text(match[1]).upper(), match[2] or b""), match[3]
    word = cast(Condition, _text(condition).upper())
    return Status(word, _text(rest), code, "" if tag == b"*" else _text(tag))


def _numbered(number: int, name: bytes, parts: Sequence[bytes | bytearray], start: int) -> Event:
    if name == b"FETCH":
        return _plain_fetch(number, parts, start) or _fetch(number, parse_values(parts, start))
    if name == b"EXISTS":
        return Exists(number)
    if name == b"EXPUNGE":
        return Expunge(number)
    if name == b"RECENT":
        return Recent(number)
    return Other(_text(name), (number, *parse_values(parts, start)))


def _plain_fetch(sequence: int, parts: Sequence[bytes | bytearray], start: int) -> Fetch | None:
    """What nearly every server says to our own two questions, in one look; None when it is anything else.

    A first import reads two such answers a message. Whatever this reads, `_fetch` reads alike (a test compares them).
    """
    match = _PLAIN_FETCH.fullmatch(parts[0], start)
    if match is None:
        return None
    uid, flags, date, size, end = match.groups()
    if len(parts) != (1 if end else 3) or (not end and parts[2] != b")"):
        return None
    return Fetch(
        sequence,
        uid=int(uid),
        flags=_plain_flags(flags),
        internal_date=None if date is None else _internal_date(date),
        size=None if size is None else int(size),
        sections={} if end else {"": bytes(parts[1])},
    )


@lru_cache(maxsize=256)  # most messages share a few combinations
def _plain_flags(words: bytes) -> tuple[str, ...]:
    return tuple(_words(parse_values([words])))


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
        _tell(told, fetched, _text(name).upper() if isinstance(name, bytes) else str(name), next(rest, None))
    return Fetch(**told)  # type: ignore[arg-type]  # the keys are fields of Fetch, see _tell


def _tell(told: dict[str, object], fetched: Fetch, name: str, value: Value) -> None:
    if name == "UID" and isinstance(value, int):
        told["uid"] = value
    elif name == "FLAGS" and isinstance(value, list):
        told["flags"] = tuple(_words(value))
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


def _capability(values: list[Value]) -> Capability:
    return Capability(frozenset(word.upper() for word in _words(values)))


def _enabled(values: list[Value]) -> Enabled:
    return Enabled(frozenset(word.upper() for word in _words(values)))


def _folder(values: list[Value]) -> Event:
    if len(values) < 3 or not isinstance(values[0], list):
        raise ProtocolViolation("unreadable_response", server_words="LIST")
    attributes, delimiter, name = values[:3]
    return Folder(
        frozenset(word.lower() for word in _words(attributes)),
        _text(delimiter) if isinstance(delimiter, bytes) and delimiter else None,
        _name(name),
    )


def _folder_status(values: list[Value]) -> FolderStatus:
    if len(values) != 2 or not isinstance(values[1], list):
        raise ProtocolViolation("unreadable_response", server_words="STATUS")
    pairs = zip(values[1][::2], values[1][1::2], strict=False)
    items = {_text(key).upper(): value for key, value in pairs if isinstance(key, bytes) and isinstance(value, int)}
    return FolderStatus(_name(values[0]), items)


def _flags(values: list[Value]) -> Flags:
    return Flags(tuple(_words(values[0] if values else [])))


def _found(values: list[Value]) -> Found:
    """SEARCH and SORT; Dovecot and others may end with `(MODSEQ n)` (RFC 7162 section 3.1.5)."""
    return Found(numbers=tuple(value for value in values if isinstance(value, int)))


def _extended_found(values: list[Value]) -> Found:
    rest = iter(value for value in values if not isinstance(value, list))  # without (TAG "a1")
    ranges: Ranges = ()
    count = None
    for name in rest:
        if name == b"UID":
            continue
        value = next(rest, None)
        if name == b"ALL":
            ranges = parse_ranges(str(value).encode() if isinstance(value, int) else _octets(value))
        elif name == b"COUNT" and isinstance(value, int):
            count = value
    return Found(ranges=ranges, count=count)


def _vanished(values: list[Value]) -> Vanished:
    is_earlier = bool(values) and isinstance(values[0], list)
    last = values[-1] if values else None
    return Vanished(parse_ranges(str(last).encode() if isinstance(last, int) else _octets(last)), is_earlier)


def _words(values: Value) -> list[str]:
    if not isinstance(values, list):
        return []
    return [_text(value) if isinstance(value, bytes) else str(value) for value in values if value is not None]


def _name(value: Value) -> str:
    """A folder's name: a number or NIL is a name like any other when it was sent as an atom."""
    if isinstance(value, list):
        raise ProtocolViolation("unreadable_response", server_words="folder name")
    return _text(value) if isinstance(value, bytes) else "NIL" if value is None else str(value)


def _octets(value: Value) -> bytes:
    return value if isinstance(value, bytes) else b""


def _text(octets: bytes | bytearray) -> str:
    """Server text. Bytes that are no UTF-8 survive as surrogates, so that a folder name goes back unchanged."""
    return bytes(octets).decode("utf-8", "surrogateescape")


_READERS: dict[bytes, Callable[[list[Value]], Event]] = {
    b"CAPABILITY": _capability,
    b"ENABLED": _enabled,
    b"LIST": _folder,
    b"LSUB": _folder,
    b"XLIST": _folder,
    b"STATUS": _folder_status,
    b"FLAGS": _flags,
    b"SEARCH": _found,
    b"SORT": _found,
    b"ESEARCH": _extended_found,
    b"VANISHED": _vanished,
}
