"""Imports one slice in a process of its own, from a mailbox whose second message is a giant.

    python -m tests.faults.giant_worker SLICE_ID BLOCKS [PIECE]     dies by SIGKILL at that piece of the giant

The message is made while it is fetched. Prints JSON: what was fetched, the error, and memory in megabytes.
"""

from __future__ import annotations

import asyncio
import json
import os
import re
import signal
import sys
from base64 import encodebytes
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime
from itertools import repeat
from pathlib import Path
from random import Random
from uuid import UUID

import django

from postroom.providers.base import FetchedHeader, FetchedMessage
from postroom.providers.errors import ProviderError
from postroom.providers.memory.session import MemorySession

RECEIVED = datetime(2026, 11, 20, 12, tzinfo=UTC)
BLOCK = Random(29).randbytes(57 * 1_000)  # whole lines of base64
LARGEST, SMALLEST = 1_842, 350  # blocks: attachments of 105 and 20 MB, messages of 149 and 32 MB
_ENCODED = encodebytes(BLOCK).replace(b"\n", b"\r\n")
_HEADER = (
    b"From: Karla <karla@studio.example>\r\nTo: team@tidewater.example\r\nSubject: The film\r\n"
    b"Message-ID: <film@studio.example>\r\nDate: Fri, 20 Nov 2026 12:00:00 +0000\r\nMIME-Version: 1.0\r\n"
    b'Content-Type: multipart/mixed; boundary="cut"\r\n\r\n'
)
_FIRST = b"--cut\r\nContent-Type: text/plain\r\n\r\nHere is the film.\r\n"
_FILM = (
    b"--cut\r\nContent-Type: video/mp4; name=film.mp4\r\nContent-Disposition: attachment\r\n"
    b"Content-Transfer-Encoding: base64\r\n\r\n"
)
_NOISE = b"--cut\r\nContent-Type: application/octet-stream; name=noise.bin\r\nContent-Transfer-Encoding: 8bit\r\n\r\n"
_NOISE_LINE = Random(30).randbytes(5_000_000).replace(b"\n", b" ")
_END = b"\r\n--cut--\r\n"
TOO_LARGE_OCTETS = 200_000_000
PIECE = 1 << 20


def octets_of(blocks: int) -> int:
    """The size of a giant."""
    return sum(map(len, (_HEADER, _FIRST, _FILM, _NOISE, _NOISE_LINE, _END))) + len(_ENCODED) * blocks


def _parts(blocks: int) -> Iterator[bytes]:
    yield _HEADER + _FIRST + _FILM
    yield from repeat(_ENCODED, blocks)
    yield _NOISE
    yield _NOISE_LINE
    yield _END


def giant(blocks: int) -> Iterator[bytes]:
    """The message in pieces of a mebibyte."""
    rest = b""
    for part in _parts(blocks):
        rest += part
        while len(rest) >= PIECE:
            yield rest[:PIECE]
            rest = rest[PIECE:]
    yield rest


class GiantSession(MemorySession):
    """base.Session, as far as an import asks: message 2 is the giant, 4 is too large for anybody."""

    def __init__(self, blocks: int, dies_at: int) -> None:
        self.blocks = blocks
        self.dies_at = dies_at
        self.fetched: list[str] = []

    async def fetch(self, remote_name: str, remote_ids: Sequence[str]) -> Sequence[FetchedMessage]:
        self.fetched += remote_ids
        return [
            FetchedMessage(one, b"Message-ID: <%s@x>\r\nSubject: Small\r\n\r\nHello\r\n" % one.encode(), RECEIVED)
            for one in remote_ids
        ]

    async def fetch_headers(self, remote_name: str, remote_ids: Sequence[str]) -> Sequence[FetchedHeader]:
        sizes = {"2": octets_of(self.blocks), "4": TOO_LARGE_OCTETS}
        return [FetchedHeader(one, _HEADER, sizes[one], RECEIVED) for one in remote_ids]

    async def fetch_large(self, remote_name: str, remote_id: str, size: int, write: Callable[[bytes], None]) -> None:
        self.fetched.append(remote_id)
        assert remote_id == "2", "what is too large is not fetched"
        for number, piece in enumerate(giant(self.blocks)):
            if number == self.dies_at:
                os.kill(os.getpid(), signal.SIGKILL)
            write(piece)


def memory(kind: str) -> float:
    """VmRSS or VmHWM (its highest) of this process in megabytes."""
    found = re.search(rf"{kind}:\s+(\d+) kB", Path("/proc/self/status").read_text())
    assert found
    return int(found[1]) / 1000


async def work(slice_id: UUID, blocks: int, dies_at: int) -> dict[str, object]:
    from postroom.engine.driver import Driver
    from postroom.engine.joints import joints
    from postroom.engine.stores import InlineStore
    from postroom.sync.importing import import_slice

    store = joints().store()
    piece = store.find_slice(slice_id)
    assert piece is not None
    session = GiantSession(blocks, dies_at)
    driver = Driver(session, InlineStore(store), piece.mailbox_id, epoch=0)
    base, error = memory("VmRSS"), ""
    try:
        await driver.run(import_slice(piece))
    except ProviderError as failure:
        error = failure.code
    store.close()
    return {
        "fetched": session.fetched, "error": error, "base": base, "peak": memory("VmHWM"), "after": memory("VmRSS")
    }  # fmt: skip


def main(arguments: Sequence[str]) -> None:
    django.setup()
    slice_id, blocks, *piece = arguments
    done = asyncio.run(work(UUID(slice_id), int(blocks), int(piece[0]) if piece else -1))
    sys.stdout.write(json.dumps(done) + "\n")


if __name__ == "__main__":
    main(sys.argv[1:])
