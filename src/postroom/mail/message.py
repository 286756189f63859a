"""What a message is: the values every other package speaks about."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from hashlib import sha256
from mmap import mmap

Raw = bytes | mmap  # a whole message as it came, in memory or, where it is too large for that, on the disk
ROLES = ("from", "to", "cc", "bcc", "reply_to")


@dataclass(frozen=True, slots=True)
class Address:
    """One mailbox of RFC 5322 section 3.4.

    `address` is the addr-spec as it is written, without controls; empty when the header named nobody.
    `name` is the decoded display name. `key` is what two spellings of one address share.
    """

    address: str
    name: str = ""

    @property
    def key(self) -> str:
        """The address as it is compared and stored for look-ups: whole in lower case, domain in A-labels."""
        key = self.address.strip().lower()
        if key.isascii():
            return key
        from postroom.mail.address import address_key  # noqa: PLC0415  address.py makes values of this module

        return address_key(key)

    def __str__(self) -> str:
        return f"{self.name} <{self.address}>" if self.name else self.address


@dataclass(frozen=True, slots=True)
class ParsedAttachment:
    """A part that is offered for download. `filename` is decoded and safe to show, "" when the mail gave none."""

    filename: str
    content_type: str
    content: bytes
    content_id: str = ""
    is_inline: bool = False

    @property
    def size(self) -> int:
        return len(self.content)

    def digest(self) -> bytes:
        """The SHA-256 of the content."""
        return sha256(self.content).digest()

    def pieces(self) -> Iterator[bytes]:
        yield self.content


@dataclass(frozen=True, slots=True)
class LargeAttachment:
    """A part of a message on the disk. Its content is never in memory as a whole: `read` decodes it piece by piece."""

    filename: str
    content_type: str
    size: int
    sha256: bytes
    read: Callable[[], Iterator[bytes]] = field(repr=False, compare=False)
    content_id: str = ""
    is_inline: bool = False

    def digest(self) -> bytes:
        return self.sha256

    def pieces(self) -> Iterator[bytes]:
        return self.read()


Attached = ParsedAttachment | LargeAttachment


@dataclass(frozen=True, slots=True)
class ParsedMessage:
    """One RFC 5322 message, read as far as it can be read.

    Message ids keep their angle brackets ("<a@b>"); "" means that the header was missing or held no id.
    `date` is aware and in UTC. `text` and `html` are the readable bodies, NUL-free, "" when absent.
    `raw_headers` is the header block as it came. `defects` says in words what was wrong with the bytes;
    `is_readable` is False when nothing but raw bytes could be had. `is_too_large`: nobody even tried, but for the
    header.
    """

    internet_message_id: str = ""
    in_reply_to: tuple[str, ...] = ()
    references: tuple[str, ...] = ()
    subject: str = ""
    from_: tuple[Address, ...] = ()
    reply_to: tuple[Address, ...] = ()
    to: tuple[Address, ...] = ()
    cc: tuple[Address, ...] = ()
    bcc: tuple[Address, ...] = ()
    date: datetime | None = None
    text: str = ""
    html: str = ""
    attachments: tuple[Attached, ...] = ()
    raw_headers: bytes = b""
    defects: tuple[str, ...] = ()
    is_readable: bool = True
    is_too_large: bool = False
    extra_headers: dict[str, str] = field(default_factory=dict)

    def participants(self) -> list[tuple[str, Address]]:
        """Every (role, address) of the message in the order from, to, cc, bcc, reply_to."""
        named = zip(ROLES, (self.from_, self.to, self.cc, self.bcc, self.reply_to), strict=True)
        return [(role, address) for role, addresses in named for address in addresses]
