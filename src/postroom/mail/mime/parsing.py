"""Raw bytes of a message to a `ParsedMessage`."""

from __future__ import annotations

from postroom.mail.address import parse_addresses
from postroom.mail.headers import (
    Fields,
    decode_header,
    find_body,
    message_ids,
    parse_date,
    read_fields,
)
from postroom.mail.message import Address, ParsedMessage
from postroom.mail.mime.bodies import as_attachment, body_html, body_text, choose
from postroom.mail.mime.parts import MOST_HEADER_BYTES, PART_FIELDS, Part, read_parts

LARGEST_MESSAGE = 150_000_000  # bytes; Gmail takes in 70 MB, Exchange Online 150 MB
EXTRA_HEADERS = frozenset((
    "auto-submitted", "precedence", "list-id", "list-unsubscribe", "authentication-results", "return-path",
    "x-postroom-submission", "content-type",
))  # fmt: skip
_READ_FIELDS = PART_FIELDS | EXTRA_HEADERS.union(
    ("message-id", "in-reply-to", "references", "subject", "date", "from", "reply-to", "to", "cc", "bcc"),
)
_NOTHING: tuple[str, ...] = ()


def parse(raw: bytes) -> ParsedMessage:
    """Reads one RFC 5322 message as far as it can be read. Never raises; costs at most a few passes over the bytes.

    Over a budget (150 MB, 10 MB of header, 2,000 parts, 64 levels) the rest is left out and `defects` says so; a
    message over one of the first two is not readable.
    """
    if raw.find(b"\n", 0, 100_000) < 0 and raw.find(b"\r", 0, 100_000) >= 0:
        raw = raw.replace(b"\r", b"\n")  # line breaks of old Macintoshes
    block_end, body_start = find_body(raw, 0, len(raw))
    block = raw[:block_end]
    defects: list[str] = []
    is_readable = bool(raw)
    if len(block) > MOST_HEADER_BYTES:
        block, is_readable = block[:MOST_HEADER_BYTES], False
        defects.append(f"the header is larger than {MOST_HEADER_BYTES} bytes")
    if len(raw) > LARGEST_MESSAGE:
        is_readable = False
        defects.append(f"the message is larger than {LARGEST_MESSAGE} bytes")
    named = read_fields(block, _READ_FIELDS)
    if not is_readable:
        return _assemble(named, block, Part("application/octet-stream", {}), defects, is_readable=False)
    root, part_defects = read_parts(named, raw, block_end, body_start)
    return _assemble(named, block, root, defects + part_defects, is_readable=True)


def parse_headers(block: bytes) -> ParsedMessage:
    """Reads a header block alone, as `parse` would: everything but text, HTML and attachments. Never raises."""
    return _assemble(read_fields(block[:MOST_HEADER_BYTES], _READ_FIELDS), block, Part("", {}), [], is_readable=False)


def _assemble(named: Fields, block: bytes, root: Part, defects: list[str], *, is_readable: bool) -> ParsedMessage:
    if len(named.get("from", _NOTHING)) > 1:
        defects.append("more than one From header")
    chosen = choose(root)
    text, html = body_text(chosen), body_html(chosen)
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
        attachments=tuple([as_attachment(part, html) for part in chosen.attachments]) if is_readable else (),
        raw_headers=block,
        defects=tuple(defects),
        is_readable=is_readable,
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
