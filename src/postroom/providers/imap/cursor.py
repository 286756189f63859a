"""Remote ids and cursors of an IMAP folder, as strings outside and as numbers inside."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass

from postroom.providers.base import RemoteMessage
from postroom.providers.errors import ListingExpired


@dataclass(frozen=True, slots=True)
class OpenFolder:
    """The folder that is examined, as it was then; numbers are 0 where the server did not tell.

    `uid_next` is worked out from the last message where the server does not tell it (`tells_uid_next`).
    """

    remote_name: str
    uid_validity: int
    uid_next: int
    modseq: int
    exists: int
    tells_uid_next: bool = True


@dataclass(frozen=True, slots=True)
class Cursor:
    """Where a listing ended: `exists` counts the messages below `uidnext`.

    `modseq` is 0 where the folder has none (RFC 7162 section 3.1.2.2); only then `unseen` may count those without
    \\Seen, so that a poll notices when one is read. Numbers are exact beyond 2^53: Python's, and text in JSON.
    """

    uidvalidity: int
    uidnext: int
    exists: int
    modseq: int = 0
    unseen: int | None = None

    def __str__(self) -> str:
        told = {name: value for name, value in asdict(self).items() if value is not None}
        if not self.modseq:
            del told["modseq"]
        return json.dumps(told)

    @classmethod
    def read(cls, text: str) -> Cursor:
        """Raise ListingExpired for anything that __str__ did not write, in this version or an earlier one."""
        try:
            told = json.loads(text)
            cursor = cls(**{name: int(value) for name, value in told.items()})
        except (ValueError, TypeError, AttributeError) as error:
            raise ListingExpired from error
        return cursor


def uid_of(message: RemoteMessage) -> int:
    return int(message.remote_id.partition(".")[2])


def uids_of(folder: OpenFolder, remote_ids: Sequence[str]) -> list[int]:
    """The UIDs that still mean something: ids of another UIDVALIDITY are gone."""
    uids = []
    for remote_id in remote_ids:
        validity, _, uid = remote_id.partition(".")
        if validity == str(folder.uid_validity) and uid.isdecimal() and len(uid) <= 10:
            uids.append(int(uid))
    return uids


def next_cursor(
    folder: OpenFolder,
    listed: Sequence[RemoteMessage],
    exists: int,
    *,
    at_least: Cursor | None = None,
    unseen: int | None = None,
) -> Cursor:
    """The cursor behind a listing, newest first; `exists` is the folder's count after it.

    UIDNEXT may be missing (163.com) or older than what was listed.
    """
    above = uid_of(listed[0]) + 1 if listed else 1
    uid_next = max(folder.uid_next, above, at_least.uidnext if at_least else 1)
    counted = folder.exists + arrived_late(folder, listed, exists)
    return Cursor(folder.uid_validity, uid_next, counted, folder.modseq, None if folder.modseq else unseen)


def arrived_late(folder: OpenFolder, listed: Sequence[RemoteMessage], exists: int) -> int:
    """How many of a listing, newest first, came after the folder was examined: its count has them not.

    They must have been announced by EXISTS; where they were not, the server's UIDNEXT lags behind its messages.
    """
    announced = max(0, exists - folder.exists)
    late = 0
    for message in listed:
        if late == announced or uid_of(message) < folder.uid_next:
            break
        late += 1
    return late
