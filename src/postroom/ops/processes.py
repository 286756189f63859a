"""The processes of Postroom: `python -m postroom.ops.processes web|worker|importer`. bin/up runs them all.

web       pages, API and event streams (uvicorn)
worker    mailbox sessions, and the light jobs: sends, looks, rescue
importer  first imports, one slice after the other
"""

from __future__ import annotations

import asyncio
import contextlib
import ctypes
import logging
import os
import random
import resource
import signal
import sys
from collections.abc import Coroutine
from multiprocessing import current_process
from typing import Any
from uuid import UUID

import django
import uvloop

from postroom.ops import log_format

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "postroom.config.settings")

log = logging.getLogger(__name__)

WAKE_ALL_SECONDS = 20.0  # in which all mailboxes are looked at after hints may have been lost
LARGE_BUFFER_OCTETS = 128 * 1024
_M_MMAP_THRESHOLD = -3  # malloc.h
IMPORTER_NICENESS = 5  # so that a first import takes what sessions and pages leave of the processors


def main(arguments: list[str]) -> int:
    kinds = {"web": web, "worker": worker, "importer": importer}
    if len(arguments) != 1 or arguments[0] not in kinds:
        print("usage: python -m postroom.ops.processes web|worker|importer", file=sys.stderr)
        return 2
    os.environ["POSTROOM_POOL"] = "1"  # for config/database.py
    current_process().name = arguments[0]  # for the log
    django.setup()
    sys.excepthook = log_format.log_uncaught
    kinds[arguments[0]]()
    return 0


def web() -> None:
    from postroom.ops.web_server import WebServer

    WebServer().run()


def worker() -> None:
    _run(_worker())


def importer() -> None:
    from postroom.engine.importer import collect_garbage_seldom
    from postroom.ops.job_worker import work_on
    from postroom.ops.presence import be_seen

    collect_garbage_seldom()
    os.nice(IMPORTER_NICENESS)

    async def seen_at_work() -> None:
        async with asyncio.TaskGroup() as group:
            group.create_task(be_seen("imports"))
            group.create_task(work_on(["import"], concurrency=1, name="importer"))

    _run(seen_at_work())


def open_many_files() -> None:
    """Each mailbox has a socket; the soft limit of a login is 1,024."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))


def keep_large_buffers_apart() -> None:
    """Have glibc map each large buffer by itself, and unmap it when it is freed; no-op with another C library.

    uvloop holds a buffer of 256 kB for each TLS connection, of which it uses a page or two. Mapped, it costs just
    these. But glibc stops mapping such buffers when the first of them was freed (mallopt(3), "dynamic mmap threshold")
    and cuts them from the heap, over pages that other things have left there: measured as 7 of 62 kB for each idle
    mailbox. To set the threshold is to keep it.
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:
        mallopt(_M_MMAP_THRESHOLD, LARGE_BUFFER_OCTETS)


def _run(main_coroutine: Coroutine[Any, Any, None]) -> None:
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.get_loop().set_exception_handler(log_format.log_loop_error)
        runner.run(_until_signal(main_coroutine))


async def _until_signal(work: Coroutine[Any, Any, None]) -> None:
    """Run until SIGTERM or SIGINT, then cancel and let it clean up."""
    task = asyncio.ensure_future(work)
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, task.cancel)
    with contextlib.suppress(asyncio.CancelledError):
        await task


async def _worker() -> None:
    from postroom.engine.joints import joints
    from postroom.engine.stores import StoreThreads
    from postroom.engine.supervisor import Supervisor
    from postroom.engine.world import World
    from postroom.mailboxes.completeness import MailboxProofs
    from postroom.mailboxes.health import MailboxHealth
    from postroom.mailboxes.journal import MailboxJournal
    from postroom.mailboxes.ownership import PostgresOwnership
    from postroom.ops.job_worker import work_on

    open_many_files()
    keep_large_buffers_apart()
    stores = StoreThreads(joints().store)
    world = World(
        stores,
        MailboxHealth(),
        journal=MailboxJournal(),
        proofs=MailboxProofs(),
        count_sessions=lambda: len(supervisor),
    )
    supervisor = Supervisor(world, PostgresOwnership())
    try:
        async with asyncio.TaskGroup() as group:
            group.create_task(supervisor.run())
            group.create_task(_listen(supervisor))
            group.create_task(work_on(["light"], concurrency=20, name="worker"))
    finally:
        stores.close()


async def _listen(supervisor: Any) -> None:
    """Hints by NOTIFY: look at this mailbox, poll it, a mailbox is free. After every reconnect all are looked at."""
    import psycopg

    from postroom.engine.outage import pause_seconds
    from postroom.workspaces.database import connection_parameters
    from postroom.workspaces.events import ARRIVED, WAKE

    failures = 0
    while True:
        try:
            async with await psycopg.AsyncConnection.connect(**connection_parameters(), autocommit=True) as connection:
                await connection.execute(f"LISTEN {WAKE}")
                await connection.execute(f"LISTEN {ARRIVED}")
                await connection.execute("LISTEN mailbox_free")
                if failures:  # the first time every session looks by itself
                    supervisor.wake_all(WAKE_ALL_SECONDS)
                failures = 0
                supervisor.beat_now()
                async for notification in connection.notifies():
                    if notification.channel == WAKE:
                        supervisor.wake(UUID(notification.payload))
                    elif notification.channel == ARRIVED:
                        supervisor.tell_arrived(UUID(notification.payload))
                    else:
                        supervisor.beat_now()
        except psycopg.Error as error:
            failures += 1
            if failures == 1:
                log.warning("the hints are interrupted: %s", type(error).__name__)
            await asyncio.sleep(pause_seconds(failures, random.random()))  # noqa: S311  jitter


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
