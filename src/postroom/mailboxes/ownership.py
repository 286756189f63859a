"""Which worker runs which mailbox: worker rows with a heartbeat, mailboxes with an owner and an epoch.

Measured against perpetual jobs in prototypes.md 2. Only the database's clock is used.
"""

from __future__ import annotations

import json
import os
import socket
from collections.abc import Sequence
from typing import Any
from uuid import UUID

import psycopg

from postroom.engine import failpoints
from postroom.engine.counters import counters
from postroom.engine.supervisor import Dead
from postroom.mailboxes.models import Worker
from postroom.workspaces.database import connect
from postroom.workspaces.ids import new_id

DEAD_AFTER = f"interval '{Worker.DEAD_AFTER.total_seconds()} seconds'"

# Mailboxes with a session.
_RUNNING = "disconnected_at IS NULL AND paused_at IS NULL AND reads AND NOT awaits_start AND receiving_state <> 'off'"
_ALIVE = f"SELECT id FROM mailboxes_worker WHERE kind = 'sessions' AND seen_at > now() - {DEAD_AFTER}"


class PostgresOwnership:
    """engine.supervisor.Ownership on a connection of its own. Called from one thread at a time."""

    def __init__(self) -> None:
        self.id: UUID = new_id()
        self._connection: psycopg.Connection[Any] | None = None

    def join(self) -> None:
        self.id = new_id()
        self._run(
            "INSERT INTO mailboxes_worker (id, seen_at, name, kind, counters) VALUES (%s, now(), %s, 'sessions', '{}')",
            [self.id, f"{socket.gethostname()} {os.getpid()}"],
        )
        self._run("SELECT pg_notify('mailbox_free', '')", [])  # the others look at their shares at once

    def rejoin(self) -> Sequence[UUID]:
        before = self.id
        self.join()
        kept = self._run(
            "UPDATE mailboxes_mailbox SET worker_id = %s WHERE worker_id = %s RETURNING id", [self.id, before]
        )
        return [mailbox_id for (mailbox_id,) in kept]

    def beat(self) -> int:
        beaten = self._run(
            "UPDATE mailboxes_worker SET seen_at = now(), counters = %s"
            f" WHERE id = %s AND seen_at > now() - {DEAD_AFTER} RETURNING 1",
            [json.dumps(counters.counts()), self.id],
        )
        if not beaten:
            raise Dead
        self._run("DELETE FROM mailboxes_worker WHERE seen_at < now() - interval '1 hour'", [])
        [(mailboxes, workers, before_us)] = self._run(
            f"SELECT (SELECT count(*) FROM mailboxes_mailbox WHERE {_RUNNING}),"
            f" count(*), count(*) FILTER (WHERE id < %s) FROM ({_ALIVE}) alive",
            [self.id],
        )
        # What does not divide goes to the eldest workers, one each: shares differ by one mailbox and add up.
        each, rest = divmod(int(mailboxes), max(int(workers), 1))
        return each + (int(before_us) < rest)

    def claim(self, count: int) -> Sequence[tuple[UUID, int]]:
        claimed = self._run(
            f"""
            -- Picked once: as a subquery it may run for each mailbox, and gives others each time.
            WITH picked AS MATERIALIZED (
                SELECT id FROM mailboxes_mailbox
                WHERE {_RUNNING}
                  AND (worker_id IS NULL OR worker_id NOT IN ({_ALIVE}))
                ORDER BY created_at LIMIT %s FOR UPDATE SKIP LOCKED)
            UPDATE mailboxes_mailbox mailbox SET worker_id = %s, epoch = epoch + 1
            FROM picked WHERE mailbox.id = picked.id
            RETURNING mailbox.id, epoch
            """,
            [count, self.id],
        )
        failpoints.reach("claimed")
        return claimed

    def lost(self, mailbox_ids: Sequence[UUID]) -> Sequence[UUID]:
        if not mailbox_ids:
            return []
        mine = {row[0] for row in self._run("SELECT id FROM mailboxes_mailbox WHERE worker_id = %s", [self.id])}
        return [mailbox_id for mailbox_id in mailbox_ids if mailbox_id not in mine]

    def release(self, mailbox_ids: Sequence[UUID]) -> None:
        self._run(
            "UPDATE mailboxes_mailbox SET worker_id = NULL WHERE worker_id = %s AND id = ANY(%s) RETURNING 1",
            [self.id, list(mailbox_ids)],
        )
        self._run("SELECT pg_notify('mailbox_free', '')", [])

    def leave(self) -> None:
        self._run("UPDATE mailboxes_mailbox SET worker_id = NULL WHERE worker_id = %s RETURNING 1", [self.id])
        self._run("DELETE FROM mailboxes_worker WHERE id = %s RETURNING 1", [self.id])
        self._run("SELECT pg_notify('mailbox_free', '')", [])
        if self._connection is not None:
            self._connection.close()

    def _run(self, statement: str, parameters: list[object]) -> list[Any]:
        if self._connection is None or self._connection.closed:
            self._connection = connect()
        cursor = self._connection.execute(statement, parameters)
        return cursor.fetchall() if cursor.description else []
