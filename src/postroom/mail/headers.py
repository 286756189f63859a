"""The header block of a message: fields, encoded words, parameters, message ids and dates.

Everything here reads what others wrote, often wrongly and sometimes on purpose. So nothing raises, everything is
linear in the input, and no value that leaves this module holds a line break or a NUL: an encoded CR LF (RFC 2047
"=0D=0A") becomes a space, since such values end up in IMAP searches and in headers of our own.
"""

from __future__ import annotations

import re
from binascii import Error as BinasciiError
from binascii import a2b_base64, a2b_qp
from collections.abc import Collection
from datetime import UTC, datetime, timedelta, timezone
from email.utils import parsedate_tz
from functools import lru_cache
from urllib.parse import unquote_to_bytes

from postroom.mail.charset import decode_bytes
from postroom.mail.message import Raw

LONGEST_MESSAGE_ID = 998  # a line of RFC 5322 section 2.1.1
MOST_MESSAGE_IDS = 1_000
LONGEST_DATE = 200
LONGEST_PARAMETERS = 50_000
LONGEST_SHOWN = 100_000
_USUAL_BLOCK = 50_000  # bytes of a header

_MBOX_LINE = re.compile(rb"\A>?From [^\r\n]*(?:\r?\n|\Z)")
_FIELD = re.compile(rb"^([!-9;-~]{1,200})[ \t]*:([^\n]*(?:\n[ \t][^\n]*)*)", re.MULTILINE)
_NOT_A_FIELD = re.compile(rb"^(?![!-9;-~]{1,200}[ \t]*:|[ \t])", re.MULTILINE)
_CONTROLS = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029]+")
# RFC 2047 section 2, with the language of RFC 2231 section 5, and spaces in the text, which some senders leave.
_ENCODED_WORD = re.compile(r"=\?([^?*\s]{1,60})(?:\*[^?\s]{0,30})?\?([bBqQ])\?([^?]*)\?=")
_BASE64_ALPHABET = re.compile(r"[^A-Za-z0-9+/]+")
_PARAMETER = re.compile(r';\s*([^\s=;"]{1,100})\s*=\s*(?:"((?:[^"\\]|\\.)*)"?|([^;]*))', re.DOTALL)
_NO_SEMICOLON = re.compile(r"\s*([A-Za-z]{1,30}/[A-Za-z0-9.+-]{1,100})\s+(?=[A-Za-z*0-9-]{1,50}=)")
_CONTINUATION = re.compile(r"([^*]+)\*(?:(\d{1,3})(\*?))?\Z")
_COMMENT = re.compile(r"\([^()]*\)")
_ESCAPE = re.compile(r"\\(.)", re.DOTALL)
_MESSAGE_ID = re.compile(r"<\s*([!-;=?-~]{1,996})\s*>")
_BARE_MESSAGE_ID = re.compile(r"[!-;=?-~]{1,900}@[!-;=?-~]{1,90}\Z")
_MONTHS = {
    m: n for n, m in enumerate(["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"], 1)
}
_DATE = re.compile(
    r"\s*(?:[A-Za-z]+\s*,\s*)?(\d{1,2})\s+([A-Za-z]{3})\w*\s+(\d{4})\s+(\d{1,2}):(\d{2})(?::(\d{2}))?\s*([+-])(\d{2})(\d{2})"
)
_FIRST_YEAR, _LAST_YEAR = 1970, 2100
_MONTH_DIGITS = {name.title(): f"{number:02}" for name, number in _MONTHS.items()}
_NAMED_UTC = frozenset(("GMT", "UT", "UTC", "Z"))

RawFields = list[tuple[bytes, bytes]]
Fields = dict[str, list[str]]  # name in lower case: values unfolded, encoded words still encoded


def split_message(raw: Raw) -> tuple[bytes, int]:
    """The header block of `raw` and the offset at which the body begins.

    A block that no blank line ends is over at its first line that cannot be a field.
    """
    block_end, body_start = find_body(raw, 0, len(raw))
    return raw[:block_end], body_start


def find_body(raw: Raw, start: int, end: int) -> tuple[int, int]:
    """Where the header block that begins at `start` ends, and where the body begins; both at most `end`."""
    opening = raw[start : min(start + 2, end)]
    if opening.startswith((b"\n", b"\r")):
        return start, start + (2 if opening == b"\r\n" else 1)
    # By windows: in a part whose lines end in LF the other kind of blank line is not there to be found.
    window = _USUAL_BLOCK
    while True:
        limit = min(start + window, end)
        blank = raw.find(b"\n\r\n", start, limit)
        bare_blank = raw.find(b"\n\n", start, blank + 1 if blank >= 0 else limit)
        if bare_blank >= 0:
            return bare_blank + 1, bare_blank + 2
        if blank >= 0:
            return blank + 1, blank + 3
        if limit == end:
            break
        window *= 8
    mbox = _MBOX_LINE.match(raw, start, end) if start == 0 else None
    other = _NOT_A_FIELD.search(raw, mbox.end() if mbox else start, end)
    block_end = other.start() if other else end
    return block_end, block_end


