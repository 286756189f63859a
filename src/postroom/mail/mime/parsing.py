"""Raw bytes of a message to a `ParsedMessage`.

What bounds the time: every pass over the bytes is linear (`find`, `partition`, patterns that cannot step back), and
there are at most a handful of them over each byte: two to find the header's end and to split it, MOST_PASSES in search
of delimiters, one to decode. What could multiply them is counted and cut off: parts, levels, header bytes, addresses,
ids (`parts.py`, `headers.py`, `address.py`). So 25 MB of the worst cost no more than a few times 25 MB of the best, and
no clock is needed. What is parsed for reading only, HTML to text, takes a million characters (`plain.py`).

What bounds the memory: a message of `bytes` costs a few times its size. One on the disk (`mmap`) costs its texts, of
which 5 MB are read, and a mebibyte: attachments stay where they are (`LargeAttachment`).
"""

from __future__ import annotations

from dataclasses import replace

from postroom.mail.address import parse_addresses
from postroom.mail.headers import (
    Fields,
    decode_header,
    find_body,
    message_ids,
    parse_date,
    read_fields,
)
from postroom.mail.message import Address, ParsedMessage, Raw
from postroom.mail.mime.bodies import Chosen, as_attachment, body_html, body_text, bound_texts, choose, shown_ids
from postroom.mail.mime.parts import MOST_HEADER_BYTES, PART_FIELDS, read_parts

PARSER_VERSION = 1  # raise it when messages become readable that were not: those that are stored are then read again
LARGEST_MESSAGE = 150_000_000  # bytes; Gmail takes in 70 MB, Exchange Online 150 MB
MOST_TEXT_OF_LARGE = 5_000_000  # bytes of text and HTML read of a message on the disk
EXTRA_HEADERS = frozenset((
    "auto-submitted", "precedence", "list-id", "list-unsubscribe", "authentication-results", "return-path",
    "x-postroom-submission", "content-type",
))  # fmt: skip
# What says whether a message is wanted, and which one it is.
_DECIDED_ON = frozenset((
    "message-id", "in-reply-to", "references", "subject", "from", "reply-to", "to", "cc", "bcc",
    "x-postroom-submission",
))  # fmt: skip
_READ_FIELDS = PART_FIELDS | EXTRA_HEADERS | _DECIDED_ON | {"date"}
_NOTHING: tuple[str, ...] = ()


def parse(raw: Raw) -> ParsedMessage:
    """Reads one RFC 5322 message as far as it can be read. Never raises.

    A `raw` on the disk has to stay open as long as its attachments are to be read.

    Over a budget (150 MB, 10 MB of header, 2,000 parts, 64 levels) the rest is left out and `defects` says so; a
    message over one of the first two is not readable.
    """
    if isinstance(raw, bytes) and raw.find(b"\n", 0, 100_000) < 0 and raw.find(b"\r", 0, 100_000) >= 0:
        raw = raw.replace(b"\r", b"\n")  # line breaks of old Macintoshes
    block_end, body_start = find_body(raw, 0, len(raw))
    block = raw[: min(block_end, MOST_HEADER_BYTES)]
    defects: list[str] = []
    is_readable, is_too_large = len(raw) > 0, len(raw) > LARGEST_MESSAGE
    if block_end > MOST_HEADER_BYTES:
        is_readable = False
        defects.append(f"the header is larger than {MOST_HEADER_BYTES} bytes")
    if is_too_large:
        is_readable = False
        defects.append(f"the message is larger than {LARGEST_MESSAGE} bytes")
    named = read_fields(block, _READ_FIELDS)
    if not is_readable:
        return _assemble(named, block, Chosen(), defects, is_readable=False, is_too_large=is_too_large)
    root, part_defects = read_parts(named, raw, block_end, body_start)
    chosen = choose(root)
    defects += part_defects
    if not isinstance(raw, bytes) and bound_texts(chosen, MOST_TEXT_OF_LARGE):
        defects.append(f"of its text no more than {MOST_TEXT_OF_LARGE} bytes were read")
    return _assemble(named, block, chosen, defects)


def parse_headers(block: bytes) -> ParsedMessage:
    """Reads of a header block, as `parse` would, the ids, the people and the subject. Never raises."""
    return _read_headers(block, _DECIDED_ON)


def parse_stub(block: bytes) -> ParsedMessage:
    """What is kept of a message over LARGEST_MESSAGE, which nobody fetches: its header fields. Never raises."""
    return replace(_read_headers(block, _READ_FIELDS), is_too_large=True)


def _read_headers(block: bytes, wanted: frozenset[str]) -> ParsedMessage:
    named = read_fields(block[:MOST_HEADER_BYTES], wanted)
    return _assemble(named, block, Chosen(), [], is_readable=False)


def _assemble(
    named: Fields,
    block: bytes,
    chosen: Chosen,
    defects: list[str],
    *,
    is_readable: bool = True,
    is_too_large: bool = False,
) -> ParsedMessage:
    if len(named.get("from", _NOTHING)) > 1:
        defects.append("more than one From header")
    text, html = body_text(chosen), body_html(chosen)
    shown = shown_ids(html) if chosen.attachments else frozenset()
    own_ids = _ids(named, "message-id")
    return ParsedMessage(
        internet_message_id=own_ids[0] if own_ids else "",
        in_reply_to=_ids(named, "in-reply-to"),
        references=_ids(named, "references"),
        subject=_first(named, "subject"),
        from_=_addresses(named, "from"),
        reply_to=_addresses(named, "reply-to"),
        to=_addresses(named, "to"),
        cc=_addresses(named, "cc"),
        bcc=_addresses(named, "bcc"),
        date=parse_date(_first(named, "date")) if "date" in named else None,
        text=text,
        html=html,
        attachments=tuple([as_attachment(part, shown) for part in chosen.attachments]),
        raw_headers=block,
        defects=tuple(defects),
        is_readable=is_readable,
        is_too_large=is_too_large,
        extra_headers={name: decode_header(values[0]) for name, values in named.items() if name in EXTRA_HEADERS},
    )


def _first(named: Fields, name: str) -> str:
    return decode_header(named[name][0]) if name in named else ""


def _addresses(named: Fields, name: str) -> tuple[Address, ...]:
    """All addresses of all fields of the name: a second From must be seen, since a forger hides behind the first."""
    values = named.get(name)
    if values is None:
        return ()
    return parse_addresses(values[0] if len(values) == 1 else ", ".join(values))


def _ids(named: Fields, name: str) -> tuple[str, ...]:
    values = named.get(name)
    if values is None:
        return ()
    return message_ids(values[0] if len(values) == 1 else " ".join(values))
