"""What an IMAP server can say, as values (RFC 3501 section 7 and the extensions named beside each)."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import takewhile
from typing import Literal, TypeAlias, cast

from postroom.providers.errors import ProtocolViolation
from postroom.providers.imap.fetched import Fetch, read_fetch
from postroom.providers.imap.tokens import Value, parse_ranges, parse_values, text_of, words_of

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
        return next(iter(self.numbers), 0)

    @property
    def numbers(self) -> list[int]:
        """The numbers that the argument begins with."""
        return [int(word) for word in takewhile(_is_number, self.argument.split())]


def _is_number(word: bytes) -> bool:
    return word.isdigit() and len(word) <= 20


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
            f"[{self.code.name}{' ' + text_of(self.code.argument) if self.code.argument else ''}] " if self.code else ""
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
    """The answer to STATUS; items in upper case, without those that are no number (APPENDLIMIT NIL).

    `mailbox_id` is the folder's id that outlives renaming (RFC 8474 section 4), "" when it was not told.
    """

    name: str
    items: dict[str, int]
    mailbox_id: str = ""


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


def parse_response(parts: Sequence[bytes | bytearray]) -> Event:
    """One whole response from its parts; raise ProtocolViolation when a known response does not fit its grammar."""
    line = parts[0]
    if line.startswith(b"+"):
        return Continuation(text_of(line[1:].lstrip()))
    is_numbered = line[2:3].isdigit() and line.startswith(b"* ")  # nearly all: spared the look for a status
    if not is_numbered and (match := _STATUS.fullmatch(line)):
        return _status(match[1], match[2], match[3] or b"")
    match = _UNTAGGED.match(line)
    if match is None:
        return Stray(text_of(line)[:500])
    name = match[2].upper()
    if match[1] is not None:
        return _numbered(int(match[1]), name, parts, match.end())
    reader = _READERS.get(name)
    values = parse_values(parts, match.end())
    return reader(values) if reader else Other(text_of(name), tuple(values))


def _status(tag: bytes, condition: bytes, rest: bytes) -> Status:
    code = None
    if match := _CODE.fullmatch(rest):
        code, rest = ResponseCode(text_of(match[1]).upper(), match[2] or b""), match[3]
    word = cast(Condition, text_of(condition).upper())
    return Status(word, text_of(rest), code, "" if tag == b"*" else text_of(tag))


def _numbered(number: int, name: bytes, parts: Sequence[bytes | bytearray], start: int) -> Event:
    if name == b"FETCH":
        return read_fetch(number, parts, start)
    if name == b"EXISTS":
        return Exists(number)
    if name == b"EXPUNGE":
        return Expunge(number)
    if name == b"RECENT":
        return Recent(number)
    return Other(text_of(name), (number, *parse_values(parts, start)))


def _capability(values: list[Value]) -> Capability:
    return Capability(frozenset(word.upper() for word in words_of(values)))


def _enabled(values: list[Value]) -> Enabled:
    return Enabled(frozenset(word.upper() for word in words_of(values)))


def _folder(values: list[Value]) -> Event:
    if len(values) < 3 or not isinstance(values[0], list):
        raise ProtocolViolation("unreadable_response", server_words="LIST")
    attributes, delimiter, name = values[:3]
    return Folder(
        frozenset(word.lower() for word in words_of(attributes)),
        text_of(delimiter) if isinstance(delimiter, bytes) and delimiter else None,
        _name(name),
    )


def _folder_status(values: list[Value]) -> FolderStatus:
    if len(values) != 2 or not isinstance(values[1], list):
        raise ProtocolViolation("unreadable_response", server_words="STATUS")
    pairs = zip(values[1][::2], values[1][1::2], strict=False)
    told = {text_of(key).upper(): value for key, value in pairs if isinstance(key, bytes)}
    items = {name: value for name, value in told.items() if isinstance(value, int)}
    return FolderStatus(_name(values[0]), items, next(iter(words_of(told.get("MAILBOXID"))), ""))


def _flags(values: list[Value]) -> Flags:
    return Flags(tuple(words_of(values[0] if values else [])))


def _found(values: list[Value]) -> Found:
    """SEARCH and SORT; Dovecot and others may end with `(MODSEQ n)` (RFC 7162 section 3.1.5)."""
    return Found(numbers=tuple(value for value in values if isinstance(value, int)))


def _extended_found(values: list[Value]) -> Found:
    rest = iter(values[1:] if values and isinstance(values[0], list) else values)  # without (TAG "a1")
    ranges: Ranges = ()
    count = None
    for name in rest:
        if name == b"UID":
            continue
        value = next(rest, None)
        if name == b"PARTIAL" and isinstance(value, list):  # (-1:-100 7,9) of RFC 9394, NIL when nothing is left
            name, value = b"ALL", value[-1] if len(value) > 1 else None
        if name == b"ALL" and value is not None:
            ranges += parse_ranges(str(value).encode() if isinstance(value, int) else _octets(value))
        elif name == b"COUNT" and isinstance(value, int):
            count = value
    return Found(ranges=ranges, count=count)


def _vanished(values: list[Value]) -> Vanished:
    is_earlier = bool(values) and isinstance(values[0], list)
    last = values[-1] if values else None
    return Vanished(parse_ranges(str(last).encode() if isinstance(last, int) else _octets(last)), is_earlier)


def _name(value: Value) -> str:
    """A folder's name: a number or NIL is a name like any other when it was sent as an atom."""
    if isinstance(value, list):
        raise ProtocolViolation("unreadable_response", server_words="folder name")
    return text_of(value) if isinstance(value, bytes) else "NIL" if value is None else str(value)


def _octets(value: Value) -> bytes:
    return value if isinstance(value, bytes) else b""


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