def read_fields(block: bytes, wanted: Collection[str]) -> Fields:
    """The fields of a header block whose names (in lower case) are in `wanted`; other lines are skipped."""
    named: Fields = {}
    if block.isascii() and b"\x1b" not in block:
        text = block.decode("ascii").replace("\r\n", "\n")
        if "\r" not in text:
            for line in text.replace("\n ", " ").replace("\n\t", "\t").split("\n"):
                name, colon, value = line.partition(":")
                name = name.rstrip(" \t").lower()
                if name in wanted and colon:
                    named.setdefault(name, []).append(value.strip())
            return named
    # Raw 8-bit is decoded field by field: each may be in a charset of its own.
    for raw_name, raw_value in split_fields(block):
        name = raw_name.decode("ascii")
        if name in wanted:
            named.setdefault(name, []).append(unfold(raw_value))
    return named


def split_fields(block: bytes) -> RawFields:
    """(name in lower case, raw value still folded) of every field of a header block, in order; other lines are
    skipped."""
    if block.count(b"\r") != block.count(b"\r\n"):
        block = block.replace(b"\r\n", b"\n").replace(b"\r", b" ")
    return [(name.lower(), value) for name, value in _FIELD.findall(block)]


def unfold(value: bytes) -> str:
    """A raw value as one line of text, not yet decoded: raw 8-bit is UTF-8, else Windows-1252 (RFC 6532 section
    3.2)."""
    text = value.decode("ascii") if value.isascii() and b"\x1b" not in value else decode_bytes(value)
    return _without_breaks(text).strip()


def _without_breaks(text: str) -> str:
    """In the value of a field every line break is that of a fold: RFC 5322 section 2.2.3 takes out nothing else."""
    return text.replace("\r\n", "").replace("\n", "") if "\n" in text else text


def one_line(text: str) -> str:
    """`text` without controls and line breaks; a run of them becomes one space."""
    return text if text.isprintable() else _CONTROLS.sub(" ", text).strip()


def decode_header(value: bytes | str) -> str:
    """A header as a person reads it: unfolded, encoded words decoded, on one line."""
    text = unfold(value[:LONGEST_SHOWN]) if isinstance(value, bytes) else _without_breaks(value[:LONGEST_SHOWN])
    return one_line(decode_words(text))


def decode_words(text: str) -> str:
    """`text` with the encoded words of RFC 2047 decoded, also where the RFC would not allow them.

    Neighbours in one charset are joined as bytes first: senders split words inside a character.
    """
    if "=?" not in text:
        return text
    out: list[str] = []
    pending, pending_charset, end = b"", "", 0
    for word in _ENCODED_WORD.finditer(text):
        between = text[end : word.start()]
        charset, encoding, content = word.groups()
        data = _decode_word_bytes(encoding, content)
        charset = charset.lower()
        is_neighbour = end > 0 and (not between or between.isspace())
        if is_neighbour and charset == pending_charset:
            pending += data
        else:
            if pending:
                out.append(decode_bytes(pending, pending_charset))
            if not is_neighbour:
                out.append(between)
            pending, pending_charset = data, charset
        end = word.end()
    if pending:
        out.append(decode_bytes(pending, pending_charset))
    out.append(text[end:])
    return "".join(out)


def _decode_word_bytes(encoding: str, content: str) -> bytes:
    if encoding in "qQ":
        return a2b_qp(content.encode("utf-8", "replace"), header=True)
    letters = _BASE64_ALPHABET.sub("", content)
    if len(letters) % 4 == 1:
        letters = letters[:-1]
    try:
        return a2b_base64(letters + "=" * (-len(letters) % 4))
    except BinasciiError:
        return content.encode("utf-8", "replace")


