"""Messages seen and not kept: keyed hashes to find them by, and the wants that records have for them (DESIGN.md 5).

A hash is HMAC-SHA-256 with a key of the workspace, cut to 128 bits: who steals the table learns no address from it.
"""

from __future__ import annotations

import hmac
from collections.abc import Iterable, Sequence
from typing import Any
from uuid import UUID

from psycopg import Connection

from postroom.workspaces.keys import workspace_key

PURPOSE = "sightings"


def address_hashes(workspace_id: UUID, keys: Iterable[str]) -> list[UUID]:
    """The hashes of address keys (mail/address.py)."""
    secret = workspace_key(workspace_id, PURPOSE)
    return [_hash(secret, b"address:" + key.encode("utf-8", "replace")) for key in keys]


def reference_hashes(workspace_id: UUID, refs: Iterable[UUID]) -> list[UUID]:
    """The hashes of message ids, given as reference keys (mail/mime/identity.py)."""
    secret = workspace_key(workspace_id, PURPOSE)
    return [_hash(secret, b"ref:" + ref.bytes) for ref in refs]


def _hash(secret: bytes, value: bytes) -> UUID:
    return UUID(bytes=hmac.digest(secret, value, "sha256")[:16])


def want(connection: Connection[Any], workspace_id: UUID, hashes: Sequence[UUID]) -> list[tuple[UUID, UUID, str]]:
    """Mark the sightings that carry one of the hashes, wake their mailboxes; (mailbox, folder, remote id) of each."""
    if not hashes:
        return []
    rows = connection.execute(
        "UPDATE correspondence_sighting SET is_wanted = true"
        " WHERE workspace_id = %s AND hashes && %s AND NOT is_wanted RETURNING mailbox_id, folder_id, remote_id",
        [workspace_id, list(hashes)],
    ).fetchall()
    for mailbox_id in {row[0] for row in rows}:
        connection.execute("SELECT pg_notify('postroom_wake', %s)", [str(mailbox_id)])
    return [(mailbox_id, folder_id, remote_id) for mailbox_id, folder_id, remote_id in rows]
