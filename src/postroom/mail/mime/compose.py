"""Outgoing messages: values to the bytes of RFC 5322 and MIME.

Headers are written by one function that refuses CR, LF and NUL, so nothing a person or a stranger typed can begin a
header of its own (CVE-2026-1299 and its kin). Bodies are quoted-printable or base64: every line is short, ends in
CRLF, and the bare CR or LF of SMTP smuggling cannot occur.
"""

from __future__ import annotations

import re
from base64 import encodebytes
from binascii import b2a_base64, b2a_qp
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from email.utils import format_datetime
from hashlib import blake2b
from urllib.parse import quote

from postroom.mail.address import address_key, is_valid
from postroom.mail.headers import message_ids
from postroom.mail.message import Address, ParsedAttachment
from postroom.mail.mime.filenames import clean_filename

__all__ = ["UnsafeHeader", "compose", "new_message_id"]

_LONGEST_LINE = 76
_LONGEST_ATOM_LINE = 900
_WORD_BYTES = 42  # of content in one encoded word: 60 characters of base64, under the 75 of RFC 2047
_FORBIDDEN = re.compile("[\x00-\x08\x0a-\x1f\x7f]")
_HEADER_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9-]{0,70}\Z")
_PHRASE = re.compile(r"[A-Za-z0-9!#$%&'*+\-/=?^_`{|}~ ]+\Z")
_TYPE = re.compile(r"[A-Za-z0-9!#$&^_.+-]{1,60}/[A-Za-z0-9!#$&^_.+-]{1,80}\Z")
_MESSAGE_ID_PART = re.compile(r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~.-]{1,200}\Z")
_LINE_BREAK = re.compile(r"\r\n|\r|\n")
_NEVER_WRITTEN = frozenset(
    "bcc from to cc subject date message-id in-reply-to references mime-version content-type content-transfer- "  # noqa: SIM905
    "encoding".split()
)


class UnsafeHeader(ValueError):
    """A header value holds what may not stand in a header"""


def new_message_id(unique: str, domain: str) -> str:
    """'<unique@domain>'; raises UnsafeHeader when either part could not stand in a message id."""
    domain = address_key(f"x@{domain}")[2:]
    if not _MESSAGE_ID_PART.match(unique) or not _MESSAGE_ID_PART.match(domain):
        raise UnsafeHeader(f"no message id from {unique!r} and {domain!r}")
    return f"<{unique}@{domain}>"


def compose(
    *,
    from_: Address,
    to: Sequence[Address] = (),
    cc: Sequence[Address] = (),
    reply_to: Sequence[Address] = (),
    subject: str = "",
    text: str = "",
    html: str = "",
    date: datetime,
    internet_message_id: str,
    in_reply_to: str = "",
    references: Sequence[str] = (),
    attachments: Sequence[ParsedAttachment] = (),
    extra_headers: Mapping[str, str] | None = None,
) -> bytes:
    """The message as it goes to the server: CRLF, no line over 998 octets, no Bcc (blind copies live in the envelope
    only).

    The same arguments give the same bytes. Inline attachments belong to the HTML (multipart/related). Raises
    UnsafeHeader for a value with CR, LF or NUL, an address that SMTP could not carry, or an id that is none.
    """
    header = _Header()
    header.add_addresses("From", (from_,))
    header.add_addresses("To", to)
    header.add_addresses("Cc", cc)
    header.add_addresses("Reply-To", reply_to)
    header.add("Subject", subject)
    header.add("Date", format_datetime(date if date.tzinfo else date.replace(tzinfo=UTC)))
    header.add_ids("Message-ID", (internet_message_id,))
    header.add_ids("In-Reply-To", (in_reply_to,) if in_reply_to else ())
    header.add_ids("References", references)
    for name, value in (extra_headers or {}).items():
        if name.lower() in _NEVER_WRITTEN:
            raise UnsafeHeader(f"{name} is not an extra header")
        header.add(name, value)
    header.add("MIME-Version", "1.0")
    seed = blake2b("\0".join((internet_message_id, text, html)).encode("utf-8", "replace"), digest_size=12).hexdigest()
    return header.block() + _content(text, html, attachments, seed)


class _Header:
    """The only writer of header lines."""

    def __init__(self) -> None:
        self.lines: list[str] = []

    def block(self) -> bytes:
        return ("\r\n".join(self.lines) + "\r\n").encode("ascii")

    def add(self, name: str, value: str) -> None:
        _refuse_controls(name, value)
        if not _HEADER_NAME.match(name):
            raise UnsafeHeader(f"{name!r} is no header name")
        self._fold(name, _words(value))

    def add_addresses(self, name: str, addresses: Sequence[Address]) -> None:
        entries = [_mailbox(address) for address in addresses]
        if entries:
            words = [word for entry in entries[:-1] for word in _last_with(entry, ",")] + entries[-1]
            self._fold(name, words)

    def add_ids(self, name: str, ids: Sequence[str]) -> None:
        for one in ids:
            if message_ids(one) != (one,):
                raise UnsafeHeader(f"{one!r} is no message id")
        if ids:
            self._fold(name, list(ids))

    def _fold(self, name: str, words: list[str]) -> None:
        line = f"{name}:"
        for index, word in enumerate(words):
            if index and len(line) + 1 + len(word) > _LONGEST_LINE:
                self.lines.append(line)
                line = ""
            line += " " + word
        self.lines.append(line)


def _refuse_controls(name: str, value: str) -> None:
    if _FORBIDDEN.search(value):
        raise UnsafeHeader(f"the value of {name} holds a control character")


