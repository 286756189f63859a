"""Remote ids used again: a server restored from an older copy gives the ids of lost messages to those that come after.

When at least as much arrives as was lost, no counter shows it, UIDVALIDITY least of all (fault 21 of
docs/explanation/faults.md). Only the messages do: so once a night their listed sizes are compared with those that are
stored, and the headers of those that differ, and of the newest, with what is stored of them.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from itertools import islice

from postroom.sync.asks import FetchHeaders, KnownMessages, Steps
from postroom.sync.remote import Changes
from postroom.sync.state import FolderState, Known, KnownMessage, NewHeader

MOST_SUSPECTS = 200  # the newest: ids that are used again lie together, and servers with inexact sizes suspect us all
SPOT_CHECKED = 20  # of the newest, for other mail of the same size

Key = tuple[str, str, str]  # Message-ID, author, subject


def key_of_known(message: KnownMessage) -> Key:
    return message.internet_message_id, message.from_address, message.subject


def key_of_header(header: NewHeader) -> Key:
    parsed = header.parsed
    return parsed.internet_message_id, parsed.from_[0].address if parsed.from_ else "", parsed.subject


def has_reused(folder: FolderState, known: Known, listing: Changes) -> Steps[bool]:
    """Whether ids of a full listing, newest first, mean other messages than those that are stored under them.

    Reads the headers of MOST_SUSPECTS + SPOT_CHECKED messages at most.
    """
    sizes = {message.remote_id: message.size for message in known.messages} | dict(known.sighted)
    stored = [message for message in listing.added if message.remote_id in sizes]
    newest = (message.remote_id for message in stored[:SPOT_CHECKED])
    # A size of 0 is not known. One that differs proves nothing: some servers (Exchange) only estimate it.
    differing = (one.remote_id for one in stored if one.size and sizes[one.remote_id] not in (0, one.size))
    asked = tuple(dict.fromkeys([*islice(differing, MOST_SUSPECTS), *newest]))
    if not asked:
        return False
    headers: tuple[NewHeader, ...] = yield FetchHeaders(folder.remote_name, asked)
    what: Known = yield KnownMessages(folder.id, for_matching=True, remote_ids=asked)
    told = _Stored({message.remote_id: message for message in what.messages}, dict(what.sighted_at))
    return any(told.is_other(header) for header in headers)


@dataclass(frozen=True, slots=True)
class _Stored:
    """What is stored under some remote ids: messages, and of sightings the time of receipt."""

    messages: dict[str, KnownMessage]
    sighted_at: dict[str, datetime]

    def is_other(self, header: NewHeader) -> bool:
        """Whether the header is another message's.

        A message keeps its time of receipt (RFC 3501 section 2.3.3), so headers that we read differently than we did
        once are no proof; nor is the time where the headers are the same: a copy may have lost it. Of what was passed
        over nothing that could be read was kept: there the time has to tell.
        """
        old = self.messages.get(header.remote_id)
        at = old.received_at if old is not None else self.sighted_at.get(header.remote_id)
        if at is None or is_same_second(at, header.received_at):
            return False
        return old is None or key_of_known(old) != key_of_header(header)


def is_same_second(one: datetime, other: datetime) -> bool:
    """Servers tell whole seconds."""
    return int(one.timestamp()) == int(other.timestamp())
