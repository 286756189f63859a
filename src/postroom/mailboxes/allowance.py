"""What a provider allows a mailbox a minute (Capabilities.units_a_minute), shared by every process that asks for it.

A leaky bucket by its theoretical arrival time (GCRA, ITU-T I.371), as engine/limiter.py has it, in a row: one number
that one statement moves by the database's clock. Three quarters of the minute flow steadily; the last quarter is what
may be used at once, so that no minute ever holds more than is allowed. An import stops short of that: it leaves room
for new mail and for what people send, however much it still has to read.

Beside it stands until when the provider asked to be left alone (`rest`): whoever is told writes it down before the
error travels on, and everybody looks before each request, however small.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from time import monotonic
from typing import Final, Literal
from uuid import UUID

from django.db import connection

from postroom.mailboxes.models import Mailbox
from postroom.providers import registry
from postroom.providers.errors import AllowanceUsed, Throttled, Unsupported
from postroom.workspaces.database import in_thread

Use = Literal["session", "import"]

LONGEST_WAIT_SECONDS = 2.0  # that is sat out; who has to wait longer does something else meanwhile
STEADY_SHARE: Final = 0.75  # of a minute's units, as all shares here
AT_ONCE_SHARE: Final[dict[Use, float]] = {"session": 0.25, "import": 1 / 6}  # the latter is 50 messages of Gmail
SMALL_SHARE: Final = 1 / 1_000  # a listing: paid with the next larger request, for it costs less than a row's change
GATHERED_SHARE: Final = 1 / 120  # so much at most
LOOKED_SECONDS: Final = 0.05  # so long nobody looks again whether the provider asked to be left alone

# Costs and bursts in seconds of the steady flow. What costs more than a burst has to find the bucket empty.
_TAKE = """
    INSERT INTO mailboxes_mailboxallowance AS held (mailbox_id, due_at)
    SELECT id, clock_timestamp() + %(cost)s * interval '1 second' FROM mailboxes_mailbox WHERE id = %(mailbox)s
    ON CONFLICT (mailbox_id) DO UPDATE
    SET due_at = greatest(held.due_at, clock_timestamp()) + %(cost)s * interval '1 second'
    WHERE held.due_at <= clock_timestamp() + greatest(%(burst)s - %(cost)s, 0) * interval '1 second'
      AND (held.rests_until IS NULL OR held.rests_until <= clock_timestamp())
    RETURNING 0
"""
# Seconds until there is enough, and until the rest is over.
_WAIT = """
    SELECT extract(epoch FROM due_at - clock_timestamp())::float8 - greatest(%(burst)s - %(cost)s, 0),
           extract(epoch FROM rests_until - clock_timestamp())::float8
    FROM mailboxes_mailboxallowance WHERE mailbox_id = %(mailbox)s
"""
_LOOK = """
    SELECT extract(epoch FROM rests_until - clock_timestamp())::float8
    FROM mailboxes_mailboxallowance WHERE mailbox_id = %s
"""
_REST = """
    INSERT INTO mailboxes_mailboxallowance AS held (mailbox_id, due_at, rests_until)
    SELECT id, clock_timestamp(), clock_timestamp() + %(seconds)s * interval '1 second'
    FROM mailboxes_mailbox WHERE id = %(mailbox)s AND provider = ANY(%(providers)s)
    ON CONFLICT (mailbox_id) DO UPDATE SET rests_until = greatest(held.rests_until, excluded.rests_until)
