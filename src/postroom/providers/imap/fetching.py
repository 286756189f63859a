"""Messages by their UIDs: whole, as headers, or in pieces. BODY.PEEK: fetching never marks anything as read.

A body counts only beside its UID in one response: nothing is ever attributed by sequence number.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from datetime import UTC, datetime

from postroom.providers.base import FetchedHeader, FetchedMessage
from postroom.providers.errors import MessageGone, ProtocolViolation, Refused, Unreachable, Unsupported
from postroom.providers.imap.commands import Verbatim, sequence_set
from postroom.providers.imap.cursor import OpenFolder, uids_of
from postroom.providers.imap.dialogue import Dialogue
from postroom.providers.imap.errors import error_for_status
from postroom.providers.imap.fetched import Fetch
from postroom.providers.imap.listing import into, lasting, slices
from postroom.providers.imap.responses import Event

FETCH_IDS = 500  # ids in one command: Yahoo answers 1,000 at most, and a cut connection loses less
HOPELESS = 10  # of so many messages, one at least can be read
PIECE_BYTES = 1024 * 1024  # of a large message at a time

# What decides whether a message is wanted, and what to show of it until its body is there.
_DECIDING = (
    "BODY.PEEK[HEADER.FIELDS (FROM SENDER TO CC BCC REPLY-TO MESSAGE-ID IN-REPLY-TO REFERENCES DATE SUBJECT"
    " X-POSTROOM-SUBMISSION AUTO-SUBMITTED LIST-ID)]"
)
# What a Message-ID may look like before it goes into a SEARCH (RFC 5322 section 3.6.4, without the exotic forms).
_MESSAGE_ID = re.compile(r"<[A-Za-z0-9!#$%&'*+/=?^_`{|}~.@\[\]:-]{1,250}>")
_SUBMISSION = re.compile(r"[0-9a-f-]{1,40}")  # a UUID


async def fetch_messages(dialogue: Dialogue, folder: OpenFolder, remote_ids: Sequence[str]) -> list[FetchedMessage]:
    """Whole messages; those that are gone are left out."""
    fetched: list[FetchedMessage] = []
    for part in slices(uids_of(folder, remote_ids), FETCH_IDS):
        told = await _fetch(dialogue, part, "(UID FLAGS INTERNALDATE BODY.PEEK[])")
        without_body = []
        for uid, one in told.items():
            octets = one.sections.get("")
            if octets is not None:
                fetched.append(_as_message(folder, uid, one, octets))
            else:
                without_body.append(uid)
        # iCloud answers some items without the body; asked for one by one and in two halves it comes
        for uid in without_body:
            message = await _fetch_in_halves(dialogue, folder, uid)
            if message is not None:
                fetched.append(message)
    return fetched


async def fetch_headers(dialogue: Dialogue, folder: OpenFolder, remote_ids: Sequence[str]) -> list[FetchedHeader]:
    """The header fields that decide; those that are gone are left out."""
    headers = []
    for part in slices(uids_of(folder, remote_ids), FETCH_IDS):
        told = await _fetch(dialogue, part, f"(UID FLAGS INTERNALDATE RFC822.SIZE {_DECIDING})")
        for uid, one in told.items():
            block = next(iter(one.sections.values()), None)
            if block is None:  # an answer without the fields: the whole header then, and if need be nothing of it
                whole = await _fetch(dialogue, (uid,), "(UID BODY.PEEK[HEADER])")
                block = whole[uid].sections.get("HEADER") if uid in whole else None
            remote_id = f"{folder.uid_validity}.{uid}"
            headers.append(FetchedHeader(remote_id, block or b"", one.size or 0, _received(one), lasting(one.flags)))
    return headers


async def fetch_large(
    dialogue: Dialogue, folder: OpenFolder, remote_id: str, size: int, write: Callable[[bytes], None]
) -> None:
    """One message in pieces; raise MessageGone, or Refused where the server gives out whole messages only."""
    uids = uids_of(folder, [remote_id])
    done = 0
    while uids:
        one = (await _fetch(dialogue, uids, f"(UID BODY.PEEK[]<{done}.{PIECE_BYTES}>)")).get(uids[0])
        if one is None or (not done and one.sections.get("") is None):
            break
        piece = one.sections.get("") or b""
        if len(piece) > PIECE_BYTES:  # QQ ignores the bounds and sends everything again and again
            raise Refused("message_too_large", size=size, limit=PIECE_BYTES)
        if piece:
            write(piece)
        done += len(piece)
        if len(piece) < PIECE_BYTES:
            return
        if done > 2 * size + PIECE_BYTES:  # RFC822.SIZE is off by some per cent at most (Exchange)
            raise ProtocolViolation("literal_too_large", size=done, limit=2 * size + PIECE_BYTES)
    raise MessageGone


async def find_by_message_id(
    dialogue: Dialogue, folder: OpenFolder, internet_message_id: str, submission: str = ""
) -> list[str]:
    """The remote ids of the messages with exactly this Message-ID, or else of that submission."""
    if not _MESSAGE_ID.fullmatch(internet_message_id):
        raise Unsupported("message_id_not_searchable", internet_message_id=internet_message_id[:100])
    found = await _find_by_field(dialogue, "Message-ID", internet_message_id)
    if not found and _SUBMISSION.fullmatch(submission):
        found = await _find_by_field(dialogue, "X-Postroom-Submission", submission)
    return [f"{folder.uid_validity}.{uid}" for uid in found]


async def _find_by_field(dialogue: Dialogue, name: str, word: str) -> list[int]:
    """The UIDs of the messages in whose header field of that name stands exactly this word."""
    found: list[int] = []
    await dialogue.run(Verbatim(f"UID SEARCH HEADER {name}"), word, take=into(found), refused=Refused)
    exact = []
    # SEARCH HEADER finds parts of words (RFC 3501 section 6.4.4), and some indexes more than that.
    for uid, one in (await _fetch(dialogue, found, f"(UID BODY.PEEK[HEADER.FIELDS ({name.upper()})])")).items():
        header = b"".join(octets or b"" for octets in one.sections.values())
        if word in _unfolded(header).split():
            exact.append(uid)
    return exact


async def _fetch(dialogue: Dialogue, uids: Sequence[int], items: str) -> dict[int, Fetch]:
    """What the server tells about these UIDs; those it does not know are left out."""
    told: dict[int, Fetch] = {}
    wanted = frozenset(uids)
    for part in slices(uids, FETCH_IDS):
        command = Verbatim(f"UID FETCH {sequence_set(part)} {items}")
        status = await dialogue.run(command, take=_by_uid(told, wanted), may_say_no=True)
        if status.condition == "NO" and len(part) > 1:
            # One message may have been expunged meanwhile, or be unreadable (RFC 2180 section 4.1): the others can be.
            missing = [uid for uid in part if uid not in told]
            if len(missing) == len(part) >= HOPELESS:
                for uid in (part[0], part[-1]):
                    told |= await _fetch(dialogue, (uid,), items)
                if told.keys().isdisjoint(part):  # it is not the messages
                    raise error_for_status(dialogue.connection.settings.host, status, Unreachable)
                missing = [uid for uid in part if uid not in told]
            middle = (len(missing) + 1) // 2
            for half in filter(None, (missing[:middle], missing[middle:])):
                told |= await _fetch(dialogue, half, items)
    return told


def _by_uid(told: dict[int, Fetch], wanted: frozenset[int]) -> Callable[[Event], bool]:
    """Collect FETCH answers by UID; the one with the body wins over a flag change told in between."""

    def take(event: Event) -> bool:
        if not isinstance(event, Fetch):
            return False
        if event.uid is None:
            if event.sections:
                raise ProtocolViolation("unreadable_response", server_words=f"{event.sequence} FETCH without UID")
            return False  # told of its own accord: a flag that somebody changed meanwhile
        if event.uid not in wanted:
            return False
        known = told.get(event.uid)
        if known is None or event.sections or not known.sections:
            told[event.uid] = event
        return True

    return take


async def _fetch_in_halves(dialogue: Dialogue, folder: OpenFolder, uid: int) -> FetchedMessage | None:
    told = await _fetch(dialogue, (uid,), "(UID FLAGS INTERNALDATE BODY.PEEK[HEADER] BODY.PEEK[TEXT])")
    one = told.get(uid)
    head = one.sections.get("HEADER") if one is not None else None
    if one is None or head is None:
        return None
    return _as_message(folder, uid, one, head + (one.sections.get("TEXT") or b""))


def _as_message(folder: OpenFolder, uid: int, one: Fetch, raw: bytes) -> FetchedMessage:
    return FetchedMessage(f"{folder.uid_validity}.{uid}", raw, _received(one), lasting(one.flags))


def _received(one: Fetch) -> datetime:
    return one.internal_date or datetime.now(UTC)  # no server should leave it out; mail must not be lost for it


def _unfolded(header: bytes) -> str:
    return re.sub(r"\r?\n[ \t]+", " ", header.decode("ascii", "replace"))
