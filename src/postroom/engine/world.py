"""What every session of a worker shares."""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import Callable
from dataclasses import dataclass, field
from uuid import UUID

from postroom.engine.driver import StoreCaller
from postroom.engine.health import Health
from postroom.engine.journal import Journal, SilentJournal
from postroom.engine.limiter import ConnectLimiter
from postroom.engine.outage import is_outage
from postroom.engine.proofs import NoProofs, Proofs

log = logging.getLogger(__name__)

LOOKS_SECONDS = 30.0


@dataclass(slots=True)
class Looks:
    """Looks that found nothing, told to the database together: one statement for hundreds of idle mailboxes."""

    health: Health
    _seen: dict[UUID, int] = field(default_factory=dict)

    def note(self, mailbox_id: UUID, epoch: int) -> None:
        self._seen[mailbox_id] = epoch

    async def keep_telling(self) -> None:
        """Until cancelled."""
        while True:
            await asyncio.sleep(LOOKS_SECONDS)
            await self.tell()

    async def tell(self) -> None:
        seen, self._seen = self._seen, {}
        if not seen:
            return
        try:
            await asyncio.to_thread(self.health.looked, list(seen.items()))
        except Exception as error:  # a supervisor: what cannot be told now is told with the next looks
            if not is_outage(error):
                log.exception("looks at mailboxes could not be told")
            self._seen = seen | self._seen


@dataclass(frozen=True, slots=True)
class World:
    """`count_sessions` says how many sessions share this process; `sweeping` lets one of them sweep at a time."""

    stores: StoreCaller
    health: Health
    journal: Journal = field(default_factory=SilentJournal)
    proofs: Proofs = field(default_factory=NoProofs)
    limiter: ConnectLimiter = field(default_factory=ConnectLimiter)
    random: Callable[[], float] = random.random
    count_sessions: Callable[[], int] = lambda: 1
    looks: Looks = field(init=False)
    sweeping: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(1))

    def __post_init__(self) -> None:
        object.__setattr__(self, "looks", Looks(self.health))
