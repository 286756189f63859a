"""IMAP's data formats as Python values (RFC 3501 section 4): no I/O, no opinion about what they mean.

A response arrives as *parts*: lines and literals in turn, a line first and last. `(UID 5 BODY[] {3}` CRLF `abc)`
is the parts `(UID 5 BODY[] `, `abc`, `)`.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TypeAlias

from postroom.providers.errors import ProtocolViolation

# NIL is None, a bare number an int, every string and atom bytes, a parenthesised list a list.
Value: TypeAlias = "int | bytes | list[Value] | None"

MAX_DEPTH = 100  # a real BODYSTRUCTURE nests about twice per MIME level; parsers that stop at 100 levels lose nothing

# An atom may hold one bracketed section with blanks in it, `BODY[HEADER.FIELDS (DATE)]<0>`; a bracket that is never
# closed counts as a character (keywords of some servers). Possessive (++): no input makes this go back.
_TOKEN = re.compile(
    rb"""[ \t]*+ (?: (\() | (\)) | "((?:[^"\\]|\\.)*+)" | ((?: [^\s()"\[\]]++ | \[[^\[\]]*+\] | [\[\]] )++) )""",
    re.VERBOSE | re.DOTALL,
)
_OPEN, _CLOSE, _QUOTED, _ATOM = 1, 2, 3, 4
_ESCAPED = re.compile(rb"\\(.)", re.DOTALL)
_NUMBER = re.compile(rb"0|[1-9][0-9]{0,19}")


def parse_values(parts: Sequence[bytes | bytearray], start: int = 0) -> list[Value]:
    """Read the parts from octet `start` of the first; raise ProtocolViolation where they fit no grammar."""
    values: list[Value] = []
    enclosing: list[list[Value]] = []
    for index, part in enumerate(parts):
        if index % 2:
            values.append(bytes(part))
            continue
        position, end = (start if index == 0 else 0), len(part.rstrip(b" \t"))
        while position < end:
            match = _TOKEN.match(part, position)
            if match is None:
                raise ProtocolViolation("unreadable_response", server_words=_excerpt(part, position))
            position = match.end()
            kind = match.lastindex
            if kind == _ATOM:
                values.append(_atom(match[_ATOM]))
            elif kind == _QUOTED:
                text = match[_QUOTED]
                values.append(_ESCAPED.sub(rb"\1", text) if b"\\" in text else text)
            elif kind == _OPEN:
                if len(enclosing) >= MAX_DEPTH:
                    raise ProtocolViolation("response_too_deep")
                inner: list[Value] = []
                values.append(inner)
                enclosing.append(values)
                values = inner
            elif enclosing:
                values = enclosing.pop()
            else:
                raise ProtocolViolation("unreadable_response", server_words=_excerpt(part, position))
    if enclosing:
        raise ProtocolViolation("unreadable_response", server_words=_excerpt(parts[-1], 0))
    return values


def _atom(text: bytes) -> Value:
    if _NUMBER.fullmatch(text):
        return int(text)
    if text == b"NIL" or text == b"nil":
        return None
    return text


def _excerpt(part: bytes | bytearray, position: int) -> str:
    return bytes(part[max(0, position - 20) : position + 60]).decode("ascii", "replace")


def parse_ranges(text: bytes) -> tuple[tuple[int, int], ...]:
    """A sequence set as ascending (first, last) pairs: `5:3,7` is ((3, 5), (7, 7)).

    Kept as ranges: a server may say `1:4294967295`, and nobody wants four thousand million numbers.
    """
    ranges = []
    for piece in text.split(b","):
        first, colon, last = piece.partition(b":")
        if not first.isdigit() or len(first) > 10 or (colon and (not last.isdigit() or len(last) > 10)):
            raise ProtocolViolation("unreadable_response", server_words=_excerpt(text, 0))
        low, high = int(first), int(last or first)
        ranges.append((min(low, high), max(low, high)))
    return tuple(sorted(ranges))


def count_in_ranges(ranges: Sequence[tuple[int, int]]) -> int:
    """How many numbers the ranges name."""
    return sum(last - first + 1 for first, last in ranges)


def words_of(values: Value) -> list[str]:
    """The atoms and strings of a list; none of anything else."""
    if not isinstance(values, list):
        return []
    return [text_of(value) if isinstance(value, bytes) else str(value) for value in values if value is not None]


def text_of(octets: bytes | bytearray) -> str:
    """Server text. Bytes that are no UTF-8 survive as surrogates, so that a folder name goes back unchanged."""
    return bytes(octets).decode("utf-8", "surrogateescape")
