"""A frozen message for providers that read the recipients from its header, not from an envelope.

Frozen messages hold no Bcc (RFC 5322 section 3.6.3 leaves that to whoever sends). Here the field is put in, so that the
header names exactly those of the envelope: nobody is lost quietly, and nobody gets what was not meant for him.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from postroom.mail.address import address_key
from postroom.mail.headers import one_line, split_message
from postroom.mail.message import ParsedMessage
from postroom.mail.mime.parsing import parse_headers


class RecipientsDiffer(ValueError):
    """The header names somebody whom the envelope does not."""


@dataclass(frozen=True, slots=True)
class Outgoing:
    """`mime` with a Bcc field for `blind`, the recipients of the envelope that To and Cc do not name."""

    mime: bytes
    header: ParsedMessage
    blind: tuple[str, ...]


def outgoing(mime: bytes, recipients: Iterable[str]) -> Outgoing:
    """The message for these recipients. Raises RecipientsDiffer."""
    header = parse_headers(split_message(mime)[0])
    wanted = {address_key(address): address for address in recipients}
    named = {address_key(one.address) for one in (*header.to, *header.cc, *header.bcc)}
    if named - wanted.keys():
        raise RecipientsDiffer(", ".join(sorted(named - wanted.keys())))
    missing = tuple(one_line(wanted[key]) for key in wanted if key not in named)
    blind = (*(one.address for one in header.bcc), *missing)
    if missing:
        mime = b"Bcc: " + ",\r\n ".join(missing).encode() + b"\r\n" + mime
    return Outgoing(mime, header, blind)
