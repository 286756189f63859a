"""How code beside a web request reaches the database: connections of its own, threads, and one clock."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import Any, ParamSpec, TypeVar

import psycopg
from django.db import close_old_connections, connection, connections

P = ParamSpec("P")
T = TypeVar("T")

# What only Django's own connections need.
_DJANGOS = ("cursor_factory", "context", "prepare_threshold", "pool")


def connection_parameters() -> dict[str, Any]:
    """Django's parameters for a psycopg connection of our own (prototypes.md 4)."""
    parameters = connections["default"].get_connection_params()
    return {name: value for name, value in parameters.items() if name not in _DJANGOS}


def connect() -> psycopg.Connection[Any]:
    """A connection beside the ORM's, committing each statement unless told otherwise."""
    return psycopg.connect(**connection_parameters(), autocommit=True)


@contextmanager
def borrowed_connection() -> Iterator[None]:
    """For a thread outside a request: start with a connection that works, and give it back at the end."""
    close_old_connections()
    try:
        yield
    finally:
        close_old_connections()


async def in_thread(work: Callable[P, T], *args: P.args, **more: P.kwargs) -> T:
    """Run a blocking call on a thread, with a borrowed connection."""
    return await asyncio.to_thread(borrowed_connection()(work), *args, **more)


def now() -> datetime:
    """The database's clock; inside a transaction the moment it began."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT now()")
        row = cursor.fetchone()
    assert row is not None
    moment: datetime = row[0]
    return moment
