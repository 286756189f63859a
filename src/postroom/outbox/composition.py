"""What somebody wrote and wants sent, and everything that can be wrong with it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from postroom.mail.address import address_key, is_valid
from postroom.mail.message import Address
from postroom.mail.mime.plain import text_of_html

MOST_RECIPIENTS = 500
LARGEST_OCTETS = 25 * 1024 * 1024  # of text, HTML and attachments together, before encoding
LONGEST_SUBJECT = 2_000
_CONTROLS = "\r\n\0"


class SubmitRefused(Exception):
    """The submission was not taken. `code` is stable, `field` names the input, `words` say what to do."""

    def __init__(self, code: str, field: str, words: str) -> None:
        self.code = code
        self.field = field
        self.words = words
        super().__init__(f"{code} ({field}): {words}")


@dataclass(frozen=True, slots=True)
class Composition:
    """A message before it is frozen. `send_at` is aware, None is at once.

    Without `mailbox_id` and `from_address` the rules choose whence it leaves (sender.py).

    `attachments` are (file name, content type, octets). `in_reply_to` is the id of a Message the member may see.
    """

    to: tuple[Address, ...] | list[Address] = ()
    cc: tuple[Address, ...] | list[Address] = ()
    bcc: tuple[Address, ...] | list[Address] = ()
    subject: str = ""
    text: str = ""
    html: str = ""
    record_type: int | None = None
    record_id: UUID | None = None
    mailbox_id: UUID | None = None
    from_address: str = ""
    in_reply_to: UUID | None = None
    send_at: datetime | None = None
    attachments: tuple[tuple[str, str, bytes], ...] | list[tuple[str, str, bytes]] = ()
    test_id: UUID | None = None  # of the ConnectionTest that it is sent for: the message is marked with it

    @property
    def readable_text(self) -> str:
        """The plain text alternative: what was written, else what the HTML says."""
        return self.text or (text_of_html(self.html) if self.html else "")

    def named_recipients(self) -> Iterator[tuple[str, Address]]:
        for field, addresses in (("to", self.to), ("cc", self.cc), ("bcc", self.bcc)):
            for address in addresses:
                yield field, address

    def envelope_recipients(self) -> list[str]:
        """Every address once, however often and in whatever spelling it was named."""
        return list({address_key(one.address): one.address for _, one in self.named_recipients()}.values())


def reply_subject(subject: str) -> str:
    """ "Re: " once (RFC 5322 section 3.6.5); "" for a subject that the member may not see."""
    return subject if not subject or subject[:3].lower() == "re:" else f"Re: {subject}"


def validate(composition: Composition) -> None:
    """Raise SubmitRefused for the first thing that is wrong."""
    _validate_recipients(composition)
    if any(mark in composition.subject for mark in _CONTROLS) or len(composition.subject) > LONGEST_SUBJECT:
        raise SubmitRefused("bad_subject", "subject", "The subject must be one line of at most 2,000 characters.")
    if "\0" in composition.text or "\0" in composition.html:
        raise SubmitRefused("bad_text", "text", "The text holds a NUL character, which mail cannot carry.")
    for name, content_type, _ in composition.attachments:
        if any(mark in name or mark in content_type for mark in _CONTROLS):
            raise SubmitRefused("bad_attachment", "attachments", "A file name or type holds a line break. Rename it.")
    octets = len(composition.text.encode("utf-8", "replace")) + len(composition.html.encode("utf-8", "replace"))
    octets += sum(len(content) for _, _, content in composition.attachments)
    if octets > LARGEST_OCTETS:
        words = f"Text and attachments are {octets / 1_048_576:.1f} MB; most servers take 25 MB. Send a link instead."
        raise SubmitRefused("too_large", "attachments", words)
    if composition.send_at is not None and composition.send_at.tzinfo is None:
        raise SubmitRefused("bad_send_at", "send_at", "The time needs a zone, for example 2026-11-23T09:00:00Z.")


def _validate_recipients(composition: Composition) -> None:
    named = list(composition.named_recipients())
    if not named:
        raise SubmitRefused("no_recipients", "to", "Add at least one recipient.")
    if len(named) > MOST_RECIPIENTS:
        words = f"{len(named)} recipients are too many for one message; {MOST_RECIPIENTS} is the limit."
        raise SubmitRefused("too_many_recipients", "to", words)
    for field, one in named:
        if any(mark in one.address or mark in one.name for mark in _CONTROLS):
            raise SubmitRefused("bad_address", field, "A recipient holds a line break. Type the address again.")
        if not is_valid(one.address):
            raise SubmitRefused("bad_address", field, f"{one.address} is not an address mail can be sent to.")
