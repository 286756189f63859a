"""Messages too large for memory: what is fetched how, and what is kept of the largest."""

from __future__ import annotations

import asyncio
import errno
import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from postroom.engine import joints
from postroom.engine.driver import Driver
from postroom.engine.giants import fetch_giant, read_giant
from postroom.engine.memory_store import MemoryStore
from postroom.engine.store import NewMessage
from postroom.engine.stores import InlineStore
from postroom.mail.message import LargeAttachment
from postroom.mail.mime.parsing import LARGEST_MESSAGE
from postroom.providers.base import FetchedHeader, FetchedMessage
from postroom.providers.errors import MessageGone, ProviderError, Refused, StorageFull, Unreachable
from postroom.providers.memory.session import MemorySession
from postroom.sync import asks
from postroom.sync.manner import Manner
from postroom.sync.pages import GIANT_OCTETS
from postroom.sync.reading import Read, read
from postroom.sync.state import NewHeader

WHEN = datetime(2026, 11, 20, tzinfo=UTC)
HEADER = b"Subject: Film\r\nMIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n"
BODY = b"--b\r\n\r\nHello\r\n--b\r\nContent-Type: a/b; name=film.mp4\r\nContent-Transfer-Encoding: base64\r\n\r\n"
FILM = HEADER + BODY + b"QUJD\r\n" * 1_000 + b"--b--\r\n"


@dataclass
class OneLetter(MemorySession):
    """A mailbox with one message, which is sent in pieces or refused."""

    pieces: Sequence[bytes] = ()
    size: int = GIANT_OCTETS + 1
    error: Exception | None = None
    is_there: bool = True
    fetched: list[str] = field(default_factory=list)

    async def fetch(self, remote_name: str, remote_ids: Sequence[str]) -> Sequence[FetchedMessage]:
        self.fetched += remote_ids
        return [FetchedMessage(one, b"Subject: Small\r\n\r\nHello\r\n", WHEN) for one in remote_ids]

    async def fetch_headers(self, remote_name: str, remote_ids: Sequence[str]) -> Sequence[FetchedHeader]:
        return [FetchedHeader(one, HEADER, self.size, WHEN, ("\\Seen",)) for one in remote_ids if self.is_there]

    async def fetch_large(self, remote_name: str, remote_id: str, size: int, write: Callable[[bytes], None]) -> None:
        self.fetched.append(f"large {remote_id}")
        for piece in self.pieces:
            write(piece)
        if self.error:
            raise self.error


@pytest.fixture(autouse=True)
def spool(tmp_path: Path) -> Iterator[Path]:
    before = list(joints._installed)
    joints.install(joints.Joints(MemoryStore, lambda mailbox_id, keep_history: None, tmp_path / "spool"))
    yield tmp_path / "spool"
    joints._installed[:] = before


def fetch(session: OneLetter) -> tuple[NewMessage, ...]:
    return read_giant(asyncio.run(fetch_giant(session, "INBOX", "7", session.size)))


def test_a_giant_is_read_from_a_file_without_a_name(spool: Path) -> None:
    [message] = fetch(OneLetter(pieces=[FILM[:100], FILM[100:]]))
    assert (message.remote_id, message.raw_size, message.flags) == ("7", len(FILM), ("\\Seen",))
    assert (message.parsed.subject, message.parsed.text.strip(), message.parsed.is_readable) == ("Film", "Hello", True)
    [film] = message.parsed.attachments
    assert isinstance(film, LargeAttachment)
    assert (film.filename, film.size, b"".join(film.pieces())) == ("film.mp4", 3_000, b"ABC" * 1_000)
    assert list(spool.iterdir()) == []
    assert spool.stat().st_mode & 0o777 == 0o700


def test_its_file_goes_with_the_message() -> None:
    before = len(os.listdir("/proc/self/fd"))
    message = fetch(OneLetter(pieces=[FILM]))
    assert len(os.listdir("/proc/self/fd")) == before + 1
    del message
    assert len(os.listdir("/proc/self/fd")) == before


@pytest.mark.parametrize(
    "session",
    [
        OneLetter(size=LARGEST_MESSAGE + 1),
        OneLetter(pieces=[FILM], error=Refused("message_too_large")),
        OneLetter(pieces=[bytes(1 << 20)] * (LARGEST_MESSAGE // (1 << 20) + 1)),
    ],
    ids=["listed", "refused", "more than was listed"],
)
def test_of_what_is_too_large_a_stub_is_kept(session: OneLetter) -> None:
    [stub] = fetch(session)
    assert stub.parsed.is_too_large and not stub.parsed.is_readable
    assert (stub.parsed.subject, stub.parsed.text, stub.parsed.attachments) == ("Film", "", ())
    assert stub.raw_size == session.size


def test_two_stubs_without_an_id_differ_by_their_size() -> None:
    sizes = (LARGEST_MESSAGE + 1, LARGEST_MESSAGE + 2)
    assert len({fetch(OneLetter(size=size))[0].identity for size in sizes}) == 2


@pytest.mark.parametrize("session", [OneLetter(is_there=False), OneLetter(pieces=[FILM], error=MessageGone())])
def test_a_giant_that_is_gone_is_left_out(session: OneLetter) -> None:
    assert fetch(session) == ()


def test_an_empty_giant_is_unreadable() -> None:
    [message] = fetch(OneLetter())
    assert not message.parsed.is_readable and not message.parsed.is_too_large


@pytest.mark.parametrize(
    ("failure", "told"),
    [
        (Unreachable("connection_lost"), Unreachable),
        (Refused("folder_gone"), Refused),
        (OSError(errno.ENOSPC, "No space left on device"), StorageFull),
        (OSError(errno.EDQUOT, "Disk quota exceeded"), StorageFull),
    ],
)
def test_a_failure_is_told_to_the_step(failure: Exception, told: type[ProviderError]) -> None:
    driver = Driver(OneLetter(pieces=[FILM], error=failure), InlineStore(MemoryStore()), uuid4(), 0)
    with pytest.raises(told):
        asyncio.run(driver.run(read("INBOX", ["7"], sizes=[GIANT_OCTETS + 1])))


def answers(steps: asks.Steps[Read], wanted: frozenset[str]) -> list[asks.Ask]:
    """What the steps ask when nothing can be fetched."""
    asked: list[asks.Ask] = []
    answer: Any = None
    try:
        while True:
            ask = steps.send(answer)
            asked.append(ask)
            answer = wanted if isinstance(ask, asks.ChooseWanted) else ()
            if isinstance(ask, asks.FetchHeaders):
                parsed = fetch(OneLetter(pieces=[FILM]))[0].parsed
                answer = tuple(NewHeader(one, GIANT_OCTETS + 5, WHEN, (), (), parsed) for one in ask.remote_ids)
    except StopIteration:
        return asked


def test_only_giants_go_by_way_of_the_disk() -> None:
    steps = read("INBOX", ["1", "2", "3"], sizes=[5, GIANT_OCTETS + 1, GIANT_OCTETS])
    assert answers(steps, frozenset()) == [
        asks.FetchMessages("INBOX", ("1", "3")),
        asks.FetchGiant("INBOX", "2", GIANT_OCTETS + 1),
    ]


def test_a_size_that_was_not_listed_is_taken_from_the_header() -> None:
    steps = read("INBOX", ["1", "2"], Manner(headers_first=True), sizes=[0, 0])
    assert answers(steps, frozenset({"2"}))[-1] == asks.FetchGiant("INBOX", "2", GIANT_OCTETS + 5)
