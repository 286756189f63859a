"""Which parts of a message are its text, its HTML and its attachments: the choice of RFC 8621 section 4.1.4."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from hashlib import sha256
from html import escape

from postroom.mail.charset import decode_bytes, is_byte_wise
from postroom.mail.headers import decode_header, split_fields, split_message
from postroom.mail.message import LargeAttachment, ParsedAttachment
from postroom.mail.mime.filenames import clean_filename
from postroom.mail.mime.parts import Part
from postroom.mail.mime.plain import text_of_html

_READABLE = ("text/plain", "text/html")
_OPENING = 100_000  # bytes of an attached message in which its subject is looked for
_SHOWN_ID = re.compile(r"cid:([^\s\"'<>()]{1,500})")
_MEDIA = ("image/", "audio/", "video/")


@dataclass(slots=True)
class Chosen:
    """Parts in the order of the message. One part may be in both `text` and `html`, none is also an attachment."""

    text: list[Part] = field(default_factory=list)
    html: list[Part] = field(default_factory=list)
    attachments: list[Part] = field(default_factory=list)


def choose(root: Part) -> Chosen:
    chosen = Chosen()
    _visit([root], "mixed", False, chosen, chosen.text, chosen.html)
    return chosen


def _visit(
    parts: list[Part],
    multipart: str,
    in_alternative: bool,
    chosen: Chosen,
    text: list[Part] | None,
    html: list[Part] | None,
) -> None:
    """RFC 8621's parseStructure. `text` or `html` is None below an alternative of the other kind.

    We differ in one point: inline media go to the attachments (marked inline), since our bodies are text.
    """
    text_before, html_before = len(text or ()), len(html or ())
    for index, part in enumerate(parts):
        if part.is_multipart:
            kind = part.content_type[len("multipart/") :]
            _visit(part.children, kind, in_alternative or kind == "alternative", chosen, text, html)
            continue
        if not _is_body(part, index, multipart):
            chosen.attachments.append(part)
        elif multipart == "alternative":
            side = text if part.content_type == "text/plain" else html
            if side is None:
                chosen.attachments.append(part)
            else:
                side.append(part)
        else:
            if in_alternative:
                if part.content_type == "text/plain":
                    html = None
                else:
                    text = None
            for side in (text, html):
                if side is not None:
                    side.append(part)
    if multipart == "alternative" and text is not None and html is not None:
        if len(text) == text_before and len(html) > html_before:
            text += html[html_before:]
        elif len(html) == html_before and len(text) > text_before:
            html += text[text_before:]


def _is_body(part: Part, index: int, multipart: str) -> bool:
    if part.disposition == "attachment" or part.content_type not in _READABLE:
        return False
    return index == 0 or (multipart != "related" and not part.filename)


def bound_texts(chosen: Chosen, most_bytes: int) -> bool:
    """Cut what is read as text and HTML to `most_bytes` in all; whether anything was cut."""
    was_cut = False
    for part in {id(part): part for part in chosen.text + chosen.html}.values():
        if part.end - part.start > most_bytes:
            part.end, was_cut = part.start + most_bytes, True
        most_bytes -= part.end - part.start
    return was_cut


def body_text(chosen: Chosen) -> str:
    """The plain text, "" when the message has none of its own (an HTML part alone is no text)."""
    if not any(part.content_type == "text/plain" for part in chosen.text):
        return ""
    pieces = [
        text_of_part(part) if part.content_type == "text/plain" else text_of_html(text_of_part(part))
        for part in chosen.text
    ]
    return pieces[0] if len(pieces) == 1 else "\n".join(piece for piece in pieces if piece)


def body_html(chosen: Chosen) -> str:
    """The HTML, "" when the message has none. Plain parts between HTML parts are set in as preformatted text."""
    if not any(part.content_type == "text/html" for part in chosen.html):
        return ""
    pieces = [text for part in chosen.html if (text := _html_of_part(part))]
    return pieces[0] if len(pieces) == 1 else "\n".join(pieces)


def _html_of_part(part: Part) -> str:
    text = text_of_part(part)
    if part.content_type == "text/html" or not text.strip():
        return text
    return f'<div style="white-space: pre-wrap">{escape(text)}</div>'


def text_of_part(part: Part) -> str:
    """The content of a text part, line breaks as "\\n", without NUL (which PostgreSQL's text cannot hold)."""
    content = part.content()
    is_clean = is_byte_wise(part.charset)
    if is_clean:
        # On bytes, since a search for NUL or CR stumbles over half of each wide character of a string.
        if b"\r" in content:
            # Deleting costs a tenth of replacing pairs and half of counting; where all are pairs it is the same.
            without = content.replace(b"\r", b"")
            is_clean = len(content) - len(without) == len(without) - len(without.replace(b"\n", b""))
            content = without if is_clean else content
        if b"\0" in content:
            content = content.replace(b"\0", b"")
    text = decode_bytes(content, part.charset)
    if is_clean:
        return text
    return text.replace("\r\n", "\n").replace("\r", "\n").replace("\0", "")


def as_attachment(part: Part, shown: frozenset[str]) -> ParsedAttachment | LargeAttachment:
    """`part` for download. Inline is what says so, or what the message's own HTML shows (`shown_ids`)."""
    content_type = part.content_type if part.content_type.isprintable() else "application/octet-stream"
    is_inline = part.content_id in shown or (part.disposition == "inline" and part.content_type.startswith(_MEDIA))
    if not isinstance(part.raw, bytes):
        return _as_large_attachment(part, content_type, is_inline=is_inline)
    content = part.content()
    return ParsedAttachment(_filename(part, content), content_type, content, part.content_id, is_inline)


def _as_large_attachment(part: Part, content_type: str, *, is_inline: bool) -> LargeAttachment:
    digest, size, opening = sha256(), 0, b""
    for piece in part.pieces():
        opening = opening or piece[:_OPENING]
        digest.update(piece)
        size += len(piece)
    return LargeAttachment(
        _filename(part, opening), content_type, size, digest.digest(), part.pieces, part.content_id, is_inline
    )


def _filename(part: Part, content: bytes) -> str:
    filename = clean_filename(part.filename) if part.filename else ""
    if part.is_message and not filename.lower().endswith(".eml"):
        filename = (filename or _subject_of(content) or "message") + ".eml"
    return filename


def shown_ids(html: str) -> frozenset[str]:
    """The content ids that `html` shows (RFC 2392), found in one pass however many parts there are."""
    return frozenset(_SHOWN_ID.findall(html)) if "cid:" in html else frozenset()


def _subject_of(message: bytes) -> str:
    block, _ = split_message(message[:_OPENING])
    subjects = [value for name, value in split_fields(block) if name == b"subject"]
    return clean_filename(decode_header(subjects[0])[:120]) if subjects else ""
