"""How the coroutines of sending reach the database: blocking calls in a thread, and one clock, the database's."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import datetime
from typing import ParamSpec, TypeVar

from django.db import close_old_connections, connection

P = ParamSpec("P")
T = TypeVar("T")


async def in_thread(work: Callable[P, T], *args: P.args, **more: P.kwargs) -> T:
    """Run a blocking call on a thread; the connection is given up as CONN_MAX_AGE says, as after a web request."""

    def run() -> T:
        close_old_connections()
        try:
            return work(*args, **more)
        finally:
            close_old_connections()

    return await asyncio.to_thread(run)


def now() -> datetime:
    """The database's clock; inside a transaction the moment it began."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT now()")
        row = cursor.fetchone()
    assert row is not None
    moment: datetime = row[0]
    return moment
