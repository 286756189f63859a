"""Remote ids and cursors of an IMAP folder, as strings outside and as numbers inside."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass

from postroom.providers.base import RemoteMessage
from postroom.providers.errors import ListingExpired


@dataclass(frozen=True, slots=True)
class OpenFolder:
    """The folder that is examined; numbers are 0 where the server did not tell."""

    remote_name: str
    uid_validity: int
    uid_next: int
    modseq: int


@dataclass(frozen=True, slots=True)
class Cursor:
    """Where a listing ended."""

    uidvalidity: int
    uidnext: int
    exists: int
    modseq: int = 0

    def __str__(self) -> str:
        told = {"uidvalidity": self.uidvalidity, "uidnext": self.uidnext, "exists": self.exists}
        return json.dumps(told | ({"modseq": self.modseq} if self.modseq else {}))

    @classmethod
    def read(cls, text: str) -> Cursor:
        """Raise ListingExpired for anything that __str__ did not write."""
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
        if validity == str(folder.uid_validity) and uid.isdigit():
            uids.append(int(uid))
    return uids


def next_cursor(
    folder: OpenFolder, listed: Sequence[RemoteMessage], exists: int, *, at_least: Cursor | None = None
) -> Cursor:
    """The cursor behind a listing. UIDNEXT may be missing (163.com) or older than what was listed."""
    above = max((uid_of(message) for message in listed), default=0) + 1
    uid_next = max(folder.uid_next, above, at_least.uidnext if at_least else 1)
    return Cursor(folder.uid_validity, uid_next, exists, folder.modseq)
