"""What a mailbox is searched for, and whether a message is that: providers find candidates, this decides.

Searches differ: IMAP servers look for parts of words (RFC 3501 section 6.4.4), others for whole ones and in names too.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

from postroom.mail.address import address_key
from postroom.mail.mime.parsing import parse_headers
from postroom.sync.remote import FetchedHeader


@dataclass(frozen=True, slots=True)
class Sought:
    """One of a Message-ID (with its brackets), an address and a part of a subject; the others are "".

    `since` and `before` are days of the server's own clock, which may be another one than ours: [since, before).
    """

    internet_message_id: str = ""
    address: str = ""
    subject: str = ""
    since: date | None = None
    before: date | None = None

    @property
    def text(self) -> str:
        """What is looked for, of whichever kind."""
        return self.internet_message_id or self.address or self.subject

    def fits(self, header: FetchedHeader) -> bool:
        """Whether it has exactly this Message-ID, is from, to, cc or bcc the address, or has the words in its subject,
        in any case and however they are parted. The days are not looked at."""
        parsed = parse_headers(header.block)
        if self.internet_message_id:
            return parsed.internet_message_id == self.internet_message_id
        if self.address:
            wanted = address_key(self.address)
            return any(address_key(person.address) == wanted for _, person in parsed.participants())
        return _words(self.subject) in _words(parsed.subject)


def _words(text: str) -> str:
    return " ".join(text.casefold().split())
