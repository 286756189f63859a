"""What a provider allows a mailbox a minute (Capabilities.units_a_minute), shared by every process that asks for it.

A leaky bucket by its theoretical arrival time (GCRA, ITU-T I.371), as engine/limiter.py has it, in a row: one number
that one statement moves by the database's clock. Three quarters of the minute flow steadily; the last quarter is what
may be used at once, so that no minute ever holds more than is allowed. An import stops short of that: it leaves room
for new mail and for what people send, however much it still has to read.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Final, Literal
from uuid import UUID

from django.db import connection

from postroom.mailboxes.models import Mailbox
from postroom.providers import registry
from postroom.providers.errors import AllowanceUsed, Throttled, Unsupported
from postroom.workspaces.database import in_thread

Use = Literal["session", "import"]

LONGEST_WAIT_SECONDS = 2.0  # that is sat out; who has to wait longer does something else meanwhile
SMALL_UNITS = 5.0  # a listing: paid with the next larger request, for a statement costs more than it saves
MOST_GATHERED = 50.0
STEADY_SHARE: Final = 0.75
AT_ONCE_SHARE: Final[dict[Use, float]] = {"session": 0.25, "import": 1 / 6}  # the latter is 50 messages of Gmail

# Costs and bursts in seconds of the steady flow. What costs more than a burst has to find the bucket empty.
_TAKE = """
    INSERT INTO mailboxes_mailboxallowance AS held (mailbox_id, due_at)
    SELECT id, clock_timestamp() + %(cost)s * interval '1 second' FROM mailboxes_mailbox WHERE id = %(mailbox)s
    ON CONFLICT (mailbox_id) DO UPDATE
    SET due_at = greatest(held.due_at, clock_timestamp()) + %(cost)s * interval '1 second'
    WHERE held.due_at <= clock_timestamp() + greatest(%(burst)s - %(cost)s, 0) * interval '1 second'
    RETURNING 0
"""
_WAIT = """
    SELECT extract(epoch FROM due_at - clock_timestamp())::float8 - greatest(%(burst)s - %(cost)s, 0)
    FROM mailboxes_mailboxallowance WHERE mailbox_id = %(mailbox)s
"""
_REST = """
    UPDATE mailboxes_mailboxallowance SET due_at = greatest(due_at, clock_timestamp() + %s * interval '1 second')
    WHERE mailbox_id = %s
"""


@dataclass(slots=True)
class MailboxUnits:
    """providers.base.Allowance of one mailbox. `use` says how much of it may be used at once."""

    mailbox_id: UUID
    units_a_minute: float
    use: Use = "session"
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep
    _gathered: float = field(default=0.0, init=False)

    async def take(self, units: float) -> None:
        """Pay, and wait a little if there is too little left; raise AllowanceUsed when that would take long."""
        if units <= SMALL_UNITS and self._gathered + units <= MOST_GATHERED:
            self._gathered += units
            return
        gathered, self._gathered = self._gathered, 0.0
        try:
            await self._pay(units + gathered)
        except BaseException:
            self._gathered += gathered  # that was used, whatever becomes of this request
            raise

    async def _pay(self, units: float) -> None:
        waited = 0.0
        while (seconds := await in_thread(self._take, units)) > 0:
            if waited + seconds > LONGEST_WAIT_SECONDS:
                raise AllowanceUsed(retry_after_seconds=seconds)
            await self.sleep(seconds)
            waited += seconds

    def _take(self, units: float) -> float:
        """Seconds until there is enough; 0 when it is paid for, or the mailbox is gone."""
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
            return max(float(row[0]), 0.01) if row is not None else 0.0


def allowance_of(mailbox: Mailbox, use: Use = "session") -> MailboxUnits | None:
    """The mailbox's allowance; None where its provider counts none."""
    try:
        units = registry.provider(mailbox.provider).capabilities.units_a_minute
    except Unsupported:  # of a provider that this release does not have; who opens the mailbox says so
        return None
    return MailboxUnits(mailbox.pk, units, use) if units is not None else None


def rest(mailbox_id: UUID, error: Throttled) -> None:
    """The provider itself asked for patience: nobody asks it for anything of this mailbox until then."""
    if error.retry_after_seconds is None or isinstance(error, AllowanceUsed):
        return
    burst = AT_ONCE_SHARE["session"] / STEADY_SHARE * 60
    with connection.cursor() as cursor:
        cursor.execute(_REST, [error.retry_after_seconds + burst, mailbox_id])
