"""An open IMAP mailbox: what `base.Session` promises, in commands and answers.

Folders are opened with EXAMINE and bodies read with BODY.PEEK: looking never marks anything as read.

A remote id is "<uidvalidity>.<uid>". A cursor is JSON {"uidvalidity", "uidnext", "exists", "modseq"?}: new mail has
UIDs from `uidnext` on; with CONDSTORE (RFC 7162) flags come by CHANGEDSINCE, with QRESYNC deletions by VANISHED;
without, a deletion shows in the count of messages and is answered with a full listing.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, date, datetime
from itertools import chain
from typing import Any

from postroom.providers.base import Changes, FetchedHeader, FetchedMessage, RemoteFolder, RemoteMessage, Window
from postroom.providers.errors import FolderGone, MessageGone, ProtocolViolation, Refused, Unreachable, Unsupported
from postroom.providers.imap.commands import HIGHEST_UID, Argument, Payload, Verbatim, search_date, sequence_set
from postroom.providers.imap.cursor import Cursor, OpenFolder, next_cursor, uid_of, uids_of
from postroom.providers.imap.errors import error_for_status
from postroom.providers.imap.folder_names import as_remote_folders
from postroom.providers.imap.responses import Event, Fetch, Folder, Found, Ranges, Status, Vanished
from postroom.providers.imap.tokens import count_in_ranges
from postroom.providers.imap.transport import Connection

FETCH_IDS = 500  # ids in one command: Yahoo answers 1,000 at most, and a cut connection loses less
SEARCH_SPAN = 50_000  # messages asked about in one SEARCH, so that its answer stays under the line limit
MAX_VANISHED = 100_000  # more than this many deleted UIDs are cheaper to read as a full listing
MAX_LISTED = 5_000_000
IDLE_SECONDS = 9 * 60.0  # Gmail and NAT boxes forget sooner than the 29 minutes of RFC 2177
NOOP_SECONDS = 30.0

PIECE = 1024 * 1024  # octets of a large message asked for at once
_DECIDING = (
    "BODY.PEEK[HEADER.FIELDS (FROM SENDER TO CC BCC REPLY-TO MESSAGE-ID IN-REPLY-TO REFERENCES DATE SUBJECT "
    "X-POSTROOM-SUBMISSION AUTO-SUBMITTED LIST-ID)]"
)

# What a Message-ID may look like before it goes into a SEARCH (RFC 5322 section 3.6.4, without the exotic forms).
_MESSAGE_ID = re.compile(r"<[A-Za-z0-9!#$%&'*+/=?^_`{|}~.@\[\]:-]{1,250}>")
# Malformed VANISHED answers are on record (Mailspring-Sync PR 91).
_NO_VANISHED_HOSTS = ("mail.me.com",)


class ImapSession:
    """See base.Session. Made by `imap.provider`, over a connection that is signed in."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._open: OpenFolder | None = None
        self._listed: dict[str, tuple[int, int, int]] = {}  # by folder: its numbers when it was last listed

    async def list_folders(self) -> Sequence[RemoteFolder]:
        listed: list[Folder] = []

        def take(event: Event) -> bool:
            if isinstance(event, Folder):
                listed.append(event)
                return True
            return False

        listing = Verbatim('LIST "" "*"')
        if self._connection.offers("SPECIAL-USE") and self._connection.offers("LIST-EXTENDED"):
            listing = Verbatim('LIST "" "*" RETURN (SPECIAL-USE)')
        elif self._connection.offers("XLIST") and not self._connection.offers("SPECIAL-USE"):
            listing = Verbatim('XLIST "" "*"')
        await self._run(listing, take=take)
        if not listed and listing.text.startswith("XLIST"):  # STRATO offers XLIST and answers nothing
            await self._run(Verbatim('LIST "" "*"'), take=take)
        return as_remote_folders(listed)

    async def list_window(self, remote_name: str, since: date | None, before: date | None = None) -> Window:
        folder = await self._examine(remote_name)
        exists = self._connection.exists
        days = [f"{key} {search_date(day)}" for key, day in (("SINCE", since), ("BEFORE", before)) if day]
        criterion = " ".join(days) or "ALL"
        uids = await self._search(criterion, exists)
        messages = await self._list_uids(folder, uids)
        cursor = next_cursor(folder, messages, exists)
        self._listed[remote_name] = _numbers(folder, exists)
        return Window(tuple(sorted(messages, key=uid_of, reverse=True)), str(cursor))

    async def list_changes(self, remote_name: str, cursor: str) -> Changes:
        before = Cursor.read(cursor)
        folder = await self._examine(remote_name)
        self._listed[remote_name] = _numbers(folder, self._connection.exists)
        if folder.uid_validity != before.uidvalidity:
            return await self._list_everything(folder, was_reset=True)
        added = await self._list_range(folder, f"{before.uidnext}:{HIGHEST_UID}")
        flagged, vanished = await self._list_older_changes(folder, before)
        exists = self._connection.exists
        is_told = bool(before.modseq) and self._tells_vanished
        if vanished is None or (not is_told and before.exists + len(added) != exists):
            return await self._list_everything(folder)
        return Changes(
            added=tuple(added),
            cursor=str(next_cursor(folder, added, exists, at_least=before)),
            flagged=tuple(flagged),
            removed=tuple(f"{folder.uid_validity}.{uid}" for uid in vanished),
        )

    async def fetch(self, remote_name: str, remote_ids: Sequence[str]) -> Sequence[FetchedMessage]:
        folder = await self._examine(remote_name, may_be_open=True)
        uids = uids_of(folder, remote_ids)
        fetched: list[FetchedMessage] = []
        for part in _slices(uids, FETCH_IDS):
            told = await self._fetch(part, "(UID FLAGS INTERNALDATE BODY.PEEK[])")
            without_body = []
            for uid, one in told.items():
                message = _as_message(folder, uid, one)
                if message is not None:
                    fetched.append(message)
                else:
                    without_body.append(uid)
            # iCloud answers some items without the body; asked for one by one and in two halves it comes
            for uid in without_body:
                message = await self._fetch_in_halves(folder, uid)
                if message is not None:
                    fetched.append(message)
        return fetched

    async def list_all(self, remote_name: str) -> Changes:
        folder = await self._examine(remote_name)
        self._listed[remote_name] = _numbers(folder, self._connection.exists)
        return await self._list_everything(folder)

    async def poll(self, cursors: Mapping[str, str]) -> frozenset[str]:
        changed = set()
        for remote_name, cursor in cursors.items():
            before = Cursor.read(cursor)
            try:
                folder = await self._examine(remote_name)
            except FolderGone:
                changed.add(remote_name)
                continue
            now = (folder.uid_validity, folder.uid_next, self._connection.exists, folder.modseq)
            if now != (before.uidvalidity, before.uidnext, before.exists, before.modseq):
                changed.add(remote_name)
        return frozenset(changed)

    async def fetch_headers(self, remote_name: str, remote_ids: Sequence[str]) -> Sequence[FetchedHeader]:
        folder = await self._examine(remote_name, may_be_open=True)
        told = await self._fetch(uids_of(folder, remote_ids), f"(UID FLAGS INTERNALDATE RFC822.SIZE {_DECIDING})")
        return [
            FetchedHeader(f"{folder.uid_validity}.{uid}", block, one.size or 0, one.internal_date or datetime.now(UTC),
                          _lasting(one.flags))
            for uid, one in told.items()
            if (block := next(iter(one.sections.values()), None)) is not None
        ]  # fmt: skip

    async def fetch_large(self, remote_name: str, remote_id: str, size: int, write: Callable[[bytes], None]) -> None:
        folder = await self._examine(remote_name, may_be_open=True)
        uids, done, came = uids_of(folder, [remote_id]), 0, PIECE
        while came == PIECE:
            one = (await self._fetch(uids, f"(UID BODY.PEEK[]<{done}.{PIECE}>)")).get(uids[0] if uids else 0)
            if one is None:
                raise MessageGone
            piece = one.sections.get("") or b""
            if len(piece) > PIECE:
                raise Refused("message_too_large")
            write(piece)
            came = len(piece)
            done += came

    async def wait(self, remote_name: str, timeout_seconds: float) -> frozenset[str]:
        return frozenset((remote_name,)) if await self._wait(remote_name, timeout_seconds) else frozenset()

    async def _wait(self, remote_name: str, timeout_seconds: float) -> bool:
        folder = await self._examine(remote_name, may_be_open=True)
        if self._listed.get(remote_name, now := _numbers(folder, self._connection.exists)) != now:
            return True  # it changed while another folder was open
        loop = asyncio.get_running_loop()
        end = loop.time() + timeout_seconds
        while (left := end - loop.time()) > 0:
            if self._connection.offers("IDLE"):
                if await self._connection.idle(min(left, IDLE_SECONDS)):
                    return True
            elif await self._look_with_noop():
                return True
            else:
                await asyncio.sleep(min(left, NOOP_SECONDS))
        return not self._connection.offers("IDLE") and await self._look_with_noop()

    async def find_by_message_id(self, remote_name: str, internet_message_id: str) -> Sequence[str]:
        if not _MESSAGE_ID.fullmatch(internet_message_id):
            raise Unsupported("message_id_not_searchable", internet_message_id=internet_message_id[:100])
        folder = await self._examine(remote_name)
        found: list[int] = []
        await self._run(
            Verbatim("UID SEARCH HEADER Message-ID"), internet_message_id, take=_into(found), refused=Refused
        )
        exact = []
        # SEARCH HEADER finds parts of words (RFC 3501 section 6.4.4), and some indexes more than that.
        for uid, one in (await self._fetch(found, "(UID BODY.PEEK[HEADER.FIELDS (MESSAGE-ID)])")).items():
            header = b"".join(octets or b"" for octets in one.sections.values())
            if internet_message_id in _unfolded(header).split():
                exact.append(f"{folder.uid_validity}.{uid}")
        return exact

    async def append(self, remote_name: str, raw: bytes, flags: Sequence[str] = ()) -> None:
        when = datetime.now(UTC)
        stamp = f'"{when.day:2}-{search_date(when).partition("-")[2]} {when:%H:%M:%S} +0000"'
        arguments: list[Argument] = [Verbatim("APPEND"), remote_name]
        if flags:
            arguments.append(Verbatim(f"({' '.join(map(_flag, flags))})"))
        await self._run(*arguments, Verbatim(stamp), Payload(raw), refused=FolderGone, remote_name=remote_name)

    async def close(self) -> None:
        await self._connection.close()

    # folders

    async def _examine(self, remote_name: str, *, may_be_open: bool = False) -> OpenFolder:
        """Open a folder read-only, anew unless told otherwise: only then are its numbers of now."""
        if may_be_open and self._open is not None and self._open.remote_name == remote_name:
            return self._open
        told: dict[str, int] = {}

        def take(event: Event) -> bool:
            if isinstance(event, Status) and event.code is not None:
                told[event.code.name] = event.code.number
            return isinstance(event, Status)

        self._open, self._connection.exists = None, 0
        # RFC 7162 section 3.1.8; a server that does not know the parameter never sees it
        parameters = (Verbatim("(CONDSTORE)"),) if self._connection.offers("CONDSTORE", "QRESYNC") else ()
        await self._run(
            Verbatim("EXAMINE"), remote_name, *parameters, take=take, refused=FolderGone, remote_name=remote_name
        )
        self._connection.has_changed = False
        uid_next = told.get("UIDNEXT") or await self._uid_next()
        # 0 stands for a server that names no UIDVALIDITY: its UIDs last for ever, as far as anybody can know.
        self._open = OpenFolder(remote_name, told.get("UIDVALIDITY", 0), uid_next, told.get("HIGHESTMODSEQ", 0))
        return self._open

    async def _uid_next(self) -> int:
        """What UIDNEXT would be, of a server that does not say (163.com): above the last message."""
        uids: list[int] = []

        def take(event: Event) -> bool:
            if isinstance(event, Fetch) and event.uid is not None:
                uids.append(event.uid)
            return isinstance(event, Fetch)

        if self._connection.exists:
            await self._run(Verbatim(f"FETCH {self._connection.exists} (UID)"), take=take)
        return max(uids, default=0) + 1

    @property
    def _tells_vanished(self) -> bool:
        host = self._connection.settings.host.lower()
        return self._connection.offers("QRESYNC") and not host.endswith(_NO_VANISHED_HOSTS)

    # listings

    async def _list_everything(self, folder: OpenFolder, *, was_reset: bool = False) -> Changes:
        messages = await self._list_range(folder, f"1:{HIGHEST_UID}") if self._connection.exists else []
        cursor = next_cursor(folder, messages, self._connection.exists)
        return Changes(tuple(messages), str(cursor), is_full=True, was_reset=was_reset)

    async def _list_range(self, folder: OpenFolder, uid_set: str) -> list[RemoteMessage]:
        """The messages of a UID range, newest first."""
        told: dict[int, Fetch] = {}
        await self._run(Verbatim(f"UID FETCH {uid_set} (UID FLAGS RFC822.SIZE)"), take=_by_uid(told))
        # `n:4294967295` is a plain range, yet servers that read it as `n:*` return the last message below n
        first = int(uid_set.partition(":")[0])
        return [_as_listed(folder, uid, told[uid]) for uid in sorted(told, reverse=True) if uid >= first]

    async def _list_uids(self, folder: OpenFolder, uids: Sequence[int]) -> list[RemoteMessage]:
        told: dict[int, Fetch] = {}
        for part in _slices(sorted(uids, reverse=True), FETCH_IDS):
            await self._run(Verbatim(f"UID FETCH {sequence_set(part)} (UID FLAGS RFC822.SIZE)"), take=_by_uid(told))
        return [_as_listed(folder, uid, told[uid]) for uid in sorted(set(uids) & set(told), reverse=True)]

    async def _list_older_changes(
        self, folder: OpenFolder, before: Cursor
    ) -> tuple[list[RemoteMessage], list[int] | None]:
        """Flags that changed and UIDs that vanished below the cursor; None: too many to be told one by one."""
        if not before.modseq or not self._connection.offers("CONDSTORE", "QRESYNC") or before.uidnext <= 1:
            return [], []
        told: dict[int, Fetch] = {}
        gone: list[Ranges] = []

        def take(event: Event) -> bool:
            if isinstance(event, Vanished):
                gone.append(event.ranges)
                return event.is_earlier
            return _by_uid(told)(event)

        # Up to the highest UID there can be: Cyrus hides expunges above the last message otherwise (cyrus-imapd 6071)
        modifier = f"(CHANGEDSINCE {before.modseq}{' VANISHED' if self._tells_vanished else ''})"
        await self._run(Verbatim(f"UID FETCH 1:{HIGHEST_UID} (UID FLAGS RFC822.SIZE) {modifier}"), take=take)
        flagged = [_as_listed(folder, uid, told[uid]) for uid in sorted(told) if uid < before.uidnext]
        ranges = [(low, min(high, before.uidnext - 1)) for low, high in chain(*gone) if low < before.uidnext]
        if count_in_ranges(ranges) > MAX_VANISHED:
            return flagged, None
        return flagged, sorted({uid for low, high in ranges for uid in range(low, high + 1)})

    async def _search(self, criterion: str, exists: int) -> list[int]:
        """UIDs that match, by spans of sequence numbers."""
        found: list[int] = []
        returning = "RETURN (ALL) " if self._connection.offers("ESEARCH") else ""
        for first in range(1, exists + 1, SEARCH_SPAN):
            span = f"{first}:{min(exists, first + SEARCH_SPAN - 1)}"
            await self._run(Verbatim(f"UID SEARCH {returning}{span} {criterion}"), take=_into(found), refused=Refused)
        return found

    # messages

    async def _fetch(self, uids: Sequence[int], items: str) -> dict[int, Fetch]:
        """What the server tells about these UIDs; those it does not know are left out."""
        told: dict[int, Fetch] = {}
        for part in _slices(uids, FETCH_IDS):
            # NO may mean that one message was expunged meanwhile (RFC 2180 section 4.1): keep what came.
            await self._run(
                Verbatim(f"UID FETCH {sequence_set(part)} {items}"),
                take=_by_uid(told, at_most=len(uids) + 1_000),
                may_say_no=True,
            )
        wanted = set(uids)
        return {uid: one for uid, one in told.items() if uid in wanted}

    async def _fetch_in_halves(self, folder: OpenFolder, uid: int) -> FetchedMessage | None:
        one = (await self._fetch((uid,), "(UID FLAGS INTERNALDATE BODY.PEEK[HEADER] BODY.PEEK[TEXT])")).get(uid)
        if one is None or one.sections.get("HEADER") is None:
            return None
        raw = (one.sections["HEADER"] or b"") + (one.sections.get("TEXT") or b"")
        return _as_message(folder, uid, one, raw)

    async def _look_with_noop(self) -> bool:
        await self._run(Verbatim("NOOP"))
        return self._connection.has_changed

    async def _run(
        self,
        *arguments: Argument,
        take: Callable[[Event], bool] | None = None,
        refused: type[FolderGone] | type[Refused] | type[Unreachable] = Unreachable,
        may_say_no: bool = False,
        **facts: Any,
    ) -> Status:
        """One command; NO and BAD are raised as the table or else `refused` says."""
        status = await self._connection.run(*arguments, answer=take)
        if status.condition == "OK" or (may_say_no and status.condition == "NO"):
            return status
        raise error_for_status(self._connection.settings.host, status, refused, **facts)


