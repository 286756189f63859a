"""Messages made from a seed, whose text and attachments can be checked against what was stored."""

from __future__ import annotations

import base64
import hashlib
import random
import re
from dataclasses import dataclass, field
from email.message import EmailMessage
from email.parser import BytesParser
from email.policy import default
from functools import lru_cache

WORDS = (
    "offer", "bike", "tyre", "delivery", "invoice", "saddle", "order",
    "spring", "repair", "answer", "question", "Tuesday", "colour", "weight",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Letter:
    """A message as it lies on the server. `mark` is the digest of what must be readable in it."""

    internet_message_id: str
    mark: str
    raw: bytes = field(repr=False)
    attachments: tuple[str, ...] = ()  # SHA-256, hexadecimal
    author: str = ""


def write_letter(chance: random.Random, key: str, *, internet_message_id: str = "", words: int = 0) -> Letter:
    """One in three has an attachment. `key` makes the Message-ID unless one is given."""
    internet_message_id = internet_message_id or f"<{key}@customer.test>"
    text = f"Letter {key} {chance.getrandbits(64):x}\n" + wrapped(chance, words or chance.randint(20, 400))
    author = f"c{chance.randrange(7)}@customer.test"
    heading = (
        f"Received: from mx.customer.test by mx.example.test; Mon, 23 Nov 2026 10:00:00 +0000\r\nFrom: <{author}>\r\n"
        f"To: <team@example.test>\r\nSubject: Letter {key}\r\nMessage-ID: {internet_message_id}\r\n"
        f"Date: Mon, 23 Nov 2026 10:{chance.randrange(60):02}:00 +0000\r\nMIME-Version: 1.0\r\n"
    )
    plain = "Content-Type: text/plain; charset=utf-8\r\n\r\n" + text.replace("\n", "\r\n")
    if chance.random() < 2 / 3:
        return Letter(internet_message_id, mark_of(text), (heading + plain).encode(), author=author)
    content = chance.randbytes(chance.randint(1, 6000))
    encoded = base64.encodebytes(content).decode().replace("\n", "\r\n")
    body = (
        f"{heading}Content-Type: multipart/mixed; boundary=edge\r\n\r\n--edge\r\n{plain}\r\n--edge\r\n"
        f"Content-Type: application/octet-stream; name=a.bin\r\nContent-Transfer-Encoding: base64\r\n"
        f"Content-Disposition: attachment; filename=a.bin\r\n\r\n{encoded}\r\n--edge--\r\n"
    )
    return Letter(internet_message_id, mark_of(text), body.encode(), (hashlib.sha256(content).hexdigest(),), author)


def wrapped(chance: random.Random, words: int) -> str:
    """Random words in lines of twelve."""
    chosen = [chance.choice(WORDS) for _ in range(words)]
    return "".join(" ".join(chosen[start : start + 12]) + "\n" for start in range(0, words, 12))


def mark_of(text: str) -> str:
    """The digest of a text, whatever its white space."""
    return hashlib.sha256(" ".join(text.split()).encode()).hexdigest()


@lru_cache(maxsize=4096)
def read_letter(raw: bytes) -> Letter:
    """A letter as somebody else's parser reads it: the standard library's."""
    try:
        message: EmailMessage = BytesParser(policy=default).parsebytes(raw)
        body = message.get_body(("plain", "html"))
        text = body.get_content() if body is not None else ""
    except (RecursionError, LookupError, ValueError):  # poison
        found = re.search(rb"^Message-ID: (\S+)", raw, re.MULTILINE)
        return Letter(found[1].decode() if found else "", "", raw)
    digests = tuple(
        hashlib.sha256(part.get_payload(decode=True) or b"").hexdigest()  # type: ignore[arg-type]
        for part in message.iter_attachments()
    )
    return Letter(str(message["Message-ID"] or "").strip(), mark_of(text), raw, digests)
