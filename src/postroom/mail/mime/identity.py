"""What makes two copies one message.

A Message-ID alone is chosen by the sender, so by an attacker: the same id on other content is not a duplicate. The
whole raw message is no key either, since every server on the way adds headers. So a message is its id with who wrote
it, when, about what and how it begins, which the sender's copy in Sent and the receiver's copy in the inbox share.
Without the text, whoever knows the other four could place a copy in his own mailbox and read the original there.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache
from hashlib import blake2b
from uuid import UUID

from postroom.mail.address import address_key
from postroom.mail.headers import split_message
from postroom.mail.message import ParsedMessage, Raw
from postroom.mail.mime.decoding import PIECE_OCTETS

_OPENING = 500  # characters of the text that count; footers of mailing lists come later


def identity(message: ParsedMessage, raw: Raw) -> UUID:
    """128 bits of BLAKE2b over Message-ID, address of From, Date, Subject and the first words of the text; without a
    Message-ID over the whole body."""
    author = address_key(message.from_[0].address) if message.from_ else ""
    date = message.date.isoformat() if message.date else ""
    subject = " ".join(message.subject.split()).casefold()
    opening = " ".join((message.text or message.html)[:_OPENING].split())
    digest = blake2b(
        "\0".join((message.internet_message_id, author, date, subject, opening)).encode("utf-8", "replace"),
        digest_size=16,
    )
    if not message.internet_message_id:
        digest.update(b"\0")
        for piece in _body_pieces(raw):
            digest.update(piece)
    return UUID(bytes=digest.digest())


def _body_pieces(raw: Raw) -> Iterator[bytes]:
    """The body of `raw` without blanks around it, line breaks as LF; a mebibyte at a time when it is on the disk."""
    _, start = split_message(raw)
    if isinstance(raw, bytes):
        yield raw[start:].replace(b"\r\n", b"\n").strip()
        return
    end = len(raw)
    while start < end:
        last = raw[max(start, end - PIECE_OCTETS) : end]
        end -= len(last) - len(last.rstrip())
        if not last.isspace():
            break
    while start < end:
        first = raw[start : min(start + PIECE_OCTETS, end)]
        start += len(first) - len(first.lstrip())
        if not first.isspace():
            break
    while start < end:
        cut = min(start + PIECE_OCTETS, end)
        cut += raw[cut - 1 : cut + 1] == b"\r\n"
        yield raw[start:cut].replace(b"\r\n", b"\n")
        start = cut


@lru_cache(maxsize=1024)
def reference_key(internet_message_id: str) -> UUID:
    """128 bits of BLAKE2b of a message id, the key by which threads are looked up.

    Remembered a while: each message of a thread names those before it again.
    """
    return UUID(bytes=blake2b(internet_message_id.encode("utf-8", "replace"), digest_size=16).digest())