def _by_uid(told: dict[int, Fetch], at_most: int = MAX_LISTED) -> Callable[[Event], bool]:
    """Collect FETCH answers by UID; the one with the body wins over a flag change told in between."""

    def take(event: Event) -> bool:
        if not isinstance(event, Fetch) or event.uid is None:
            return False  # without UID: told of its own accord, a flag somebody changed meanwhile
        known = told.get(event.uid)
        if known is None or event.sections or not known.sections:
            told[event.uid] = event
        if len(told) > at_most:
            raise ProtocolViolation("flood", limit=at_most)
        return True

    return take


def _into(found: list[int]) -> Callable[[Event], bool]:
    """Collect the numbers of SEARCH and ESEARCH."""

    def take(event: Event) -> bool:
        if not isinstance(event, Found):
            return False
        if count_in_ranges(event.ranges) + len(event.numbers) > 2 * SEARCH_SPAN:
            raise ProtocolViolation("flood", limit=2 * SEARCH_SPAN)
        found.extend(event.numbers)
        found.extend(uid for low, high in event.ranges for uid in range(low, high + 1))
        return True

    return take


def _slices(uids: Sequence[int], length: int) -> Iterator[Sequence[int]]:
    for first in range(0, len(uids), length):
        yield uids[first : first + length]


