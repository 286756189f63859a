"""Raw bytes of a message to a `ParsedMessage`."""

from __future__ import annotations

from postroom.mail.address import parse_addresses
from postroom.mail.headers import (
    RawFields,
    decode_header,
    message_ids,
    parse_date,
    split_fields,
    split_message,
    unfold,
)
from postroom.mail.message import Address, ParsedMessage
from postroom.mail.mime.bodies import as_attachment, body_html, body_text, choose
from postroom.mail.mime.parts import MOST_HEADER_BYTES, Part, read_parts

LARGEST_MESSAGE = 150_000_000  # bytes; Gmail takes in 70 MB, Exchange Online 150 MB
EXTRA_HEADERS = {
    name.encode(): name
    for name in (
        "auto-submitted", "precedence", "list-id", "list-unsubscribe", "authentication-results", "return-path",
        "x-postroom-submission", "content-type",
    )
}  # fmt: skip
_NOTHING: tuple[bytes, ...] = ()


def parse(raw: bytes) -> ParsedMessage:
    """Reads one RFC 5322 message as far as it can be read. Never raises; costs at most a few passes over the bytes.

    Over a budget (150 MB, 10 MB of header, 2,000 parts, 64 levels) the rest is left out and `defects` says so; a
    message over one of the first two is not readable.
    """
    if raw and b"\n" not in raw[:100_000] and b"\r" in raw[:100_000]:
        raw = raw.replace(b"\r", b"\n")  # line breaks of old Macintoshes
    block, offset = split_message(raw)
    defects: list[str] = []
    is_readable = bool(raw)
    if len(block) > MOST_HEADER_BYTES:
        block, is_readable = block[:MOST_HEADER_BYTES], False
        defects.append(f"the header is larger than {MOST_HEADER_BYTES} bytes")
    if len(raw) > LARGEST_MESSAGE:
        is_readable = False
        defects.append(f"the message is larger than {LARGEST_MESSAGE} bytes")
    fields = split_fields(block)
    if not is_readable:
        return _assemble(fields, block, Part("application/octet-stream", {}), defects, is_readable=False)
    root, part_defects = read_parts(fields, raw[offset:])
    return _assemble(fields, block, root, defects + part_defects, is_readable=True)


def _assemble(fields: RawFields, block: bytes, root: Part, defects: list[str], *, is_readable: bool) -> ParsedMessage:
    named: dict[bytes, list[bytes]] = {}
    for name, value in fields:
        named.setdefault(name, []).append(value)
    if len(named.get(b"from", _NOTHING)) > 1:
        defects.append("more than one From header")
    chosen = choose(root)
    text, html = body_text(chosen), body_html(chosen)
    own_ids = _ids(named, b"message-id")
    return ParsedMessage(
        internet_message_id=own_ids[0] if own_ids else "",
        in_reply_to=_ids(named, b"in-reply-to"),
        references=_ids(named, b"references"),
        subject=_first(named, b"subject"),
        from_=_addresses(named, b"from"),
        reply_to=_addresses(named, b"reply-to"),
        to=_addresses(named, b"to"),
        cc=_addresses(named, b"cc"),
        bcc=_addresses(named, b"bcc"),
        date=parse_date(_first(named, b"date")) if b"date" in named else None,
        text=text,
        html=html,
        attachments=tuple([as_attachment(part, html) for part in chosen.attachments]) if is_readable else (),
        raw_headers=block,
        defects=tuple(defects),
        is_readable=is_readable,
        extra_headers={EXTRA_HEADERS[name]: decode_header(named[name][0]) for name in named if name in EXTRA_HEADERS},
    )


def _first(named: dict[bytes, list[bytes]], name: bytes) -> str:
    return decode_header(named[name][0]) if name in named else ""


def _addresses(named: dict[bytes, list[bytes]], name: bytes) -> tuple[Address, ...]:
    """All addresses of all fields of the name: a second From must be seen, since a forger hides behind the first."""
    values = named.get(name)
    if values is None:
        return ()
    return parse_addresses(unfold(values[0]) if len(values) == 1 else ", ".join([unfold(value) for value in values]))


def _ids(named: dict[bytes, list[bytes]], name: bytes) -> tuple[str, ...]:
    values = named.get(name)
    if values is None:
        return ()
    return message_ids(unfold(values[0] if len(values) == 1 else b" ".join(values)))
