"""What we say to an IMAP server. Every octet that leaves goes through `encode`: the one choke point.

A command is a sequence of arguments: `Verbatim` is grammar that we wrote ourselves, `str` a value from anywhere,
`Payload` a message. Values that are not plain atoms travel as literals, so that no quoting rule can be got wrong;
NUL, CR and LF in a value are refused (ASVS 5.0 V1.3.11).
"""

from __future__ import annotations

import base64
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Literal, TypeAlias

from postroom.providers.errors import Unsupported

LiteralForm = Literal["waiting", "up_to_4096", "any"]  # plain RFC 3501; LITERAL- and LITERAL+ of RFC 7888
HIGHEST_UID = 4_294_967_295  # never "*": `n:*` names the last message even when its UID is below n

_ATOM = re.compile(rb"[A-Za-z0-9!#$&'+,./:;<=>?@^_`|~-]+")
_FORBIDDEN = re.compile(rb"[\x00\r\n]")
_MONTHS = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"]


@dataclass(frozen=True, slots=True)
class Verbatim:
    """Grammar of our own: command names, parenthesised item lists, sequence sets."""

    text: str


@dataclass(frozen=True, slots=True)
class Payload:
    """A whole message, sent as a literal: its line ends stay."""

    octets: bytes


Argument: TypeAlias = Verbatim | str | Payload


def encode(tag: str, arguments: Sequence[Argument], form: LiteralForm) -> list[bytes]:
    """The command's octets, cut where the client must wait for the server's `+`; raise Unsupported if unsafe."""
    segments = []
    segment = bytearray(tag.encode("ascii"))
    for argument in arguments:
        segment += b" "
        octets, is_literal = _octets(argument)
        if not is_literal:
            segment += octets
            continue
        goes_at_once = form == "any" or (form == "up_to_4096" and len(octets) <= 4096)
        segment += b"{%d+}\r\n" % len(octets) if goes_at_once else b"{%d}\r\n" % len(octets)
        if not goes_at_once:
            segments.append(bytes(segment))
            segment = bytearray()
        segment += octets
    segments.append(bytes(segment) + b"\r\n")
    return segments


def _octets(argument: Argument) -> tuple[bytes, bool]:
    """An argument's octets and whether they travel as a literal."""
    if isinstance(argument, Payload):
        if b"\0" in argument.octets:
            raise Unsupported("unsafe_argument")  # RFC 3501 section 9: CHAR8 has no NUL
        return argument.octets, True
    is_ours = isinstance(argument, Verbatim)
    octets = (argument.text if isinstance(argument, Verbatim) else argument).encode("utf-8", "surrogateescape")
    if _FORBIDDEN.search(octets):
        raise Unsupported("unsafe_argument")
    # The atom NIL means "nothing" (RFC 3501 section 4.5), so a folder of that name needs a literal too.
    is_plain = is_ours or (bool(_ATOM.fullmatch(octets)) and octets.upper() != b"NIL")
    return octets, not is_plain


def sasl_plain(username: str, password: str) -> str:
    """The one answer of AUTHENTICATE PLAIN (RFC 4616), base64."""
    if "\0" in username or "\0" in password:
        raise Unsupported("unsafe_argument")
    return base64.b64encode(f"\0{username}\0{password}".encode()).decode("ascii")


def search_date(day: date) -> str:
    """A day as SEARCH wants it, 1-Feb-2026, whatever the locale."""
    return f"{day.day}-{_MONTHS[day.month - 1]}-{day.year:04}"


def sequence_set(numbers: Iterable[int]) -> str:
    """Ascending numbers as ranges, "1:3,7". QQ answers BAD to descending sets."""
    return ",".join(f"{first}:{last}" if first != last else str(first) for first, last in _runs(numbers))


def _runs(numbers: Iterable[int]) -> Iterator[tuple[int, int]]:
    first = last = None
    for number in sorted(set(numbers)):
        if first is not None and last is not None and number == last + 1:
            last = number
            continue
        if first is not None and last is not None:
            yield first, last
        first = last = number
    if first is not None and last is not None:
        yield first, last


def encode_folder_name(name: str) -> str:
    """Modified UTF-7 (RFC 3501 section 5.1.3): "Entwürfe" is "Entw&APw-rfe"."""
    encoded = []
    for plain, foreign in re.findall(r"([\x20-\x7e]+)|([^\x20-\x7e]+)", name):
        if plain:
            encoded.append(plain.replace("&", "&-"))
        else:
            letters = base64.b64encode(foreign.encode("utf-16-be", "surrogatepass")).decode("ascii")
            encoded.append(f"&{letters.rstrip('=').replace('/', ',')}-")
    return "".join(encoded)


def decode_folder_name(name: str) -> str:
    """The readable form of a modified UTF-7 name. What does not decode is shown as it came."""
    return re.sub(r"&([A-Za-z0-9+,]*)-", _decode_shift, name)


def _decode_shift(match: re.Match[str]) -> str:
    if not match[1]:
        return "&"
    letters = match[1].replace(",", "/")
    try:
        return base64.b64decode(letters + "=" * (-len(letters) % 4)).decode("utf-16-be")
    except ValueError:  # binascii.Error and UnicodeDecodeError are both ValueErrors
        return match[0]
