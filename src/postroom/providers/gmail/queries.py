"""What is asked of Gmail's search (support.google.com/mail/answer/7190). No I/O.

`after:` and `before:` take seconds since 1970 as well as days; seconds mean the same moment for everybody. `{a b}` is
"a or b". What people and senders wrote goes in quotes unless it is plain, and never closes them.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from datetime import UTC, date, datetime, time
from typing import Final

from postroom.providers.base import Sought

MOST_LETTERS: Final = 1_500  # of one query: it goes into the address of a request, and Google says 400 to long ones
# Octets from which on a message is told by a search; the first is what fetches it by way of the disk.
LARGER: Final = (25_000_000, 5_000_000, 1_000_000)

_PLAIN = re.compile(r"[A-Za-z0-9!#$%&'*+/=?^_`|~.@\[\]:-]+")
_FIELDS: Final = ("from", "to", "cc", "bcc")  # the last one of what the mailbox sent itself


def between(since: date | None, before: date | None) -> str:
    """What arrived since a day and before another, in UTC."""
    words = []
    if since is not None:
        words.append(f"after:{_seconds(since) - 1}")  # later than that second
    if before is not None:
        words.append(f"before:{_seconds(before)}")
    return " ".join(words)


def larger(octets: int) -> str:
    """What is larger than that."""
    return f"larger:{octets}"


def by_message_id(internet_message_id: str) -> str:
    """What has that Message-ID, or one that looks like it."""
    return f"rfc822msgid:{_word(internet_message_id.strip().removeprefix('<').removesuffix('>'))}"


def by_addresses(addresses: Sequence[str], window: str) -> Iterator[str]:
    """Queries that together find what is from, to, cc or bcc one of these ("@domain": any of it) within `window`."""
    group: list[str] = []
    letters = 0
    for address in dict.fromkeys(addresses):
        words = " ".join(f"{field}:{_word(address)}" for field in _FIELDS)
        if group and letters + len(words) > MOST_LETTERS - len(window):
            yield f"{{{' '.join(group)}}} {window}".strip()
            group, letters = [], 0
        group.append(words)
        letters += len(words) + 1
    if group:
        yield f"{{{' '.join(group)}}} {window}".strip()


def seeking(sought: Sought) -> str:
    """What may be the message that is sought."""
    window = between(sought.since, sought.before)
    if sought.internet_message_id:
        return joined(by_message_id(sought.internet_message_id), window)
    if sought.address:
        return next(by_addresses([sought.address], window))
    return joined(f"subject:{_word(sought.subject)}", window)


def joined(*parts: str) -> str:
    """What fits all of these."""
    return " ".join(part for part in parts if part)


def _word(text: str) -> str:
    if _PLAIN.fullmatch(text):
        return text
    return '"' + re.sub(r'[\s"\\(){}<>\x00-\x1f\x7f]+', " ", text).strip() + '"'


def _seconds(day: date) -> int:
    return int(datetime.combine(day, time(), UTC).timestamp())