def _as_listed(folder: OpenFolder, uid: int, one: Fetch) -> RemoteMessage:
    return RemoteMessage(f"{folder.uid_validity}.{uid}", one.size or 0, _lasting(one.flags))


def _as_message(folder: OpenFolder, uid: int, one: Fetch, raw: bytes | None = None) -> FetchedMessage | None:
    octets = raw if raw is not None else one.sections.get("")
    if octets is None:
        return None
    received_at = one.internal_date or datetime.now(UTC)  # no server should leave it out; mail must not be lost for it
    return FetchedMessage(f"{folder.uid_validity}.{uid}", octets, received_at, _lasting(one.flags))


def _numbers(folder: OpenFolder, exists: int) -> tuple[int, int, int]:
    return folder.uid_validity, folder.uid_next, exists


def _lasting(flags: tuple[str, ...] | None) -> tuple[str, ...]:
    """Flags without \\Recent, which belongs to a session and not to the message."""
    return tuple(flag for flag in flags or () if flag.lower() != "\\recent")


def _unfolded(header: bytes) -> str:
    return re.sub(r"\r?\n[ \t]+", " ", header.decode("ascii", "replace"))


def _flag(flag: str) -> str:
    if not re.fullmatch(r"\\?[A-Za-z0-9$_.-]+", flag):
        raise Unsupported("unsafe_argument")
    return flag
