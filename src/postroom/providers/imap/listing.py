"""What a folder holds, and what happened in it since a cursor.

With CONDSTORE (RFC 7162) changed flags come by CHANGEDSINCE, with QRESYNC deletions by VANISHED. Without, a deletion
shows in the count of messages and is answered with a full listing; changed flags show among the newest messages and
in a full listing. Whatever contradicts itself is listed in full, and what can mean other messages under the same
numbers is a reset (reliability-security.md 2.4, faults 20, 21 and 23).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from datetime import date
from functools import lru_cache
from itertools import chain

from postroom.providers.base import Changes, RemoteMessage, Window
from postroom.providers.errors import ProtocolViolation, Refused, Unreachable
from postroom.providers.imap.commands import HIGHEST_UID, Verbatim, search_date, sequence_set
from postroom.providers.imap.cursor import Cursor, OpenFolder, arrived_late, next_cursor, uid_of
from postroom.providers.imap.dialogue import Dialogue
from postroom.providers.imap.errors import error_for_status
from postroom.providers.imap.fetched import Fetch
from postroom.providers.imap.responses import Event, Found, Ranges, Vanished
from postroom.providers.imap.tokens import count_in_ranges

LIST_IDS = 5_000  # ids in one command
SET_LENGTH = 4_000  # characters that name them: 8 kB is the least that servers take as a line
SEARCH_SPAN = 50_000  # messages asked about in one SEARCH, so that its answer stays under the line limit
MAX_VANISHED = 100_000  # more than this many deleted UIDs are cheaper to read as a full listing
MAX_LISTED = 5_000_000
RECENT_FLAGS = 500  # messages whose flags are looked at where the server does not tell which changed


async def list_window(dialogue: Dialogue, folder: OpenFolder, since: date | None, before: date | None) -> Window:
    """What arrived in those days, newest first."""
    days = [f"{key} {search_date(day)}" for key, day in (("SINCE", since), ("BEFORE", before)) if day]
    if days:
        messages = await list_uids(dialogue, folder, await search(dialogue, folder, " ".join(days)))
    else:
        messages = await _list_whole(dialogue, folder)
    return Window(tuple(messages), str(next_cursor(folder, messages, dialogue.connection.exists)))


async def list_everything(dialogue: Dialogue, folder: OpenFolder, *, was_reset: bool = False) -> Changes:
    """Everything that the folder holds, newest first."""
    messages = await _list_whole(dialogue, folder)
    unseen = None if folder.modseq else _count_unseen(messages)
    cursor = next_cursor(folder, messages, dialogue.connection.exists, unseen=unseen)
    return Changes(tuple(messages), str(cursor), is_full=True, was_reset=was_reset, tells_flags=bool(folder.modseq))


async def list_changes(
    dialogue: Dialogue, folder: OpenFolder, before: Cursor, *, flags_stirred: bool = False, unseen: int | None = None
) -> Changes:
    """What happened since `before`.

    For servers without CONDSTORE: `flags_stirred` when one was seen to change, `unseen` as STATUS counted a moment ago.
    """
    if folder.uid_validity != before.uidvalidity or await _has_shrunk(dialogue, folder, before):
        return await list_everything(dialogue, folder, was_reset=True)
    if folder.modseq < before.modseq:  # begun anew after a restore, or no longer kept
        return await list_everything(dialogue, folder)
    added = await _list_range(dialogue, folder, before.uidnext)
    is_told = bool(before.modseq and folder.modseq)
    flagged: list[RemoteMessage] = []
    vanished: list[int] | None = []
    if is_told:
        flagged, vanished = await _list_older_changes(dialogue, folder, before)
    exists = dialogue.connection.exists
    missing = before.exists + len(added) - folder.exists - arrived_late(folder, added, exists)
    # VANISHED may name more than is gone since (RFC 7162 section 3.2.5.1), never less.
    is_odd = missing > len(vanished or ()) if is_told and dialogue.tells_vanished else missing != 0
    if vanished is None or is_odd:
        return await list_everything(dialogue, folder)
    if not is_told:
        expected = None if before.unseen is None else before.unseen + _count_unseen(added)
        if flags_stirred or (unseen is not None and expected is not None and unseen != expected):
            flagged = await _list_recent(dialogue, folder, before)
        unseen = expected if unseen is None else unseen
    return Changes(
        added=tuple(added),
        cursor=str(next_cursor(folder, added, exists, at_least=before, unseen=unseen)),
        flagged=tuple(flagged),
        removed=tuple([f"{folder.uid_validity}.{uid}" for uid in vanished]),
        tells_flags=is_told,
    )


async def list_uids(dialogue: Dialogue, folder: OpenFolder, uids: Sequence[int]) -> list[RemoteMessage]:
    """The listing of these UIDs, newest first; those that are gone are left out."""
    wanted = set(uids)
    listing = _Listing(folder, 1)
    for uid_set in _uid_sets(sorted(wanted, reverse=True), dialogue.message_limit or LIST_IDS):
        await dialogue.run(Verbatim(f"UID FETCH {uid_set} (UID FLAGS RFC822.SIZE)"), take=listing.take)
    return [message for message in listing.newest_first() if uid_of(message) in wanted]


async def search(dialogue: Dialogue, folder: OpenFolder, criterion: str) -> list[int]:
    """UIDs that match, by spans of sequence numbers: what came after the folder was opened is not among them."""
    found: list[int] = []
    returning = "RETURN (ALL) " if dialogue.offers("ESEARCH") else ""
    length = min(SEARCH_SPAN, dialogue.message_limit or SEARCH_SPAN)
    exists = dialogue.connection.exists
    for first in range(1, exists + 1, length):
        span = f"{first}:{min(exists, first + length - 1)}"
        await dialogue.run(Verbatim(f"UID SEARCH {returning}{span} {criterion}"), take=into(found), refused=Refused)
    return found


def into(found: list[int]) -> Callable[[Event], bool]:
    """Collect the numbers of SEARCH and ESEARCH in answer to one command."""
    room = 2 * SEARCH_SPAN

    def take(event: Event) -> bool:
        nonlocal room
        if not isinstance(event, Found):
            return False
        room -= count_in_ranges(event.ranges) + len(event.numbers)
        if room < 0:
            raise ProtocolViolation("flood", limit=2 * SEARCH_SPAN)
        found.extend(event.numbers)
        found.extend(uid for low, high in event.ranges for uid in range(low, high + 1))
        return True

    return take


def slices(uids: Sequence[int], length: int) -> Iterator[Sequence[int]]:
    for first in range(0, len(uids), length):
        yield uids[first : first + length]


def _uid_sets(uids: Sequence[int], at_most: int) -> Iterator[str]:
    """The UIDs as sequence sets, each short enough for a command."""
    for part in slices(uids, at_most):
        uid_set = sequence_set(part)
        if len(uid_set) <= SET_LENGTH:
            yield uid_set
        else:
            yield from map(sequence_set, slices(part, SET_LENGTH // 11))  # a UID has ten digits at most


@lru_cache(maxsize=1024)  # a million messages share a few combinations
def lasting(flags: tuple[str, ...] | None) -> tuple[str, ...]:
    """Flags without \\Recent, which belongs to a session and not to the message."""
    return tuple(flag for flag in flags or () if flag.lower() != "\\recent")


class _Listing:
    """Collects a FETCH listing of UIDs from `first` on: about 200 octets of memory a message.

    Servers list in ascending order; what comes otherwise, or twice, is put in order at the end.
    """

    def __init__(self, folder: OpenFolder, first: int) -> None:
        self._prefix = f"{folder.uid_validity}."
        self._first = first
        self._messages: list[RemoteMessage] = []
        self._last = 0
        self._is_ascending = True

    def take(self, event: Event) -> bool:
        if not isinstance(event, Fetch) or event.uid is None:
            return False  # without UID: told of its own accord, a flag that somebody changed meanwhile
        # `n:4294967295` is a plain range, yet servers that read it as `n:*` return the last message below n
        if event.uid < self._first:
            return event.size is not None
        if event.uid <= self._last:
            if event.size is None:
                return False  # told of its own accord, with a UID (RFC 7162 section 3.2.4)
            self._is_ascending = False
        self._last = max(self._last, event.uid)
        self._messages.append(RemoteMessage(f"{self._prefix}{event.uid}", event.size or 0, lasting(event.flags)))
        if len(self._messages) > MAX_LISTED:
            raise ProtocolViolation("flood", limit=MAX_LISTED)
        return True

    def newest_first(self) -> list[RemoteMessage]:
        if self._is_ascending:
            self._messages.reverse()
            return self._messages
        by_uid = {uid_of(message): message for message in self._messages}
        return [by_uid[uid] for uid in sorted(by_uid, reverse=True)]


async def _list_range(dialogue: Dialogue, folder: OpenFolder, first: int) -> list[RemoteMessage]:
    """All messages from a UID on, newest first, also of a server that answers about so many at a time (RFC 9738)."""
    listed: list[RemoteMessage] = []
    low, high = first, HIGHEST_UID
    while low <= high:
        listing = _Listing(folder, low)
        command = Verbatim(f"UID FETCH {low}:{high} (UID FLAGS RFC822.SIZE)")
        status = await dialogue.run(command, take=listing.take, may_say_no=True)
        is_limited = status.code is not None and status.code.name == "MESSAGELIMIT"
        if status.condition != "OK":
            if not is_limited:
                raise error_for_status(dialogue.connection.settings.host, status, Unreachable)
            return await list_uids(dialogue, folder, await search(dialogue, folder, f"UID {first}:{HIGHEST_UID}"))
        part = listing.newest_first()
        listed = [*listed, *part] if listed else part
        if not part or not is_limited or status.code is None:
            break
        # Newest first, says the RFC. The UID that was processed last tells, so that either order can be gone on with.
        if status.code.numbers[1:] == [uid_of(part[0])] and len(part) > 1:
            low = uid_of(part[0]) + 1
        else:
            high = uid_of(part[-1]) - 1
    return sorted(listed, key=uid_of, reverse=True) if low != first else listed


async def _list_whole(dialogue: Dialogue, folder: OpenFolder) -> list[RemoteMessage]:
    """All messages, newest first. A listing that names fewer than the folder is said to hold is filled up by a SEARCH.

    Absence will be read as deletion, so it takes two answers. What cannot be listed and is found is there.
    """
    messages = await _list_range(dialogue, folder, 1) if dialogue.connection.exists else []
    if len(messages) >= dialogue.connection.exists:
        return messages
    listed = {uid_of(message): message for message in messages}
    absent = set(await search(dialogue, folder, "ALL")) - listed.keys()
    for message in await list_uids(dialogue, folder, sorted(absent)):
        listed[uid_of(message)] = message
    for uid in absent - listed.keys():
        listed[uid] = RemoteMessage(f"{folder.uid_validity}.{uid}")
    return [listed[uid] for uid in sorted(listed, reverse=True)]


async def _list_older_changes(
    dialogue: Dialogue, folder: OpenFolder, before: Cursor
) -> tuple[list[RemoteMessage], list[int] | None]:
    """Flags that changed and UIDs that vanished below the cursor; None: too many to be told one by one."""
    if before.uidnext <= 1 or folder.modseq == before.modseq:
        return [], []
    listing = _Listing(folder, 1)
    gone: list[Ranges] = []

    def take(event: Event) -> bool:
        if isinstance(event, Vanished):
            gone.append(event.ranges)
            return event.is_earlier
        return listing.take(event)

    # Never "1:*": Cyrus then hides what was expunged above the last message (cyrus-imapd 6071).
    modifier = f"(CHANGEDSINCE {before.modseq}{' VANISHED' if dialogue.tells_vanished else ''})"
    await dialogue.run(Verbatim(f"UID FETCH 1:{before.uidnext - 1} (UID FLAGS RFC822.SIZE) {modifier}"), take=take)
    flagged = [message for message in listing.newest_first() if uid_of(message) < before.uidnext]
    ranges = [(low, min(high, before.uidnext - 1)) for low, high in chain(*gone) if low < before.uidnext]
    if count_in_ranges(ranges) > MAX_VANISHED:
        return flagged, None
    return flagged, sorted({uid for low, high in ranges for uid in range(low, high + 1)})


async def _list_recent(dialogue: Dialogue, folder: OpenFolder, before: Cursor) -> list[RemoteMessage]:
    """The newest messages below the cursor with their flags, changed or not."""
    exists = dialogue.connection.exists
    if not exists:
        return []
    listing = _Listing(folder, 1)
    span = f"{max(1, exists - RECENT_FLAGS + 1)}:{exists}"
    # Numbers may be off by what was expunged meanwhile; the answers name UIDs.
    await dialogue.run(Verbatim(f"FETCH {span} (UID FLAGS RFC822.SIZE)"), take=listing.take, may_say_no=True)
    return [message for message in listing.newest_first() if uid_of(message) < before.uidnext]


async def _has_shrunk(dialogue: Dialogue, folder: OpenFolder, before: Cursor) -> bool:
    """Whether UIDs that were in use are to be given out again: UIDNEXT may only grow (RFC 3501 section 2.3.1.1).

    A server whose UIDNEXT merely lags behind still has the message that the cursor knows of.
    """
    if not folder.tells_uid_next or folder.uid_next >= before.uidnext:
        return False
    return await dialogue.highest_uid(folder.exists) + 1 < before.uidnext


def _count_unseen(messages: Sequence[RemoteMessage]) -> int:
    return sum(not _is_seen(message.flags) for message in messages)


@lru_cache(maxsize=1024)
def _is_seen(flags: tuple[str, ...]) -> bool:
    return any(flag.lower() == "\\seen" for flag in flags)
