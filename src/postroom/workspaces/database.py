"""How code beside a web request reaches the database: connections of its own, threads, and one clock."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import Any, ParamSpec, TypeVar
from uuid import UUID

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


def connect(**parameters: Any) -> psycopg.Connection[Any]:
    """A connection beside the ORM's, committing each statement unless told otherwise."""
    return psycopg.connect(**connection_parameters() | parameters, autocommit=True)


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


def orm_connection() -> psycopg.Connection[Any]:
    """The psycopg connection under Django's, within whatever transaction that is in."""
    connection.ensure_connection()
    under: psycopg.Connection[Any] = connection.connection
    return under


def lock_workspace(connection: psycopg.Connection[Any], workspace_id: UUID, *, yields: bool = False) -> None:
    """Let one page of a workspace be written at a time, until the end of the transaction.

    This saves repeated work and keeps filing whole: a contact is added, or a mailbox taken away, either before a page
    or after it. The unique keys, not this lock, are what keeps rows single. Take it before any lock of a row, as
    pages do, else the two wait for each other.

    `yields` is for the pages of an import, which are large and many. The lock goes to whoever has waited longest, so
    those that yield queue for another one first: new mail then waits for the one page that is being written, and not
    for those of all importers that stand before it. PostgreSQL keeps a pair of numbers apart from a single one.
    """
    octets = workspace_id.bytes[8:]
    if yields:
        pair = [int.from_bytes(half, "big", signed=True) for half in (octets[:4], octets[4:])]
        connection.execute("SELECT pg_advisory_xact_lock(%s::int, %s::int)", pair)
    connection.execute("SELECT pg_advisory_xact_lock(%s)", [int.from_bytes(octets, "big", signed=True)])


def now() -> datetime:
    """The database's clock; inside a transaction the moment it began."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT now()")
        row = cursor.fetchone()
    assert row is not None
    moment: datetime = row[0]
    return moment