def _words(value: str) -> list[str]:
    """`value` as words to be joined by spaces: as it is when it is plain, else encoded words."""
    words = value.split(" ")
    is_plain = value.isascii() and "=?" not in value and "\t" not in value and "" not in words
    if value == "":
        return []
    if is_plain and max(map(len, words)) <= _LONGEST_ATOM_LINE:
        return words
    return _encoded_words(value)


def _encoded_words(value: str) -> list[str]:
    """RFC 2047 B words in UTF-8, never cut inside a character."""
    words: list[str] = []
    piece = b""
    for character in value:
        encoded = character.encode("utf-8", "replace")
        if len(piece) + len(encoded) > _WORD_BYTES:
            words.append(_encoded_word(piece))
            piece = b""
        piece += encoded
    return [*words, _encoded_word(piece)]


def _encoded_word(content: bytes) -> str:
    return f"=?utf-8?b?{b2a_base64(content, newline=False).decode()}?="


def _mailbox(address: Address) -> list[str]:
    """The words of one mailbox; the domain in A-labels, as an SMTP server without SMTPUTF8 needs it."""
    _refuse_controls("an address", address.address + address.name)
    local, _, domain = address.address.strip().rpartition("@")
    spec = f"{local}@{domain if domain.isascii() else address_key('x@' + domain)[2:]}"
    if not is_valid(spec):
        raise UnsafeHeader(f"{address.address!r} is no address to send to")
    name = " ".join(address.name.split())
    if not name:
        return [spec]
    if _PHRASE.match(name) and "=?" not in name:
        return [*_words(name), f"<{spec}>"]
    if name.isascii() and len(name) < 60 and "=?" not in name:
        escaped = name.replace("\\", "\\\\").replace('"', '\\"')
        return [f'"{escaped}"', f"<{spec}>"]
    return [*_encoded_words(name), f"<{spec}>"]


def _last_with(words: list[str], mark: str) -> list[str]:
    return [*words[:-1], words[-1] + mark]


def _content(text: str, html: str, attachments: Sequence[ParsedAttachment], seed: str) -> bytes:
    """The body with its Content- headers: mixed(related(alternative(text, html), inline), attachments), as far as
    needed."""
    inline = [one for one in attachments if one.is_inline and one.content_id and html]
    apart = [one for one in attachments if one not in inline]
    parts = [_text_part("plain", text)] if text or not html else []
    if html:
        parts.append(_text_part("html", html))
    content = parts[0] if len(parts) == 1 else _multipart("alternative", parts, f"{seed}-1")
    if inline:
        content = _multipart("related", [content, *map(_attachment_part, inline)], f"{seed}-2")
    if apart:
        content = _multipart("mixed", [content, *map(_attachment_part, apart)], f"{seed}-3")
    return content


def _multipart(subtype: str, parts: list[bytes], boundary: str) -> bytes:
    """Content that holds the delimiter by chance or by intent is impossible: "=_" occurs in neither encoding we
    write."""
    boundary = f"=_{boundary}"
    delimiter = f"--{boundary}\r\n".encode()
    head = f'Content-Type: multipart/{subtype}; boundary="{boundary}"\r\n\r\n'.encode()
    return head + b"".join(delimiter + part for part in parts) + f"--{boundary}--\r\n".encode()


def _text_part(subtype: str, text: str) -> bytes:
    lines = _LINE_BREAK.split(text.replace("\0", ""))
    body = "\n".join(lines).encode("utf-8", "replace")
    if not body.endswith(b"\n"):
        body += b"\n"
    encoded = b2a_qp(body, istext=True).replace(b"\n", b"\r\n")
    head = f"Content-Type: text/{subtype}; charset=utf-8\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\n"
    return head.encode() + encoded


def _attachment_part(attachment: ParsedAttachment) -> bytes:
    content_type = attachment.content_type.lower()
    if not _TYPE.match(content_type) or content_type.startswith(("multipart/", "message/")):
        # RFC 2046 section 5.2.1 forbids base64 for message/rfc822; as a file it arrives unchanged.
        content_type = "application/octet-stream"
    kind = "inline" if attachment.is_inline else "attachment"
    head = [f"Content-Type: {content_type}", "Content-Transfer-Encoding: base64"]
    head.append(f"Content-Disposition: {kind}{_filename_parameter(clean_filename(attachment.filename))}")
    if attachment.content_id:
        if message_ids(f"<{attachment.content_id}>") != (f"<{attachment.content_id}>",):
            raise UnsafeHeader(f"{attachment.content_id!r} is no content id")
        head.append(f"Content-ID: <{attachment.content_id}>")
    return ("\r\n".join(head) + "\r\n\r\n").encode() + encodebytes(attachment.content).replace(b"\n", b"\r\n")


def _filename_parameter(name: str) -> str:
    """RFC 2183, and RFC 2231 with continuations for what is long or beyond ASCII."""
    if not name:
        return ""
    if name.isascii() and len(name) <= 60 and '"' not in name and "\\" not in name and "=?" not in name:
        return f';\r\n filename="{name}"'
    pieces = ["utf-8''"]
    for character in name:
        encoded = quote(character, safe="", errors="replace")
        if len(pieces[-1]) + len(encoded) > 60:  # never cut inside a character: some readers decode each piece apart
            pieces.append("")
        pieces[-1] += encoded
    if len(pieces) == 1:
        return f";\r\n filename*={pieces[0]}"
    return "".join(f";\r\n filename*{number}*={piece}" for number, piece in enumerate(pieces))
