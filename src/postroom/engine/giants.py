"""Messages too large for memory: fetched into a file and parsed from there; beyond a limit a stub is kept.

The file has no name from the moment it exists (O_TMPFILE, or unlinked at once), so the kernel takes it back with the
last value that reads from it or with the process, however that ends: nothing has to be cleared away. It is mapped, not
read: its pages belong to the page cache, and the process gives them back once the message is parsed.
"""

from __future__ import annotations

import mmap
import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

from postroom.engine.joints import joints
from postroom.engine.store import NewMessage
from postroom.mail.message import Raw
from postroom.mail.mime.identity import identity
from postroom.mail.mime.parsing import LARGEST_MESSAGE, parse, parse_stub
from postroom.providers.base import FetchedHeader, Session
from postroom.providers.errors import MessageGone, Refused

_FOLDER_MODE = 0o700
_WHOLE_ONLY = "message_too_large"  # the provider gives out whole messages only (Session.fetch_large)


@dataclass(frozen=True, slots=True)
class FetchedGiant:
    """A large message: its header, and all of it on the disk (None: too large even for that)."""

    header: FetchedHeader
    raw: Raw | None = field(repr=False)


async def fetch_giant(session: Session, remote_name: str, remote_id: str, size: int) -> FetchedGiant | None:
    """Fetch a message of `size` octets, as it was listed; None when it is gone."""
    headers = await session.fetch_headers(remote_name, [remote_id])
    if not headers:
        return None
    if max(size, headers[0].size) > LARGEST_MESSAGE:
        return FetchedGiant(headers[0], None)
    with _nameless_file(joints().spool) as file:
        try:
            await session.fetch_large(remote_name, remote_id, size, _BoundedWriter(file))
        except MessageGone:
            return None
        except _TooLarge:
            return FetchedGiant(headers[0], None)
        except Refused as error:
            if error.code != _WHOLE_ONLY:
                raise
            return FetchedGiant(headers[0], None)
        file.flush()
        return FetchedGiant(headers[0], _mapped(file))


def read_giant(fetched: FetchedGiant | None) -> tuple[NewMessage, ...]:
    """The message as it is stored, its attachments still on the disk; empty when it is gone. Never raises."""
    if fetched is None:
        return ()
    header, raw = fetched.header, fetched.raw
    if raw is None:
        parsed = parse_stub(header.block)
        # Where there is no Message-ID the size has to tell two of one author, day and subject apart.
        own, size = identity(parsed, b"\r\n%d" % header.size), header.size
    else:
        parsed = parse(raw)
        own, size = identity(parsed, raw), len(raw)
        if isinstance(raw, mmap.mmap):
            raw.madvise(mmap.MADV_DONTNEED)  # out of our memory, not out of the page cache
    return (NewMessage(header.remote_id, size, own, header.received_at, header.flags, parsed),)


class _TooLarge(Exception):
    """The server sends more than it said, and more than we take."""


def _nameless_file(folder: Path) -> IO[bytes]:
    folder.mkdir(mode=_FOLDER_MODE, parents=True, exist_ok=True)
    return tempfile.TemporaryFile(dir=folder)


class _BoundedWriter:
    """Writes pieces to a file; raises _TooLarge beyond what is taken at all."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file
        self._left = LARGEST_MESSAGE

    def __call__(self, piece: bytes) -> None:
        self._left -= len(piece)
        if self._left < 0:
            raise _TooLarge
        self._file.write(piece)


def _mapped(file: IO[bytes]) -> Raw:
    """The file's octets, for as long as anything refers to them; an empty file cannot be mapped."""
    return mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) if file.tell() else b""
