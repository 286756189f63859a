"""An SMTP server that counts what it took (aiosmtpd), with faults around the final dot."""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from email.parser import BytesHeaderParser
from typing import Any

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, Envelope, Session

from tests.servers import free_ports


@dataclass
class SmtpSink:
    """`taken` counts accepted messages by their X-Postroom-Submission header."""

    chance: random.Random = field(default_factory=random.Random)
    longest_pause_seconds: float = 0.0  # before and after a message is taken, by chance
    hangs: bool = False  # never answers the final dot
    takes: bool = True  # whether a hanging server keeps the message
    taken: Counter[str] = field(default_factory=Counter)
    port: int = 0

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:
        await asyncio.sleep(self.chance.random() * self.longest_pause_seconds)
        if self.takes:
            content = envelope.content
            assert isinstance(content, bytes)
            self.taken[str(BytesHeaderParser().parsebytes(content)["X-Postroom-Submission"])] += 1
        await asyncio.sleep(60 if self.hangs else self.chance.random() * self.longest_pause_seconds)
        return "250 2.0.0 taken"


@contextmanager
def running(sink: SmtpSink) -> Iterator[SmtpSink]:
    """Serve on a free port of loopback until the block ends."""
    [sink.port] = free_ports(1)
    controller: Any = Controller(sink, hostname="127.0.0.1", port=sink.port, ready_timeout=30)
    controller.start()
    try:
        yield sink
    finally:
        controller.stop()
