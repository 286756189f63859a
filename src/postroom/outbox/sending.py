"""Sends one submission: what the job `send_submission` does."""

from __future__ import annotations

from uuid import UUID

from postroom.engine.sending import SendingDriver
from postroom.outbox.claims import SendDesk
from postroom.sync import sending as steps


async def send(submission_id: UUID) -> steps.Outcome | None:
    """Try once. Returns the outcome, which is stored already; None when it was not queued, not due or is another's.

    A submission found in `sending` or `in_doubt` is left alone here: rescue.py decides about claims of the dead,
    resolve.py about doubts. Errors of the provider end as outcomes and are never raised.
    """
    return await SendingDriver(SendDesk(submission_id)).run(steps.send())
