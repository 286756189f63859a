"""Messages of a folder by what stands in their headers (RFC 3501 section 6.4.4), the newest first.

What is looked for travels as an argument of its own (commands.py), so that no word of it is taken for a search key.
"""

from __future__ import annotations

from typing import Final

from postroom.providers.base import FetchedHeader, Sought
from postroom.providers.errors import Refused, Unsupported
from postroom.providers.imap.commands import Argument, Verbatim, search_date
from postroom.providers.imap.cursor import OpenFolder
from postroom.providers.imap.dialogue import Dialogue
from postroom.providers.imap.fetching import fetch_headers
from postroom.providers.imap.listing import SEARCH_SPAN, into, slices

LOOKED_AT: Final = 50  # headers that are fetched at once
MOST_LOOKED_AT: Final = 2_000  # of messages that the server would not narrow down


async def search(dialogue: Dialogue, folder: OpenFolder, sought: Sought, most: int) -> list[FetchedHeader]:
    """The headers of what was sought, `most` at most; of a large folder the end is searched first.

    Raises Unsupported("too_much_to_search") where the server does not know the letters and the folder is too large for
    looking at each message.
    """
    asking = _Asking(dialogue, sought)
    length = min(SEARCH_SPAN, dialogue.message_limit or SEARCH_SPAN)
    found: list[FetchedHeader] = []
    looked_at = 0
    for last in range(dialogue.connection.exists, 0, -length):
        uids = await asking.uids(f"{max(1, last - length + 1)}:{last}")
        for part in slices(sorted(uids, reverse=True), LOOKED_AT):
            looked_at += len(part)
            if looked_at > MOST_LOOKED_AT and not asking.is_narrow:
                raise Unsupported("too_much_to_search", text=sought.text, limit=MOST_LOOKED_AT)
            headers = await fetch_headers(dialogue, folder, [f"{folder.uid_validity}.{uid}" for uid in part])
            found += filter(sought.fits, headers)
            if len(found) >= most:
                return _newest_first(found)[:most]
    return _newest_first(found)


class _Asking:
    """The questions of one search. Not `is_narrow` once the server has refused to look for the text."""

    def __init__(self, dialogue: Dialogue, sought: Sought) -> None:
        self._dialogue = dialogue
        self._text = _text(sought)
        self._days = [
            f"{key} {search_date(day)}" for key, day in (("SINCE", sought.since), ("BEFORE", sought.before)) if day
        ]
        self._is_ascii = sought.text.isascii()
        self._returning = "RETURN (ALL) " if dialogue.offers("ESEARCH") else ""
        self.is_narrow = True

    async def uids(self, span: str) -> set[int]:
        """Of messages in that span of sequence numbers that may be it."""
        found: list[int] = []
        if self.is_narrow:
            charset = "" if self._is_ascii else "CHARSET UTF-8 "
            command = Verbatim(f"UID SEARCH {self._returning}{charset}{span}")
            words = (*self._text, *map(Verbatim, self._days))
            may_refuse = not self._is_ascii  # BADCHARSET, or a server that never heard of CHARSET
            status = await self._dialogue.run(
                command, *words, take=into(found), refused=Refused, may_say_no=may_refuse, may_say_bad=may_refuse
            )
            self.is_narrow = status.condition == "OK"
        if not self.is_narrow:
            command = Verbatim(f"UID SEARCH {self._returning}{span} {' '.join(self._days) or 'ALL'}")
            await self._dialogue.run(command, take=into(found), refused=Refused)
        return set(found)


def _text(sought: Sought) -> list[Argument]:
    """The search keys with what they look for."""
    if sought.internet_message_id:
        return [Verbatim("HEADER Message-ID"), sought.internet_message_id]
    if not sought.address:
        return [Verbatim("SUBJECT"), sought.subject]
    keys = ("OR OR FROM", "TO", "OR CC", "BCC")
    return [argument for key in keys for argument in (Verbatim(key), sought.address)]


def _newest_first(headers: list[FetchedHeader]) -> list[FetchedHeader]:
    return sorted(headers, key=lambda header: header.received_at, reverse=True)
