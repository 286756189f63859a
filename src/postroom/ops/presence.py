"""The row of a process that runs no sessions: that it lives, and what it has counted.

Workers with sessions have theirs from mailboxes/ownership.py, which decides by it; nothing depends on this one.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import os
import socket
from uuid import UUID

from django.db import Error, connection

from postroom.engine.counters import counters
from postroom.mailboxes.models import Worker
from postroom.workspaces.database import in_thread
from postroom.workspaces.ids import new_id

log = logging.getLogger(__name__)

BEAT_SECONDS = 3.0


async def be_seen(kind: str) -> None:
    """Keep this process's row up to date, until cancelled."""
    row_id = new_id()
    try:
        while True:
            try:
                await in_thread(_beat, row_id, kind)
            except Error as error:  # PostgreSQL restarts: the next beat tells
                log.warning("this process could not say that it lives: %s", type(error).__name__)
            await asyncio.sleep(BEAT_SECONDS)
    finally:
        with contextlib.suppress(Error):  # then the row grows old, which says the same
            await in_thread(_leave, row_id)


def _beat(row_id: UUID, kind: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO mailboxes_worker (id, seen_at, name, kind, counters)"
            " VALUES (%(id)s, now(), %(name)s, %(kind)s, %(counters)s)"
            " ON CONFLICT (id) DO UPDATE SET seen_at = now(), counters = excluded.counters",
            {
                "id": row_id,
                "name": f"{socket.gethostname()} {os.getpid()}",
                "kind": kind,
                "counters": json.dumps(counters.counts()),
            },
        )


def _leave(row_id: UUID) -> None:
    Worker.objects.filter(pk=row_id).delete()
