"""A Procrastinate worker inside one of our processes."""

from __future__ import annotations

import asyncio
import logging
import random
import time
from collections.abc import Sequence

from procrastinate import PsycopgConnector
from procrastinate.contrib.django import app

from postroom.engine.outage import is_outage, pause_seconds
from postroom.workspaces.database import connection_parameters

log = logging.getLogger(__name__)

HEARTBEAT_SECONDS = 3.0
SETTLED_SECONDS = 60.0


async def work_on(queues: Sequence[str], *, concurrency: int, name: str) -> None:
    """Work on these queues until cancelled; start again when a side task failed (PostgreSQL restarted, say).

    The worker has an app of its own with an asynchronous connector; Django's app goes on deferring jobs from threads.
    """
    failures = 0
    while True:
        started = time.monotonic()
        worker_app = app.with_connector(PsycopgConnector(kwargs=connection_parameters(), min_size=1, max_size=4))
        try:
            async with worker_app.open_async():
                await worker_app.run_worker_async(
                    queues=queues,
                    concurrency=concurrency,
                    name=name,
                    install_signal_handlers=False,
                    fetch_job_polling_interval=2,
                    update_heartbeat_interval=HEARTBEAT_SECONDS,
                    stalled_worker_timeout=5 * HEARTBEAT_SECONDS,
                    shutdown_graceful_timeout=2,
                    delete_jobs="successful",
                )
            return
        except Exception as error:  # a supervisor: whatever ended the worker, it has to live again
            failures = 1 if time.monotonic() - started > SETTLED_SECONDS else failures + 1
            if not is_outage_below(error):
                log.exception("the job worker stopped; it starts again")
            elif failures == 1:
                log.warning("the job worker waits for the database")
        await asyncio.sleep(pause_seconds(failures, random.random()))  # noqa: S311  jitter


def is_outage_below(error: BaseException) -> bool:
    """Whether the database is away, however the library wraps what it was told: ConnectorException, groups of tasks."""
    if isinstance(error, BaseExceptionGroup):
        return all(map(is_outage_below, error.exceptions))
    return is_outage(error) or (error.__cause__ is not None and is_outage_below(error.__cause__))