@lru_cache(maxsize=1024)
def parse_parameters(value: str) -> tuple[str, dict[str, str]]:
    """'text/plain; charset=utf-8' as ('text/plain', {'charset': 'utf-8'}), RFC 2045 and 2231, lenient.

    The first of two parameters of one name counts. Callers must not change the dictionary, it is shared.
    """
    value = value[:LONGEST_PARAMETERS]
    head = value.partition(";")[0]
    if "=" in head and (unseparated := _NO_SEMICOLON.match(value)):
        head = unseparated[1]
        value = f"{head};{value[unseparated.end() :]}"
    main = _COMMENT.sub("", head).strip().lower() if "(" in head else head.strip().lower()
    if len(head) == len(value):
        return main, {}
    plain: dict[str, str] = {}
    extended: dict[str, list[tuple[int, bool, str]]] = {}
    for name, quoted, token in _PARAMETER.findall(value, len(head)):
        text = _ESCAPE.sub(r"\1", quoted) if "\\" in quoted else quoted or token.strip()
        if token and "(" in token:
            text = _COMMENT.sub("", text).strip()
        name = name.lower()
        piece = _CONTINUATION.match(name) if "*" in name else None
        if piece is None:
            plain.setdefault(name, one_line(decode_words(text)))
        else:
            number = int(piece[2] or 0)
            is_encoded = piece[2] is None or piece[3] == "*"
            extended.setdefault(piece[1], []).append((number, is_encoded, text))
    # RFC 6266 section 4.3: the extended form is the better one where a sender gives both.
    return main, plain | {name: _join_continuations(pieces) for name, pieces in extended.items()}


def _join_continuations(pieces: list[tuple[int, bool, str]]) -> str:
    """RFC 2231 sections 3 and 4. Joined as bytes before decoding: pieces may be cut inside a character."""
    charset, data = "", b""
    pieces.sort(key=lambda piece: piece[0])
    for index, (_, is_encoded, text) in enumerate(pieces):
        if not is_encoded:
            data += text.encode("utf-8", "replace")
            continue
        if index == 0 and text.count("'") >= 2:
            charset, _, text = text.split("'", 2)
        data += unquote_to_bytes(text.encode("utf-8", "replace"))
    return one_line(decode_words(decode_bytes(data, charset)))


def message_ids(value: str) -> tuple[str, ...]:
    """The message ids of a header value, each once, with angle brackets, in order.

    Encoded words are not decoded here, ids are ASCII without spaces (RFC 5322 section 3.6.4): what a stranger writes
    into this header must stay harmless in an IMAP search. A single id without brackets gets them. At most 1,000.
    """
    found = _MESSAGE_ID.findall(value)
    if not found:
        bare = value.strip()
        found = [bare] if _BARE_MESSAGE_ID.match(bare) else []
    return tuple(dict.fromkeys([f"<{one}>" for one in found[:MOST_MESSAGE_IDS]]))


def parse_date(value: str) -> datetime | None:
    """The instant of a Date header in UTC, None when it names none or lies outside 1970 to 2100."""
    value = value[:LONGEST_DATE]
    try:
        return _parse_exact_date(value) or _parse_usual_date(value) or _parse_unusual_date(value)
    except (ValueError, OverflowError, TypeError, IndexError):
        return None


def _parse_exact_date(value: str) -> datetime | None:
    """A date like "Mon, 1 Jan 2024 10:00:00 +0100" to the letter, as nearly all mail has it, at a third of the cost."""
    words = value.split(None, 6)
    if len(words) < 6 or words[0][-1] != ",":
        return None
    _, day, month, year, clock, zone, *_ = words
    if len(year) != 4 or len(clock) != 8 or not (len(zone) == 5 or zone in _NAMED_UTC):
        return None
    zone = "+00:00" if zone in _NAMED_UTC else zone
    try:
        moment = datetime.fromisoformat(f"{year}-{_MONTH_DIGITS[month]}-{day.rjust(2, '0')}T{clock}{zone}")
    except (KeyError, ValueError):
        return None  # such as the leap second, which the other readers know
    return moment.astimezone(UTC) if _FIRST_YEAR <= moment.year <= _LAST_YEAR else None


def _parse_usual_date(value: str) -> datetime | None:
    match = _DATE.match(value)
    if match is None:
        return None
    day, month, year, hour, minute, second, sign, zone_hours, zone_minutes = match.groups()
    if not _FIRST_YEAR <= int(year) <= _LAST_YEAR:
        return None
    local = datetime(
        int(year), _MONTHS.get(month.lower(), 0), int(day),
        int(hour), int(minute), min(int(second or 0), 59), tzinfo=UTC,
    )  # fmt: skip
    offset = timedelta(hours=int(zone_hours), minutes=int(zone_minutes))
    if offset >= timedelta(hours=24):
        return local
    return local - offset if sign == "+" else local + offset


def _parse_unusual_date(value: str) -> datetime | None:
    """Named zones, two-digit years, asctime (the standard library reads them), and ISO 8601, which robots write."""
    fields = parsedate_tz(value)
    if fields is None:
        moment = datetime.fromisoformat(value.strip())
        moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    else:
        year, month, day, hour, minute, second = fields[:6]
        zone = timezone(timedelta(seconds=fields[9] or 0))
        moment = datetime(year, month, day, hour, minute, min(second, 59), tzinfo=zone)
    moment = moment.astimezone(UTC)
    return moment if _FIRST_YEAR <= moment.year <= _LAST_YEAR else None