"""


@dataclass(slots=True)
class MailboxUnits:
    """providers.base.Allowance of one mailbox. `use` says how much of it may be used at once."""

    mailbox_id: UUID
    units_a_minute: float
    use: Use = "session"
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep
    _gathered: float = field(default=0.0, init=False)
    _rests_until: float = field(default=0.0, init=False)  # of what this one was told itself; by the monotonic clock
    _looked_at: float = field(default=0.0, init=False)

    async def take(self, units: float) -> None:
        """Pay, and wait a little if there is too little left; raise AllowanceUsed when that would take long."""
        together = self._gathered + units
        if units <= self.units_a_minute * SMALL_SHARE and together <= self.units_a_minute * GATHERED_SHARE:
            await self._wait(self._look)
            self._gathered += units
            return
        gathered, self._gathered = self._gathered, 0.0
        try:
            await self._wait(lambda: self._take(units + gathered))
        except BaseException:
            self._gathered += gathered  # that was used, whatever becomes of this request
            raise

    async def rest(self, seconds: float) -> None:
        """The provider asked to be left alone for so long: nobody asks it for anything of this mailbox until then."""
        self._rests_until = max(self._rests_until, monotonic() + seconds)  # for who asks while it is written down
        writing = asyncio.create_task(in_thread(rest, self.mailbox_id, seconds))
        try:
            await asyncio.shield(writing)
        except asyncio.CancelledError:  # by the refusal of what was asked beside it: other processes must know first
            await asyncio.wait({writing})
            raise

    async def _wait(self, ask: Callable[[], float]) -> None:
        """Until that answers with no seconds more."""
        waited = 0.0
        while (seconds := await self._seconds(ask)) > 0:
            if waited + seconds > LONGEST_WAIT_SECONDS:
                raise AllowanceUsed(retry_after_seconds=seconds)
            await self.sleep(seconds)
            waited += seconds

    async def _seconds(self, ask: Callable[[], float]) -> float:
        own = self._rests_until - monotonic()
        if own > 0:
            return own
        if ask == self._look and monotonic() < self._looked_at + LOOKED_SECONDS:
            return 0.0
        looked_at = monotonic()
        seconds = await in_thread(ask)
        if seconds <= 0:
            self._looked_at = looked_at
        return max(seconds, self._rests_until - monotonic())

    def _look(self) -> float:
        """Seconds until the provider may be asked again."""
        with connection.cursor() as cursor:
            cursor.execute(_LOOK, [self.mailbox_id])
            row = cursor.fetchone()
        return float(row[0] or 0.0) if row is not None else 0.0

    def _take(self, units: float) -> float:
        """Seconds until there is enough and the provider may be asked; 0 when it is paid for, or the mailbox gone."""
        asked: dict[str, UUID | float] = {
            "mailbox": self.mailbox_id,
            "cost": units / (self.units_a_minute * STEADY_SHARE / 60),
            "burst": AT_ONCE_SHARE[self.use] / STEADY_SHARE * 60,
        }
        with connection.cursor() as cursor:
            cursor.execute(_TAKE, asked)
            if cursor.fetchone() is not None:
                return 0.0
            cursor.execute(_WAIT, asked)
            row = cursor.fetchone()
        return max(float(row[0]), float(row[1] or 0.0), 0.01) if row is not None else 0.0


def allowance_of(mailbox: Mailbox, use: Use = "session") -> MailboxUnits | None:
    """The mailbox's allowance; None where its provider counts none."""
    try:
        units = registry.provider(mailbox.provider).capabilities.units_a_minute
    except Unsupported:  # of a provider that this release does not have; who opens the mailbox says so
        return None
    return MailboxUnits(mailbox.pk, units, use) if units is not None else None


def counting_providers() -> list[str]:
    """Those that allow a mailbox so many units a minute."""
    return [name for name, one in registry.PROVIDERS.items() if one.capabilities.units_a_minute is not None]


def rest(mailbox_id: UUID, seconds: float) -> None:
    """Let nobody ask the provider for anything of this mailbox for so long, if it is one that counts."""
    with connection.cursor() as cursor:
        cursor.execute(_REST, {"mailbox": mailbox_id, "seconds": seconds, "providers": counting_providers()})


def rest_untold(mailbox_id: UUID, error: Throttled, seconds: float) -> None:
    """Where the provider said no time, everybody waits as long as who was refused; a time is told by who heard it."""
    if error.retry_after_seconds is None and not isinstance(error, AllowanceUsed):
        rest(mailbox_id, seconds)
