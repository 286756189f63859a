"""A process without sessions says that it lives and what it counted, and takes its row with it."""

from __future__ import annotations

import asyncio
import os
from contextlib import suppress

from postroom.engine.counters import counters
from postroom.mailboxes.models import Worker
from postroom.ops.presence import be_seen
from postroom.workspaces.database import in_thread


async def test_an_importer_is_seen_while_it_lives(transactional_db: None) -> None:
    counters.add("conflicts")
    task = asyncio.create_task(be_seen("imports"))
    while not (rows := await in_thread(lambda: list(Worker.living()))):
        await asyncio.sleep(0.02)
    assert [row.kind for row in rows] == ["imports"] and rows[0].name.endswith(f" {os.getpid()}")
    assert rows[0].counters["conflicts"] >= 1
    task.cancel()
    with suppress(asyncio.CancelledError):
        await task
    assert not await in_thread(Worker.objects.exists)
