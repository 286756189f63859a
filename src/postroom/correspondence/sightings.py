"""Messages seen and not kept: keyed hashes to find them by, and the wants that records have for them (DESIGN.md 5).

A hash is HMAC-SHA-256 with a key of the workspace, cut to 128 bits: who steals the table learns no address from it.
Its 16 octets are a uuid to PostgreSQL.
"""

from __future__ import annotations

import hmac
import struct
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cache, lru_cache
from typing import Any
from uuid import UUID

from psycopg import Connection

from postroom.correspondence.models import Sighting
from postroom.correspondence.rows import Table, find_rows
from postroom.engine.store import Wanted
from postroom.workspaces.ids import new_row_id
from postroom.workspaces.keys import workspace_key

PURPOSE = "sightings"
_UUID_OID = 2950
_SIXTEEN_OCTETS = struct.pack(">i", 16)


@dataclass(frozen=True, slots=True)
class Sighted:
    """A message to be passed over: where it lies, and all that is kept of it. `size` in octets."""

    remote_id: str
    at: datetime
    size: int
    hashes: Sequence[bytes]
    is_wanted: bool = False


@dataclass(frozen=True, slots=True)
class Place:
    """A folder with what it belongs to."""

    workspace_id: UUID
    mailbox_id: UUID
    folder_id: UUID


def address_hashes(workspace_id: UUID, keys: Iterable[str]) -> list[bytes]:
    """The hashes of address keys (mail/address.py)."""
    secret = workspace_key(workspace_id, PURPOSE)
    return [_address_hash(secret, key) for key in keys]


def reference_hashes(workspace_id: UUID, refs: Iterable[UUID]) -> list[bytes]:
    """The hashes of message ids, given as reference keys (mail/mime/identity.py)."""
    secret = workspace_key(workspace_id, PURPOSE)
    return [_reference_hash(secret, ref.int) for ref in refs]


@lru_cache(maxsize=10_000)  # the same people write again and again
def _address_hash(secret: bytes, key: str) -> bytes:
    return _hash(secret, b"address:" + key.encode("utf-8", "replace"))


@lru_cache(maxsize=10_000)  # each message of a thread names those before it again
def _reference_hash(secret: bytes, ref: int) -> bytes:
    return _hash(secret, b"ref:" + ref.to_bytes(16, "big"))


def _hash(secret: bytes, value: bytes) -> bytes:
    return hmac.digest(secret, value, "sha256")[:16]


def hashes_of(workspace_id: UUID, keys: Iterable[str], refs: Iterable[UUID]) -> list[bytes]:
    """What a message is found by when it is passed over: each of its addresses and references once."""
    hashes = address_hashes(workspace_id, [key for key in keys if key]) + reference_hashes(workspace_id, refs)
    return list(dict.fromkeys(hashes))


def save(connection: Connection[Any], place: Place, sighted: Sequence[Sighted]) -> None:
    """Store sightings of one folder; none of their remote ids may have one. Wakes the mailbox if any is wanted."""
    table = _table()
    row = table.row
    table.copy(
        connection,
        [
            row(
                id=new_row_id(),
                workspace_id=place.workspace_id,
                mailbox_id=place.mailbox_id,
                folder_id=place.folder_id,
                remote_id=one.remote_id,
                at=one.at,
                size=one.size,
                hashes=_uuid_array(one.hashes),
                is_wanted=one.is_wanted,
            )
            for one in sighted
        ],
    )
    if any(one.is_wanted for one in sighted):
        _wake(connection, place.mailbox_id)


@cache
def _table() -> Table:
    return Table(Sighting, encoded=["hashes"])


def _uuid_array(hashes: Sequence[bytes]) -> bytes:
    """uuid[] in binary (array_send in PostgreSQL's arrayfuncs.c), at a quarter of what psycopg takes item by item."""
    dimensions = 1 if hashes else 0
    header = struct.pack(">iiI", dimensions, 0, _UUID_OID)
    return (
        header
        + (struct.pack(">ii", len(hashes), 1) if hashes else b"")
        + b"".join([_SIXTEEN_OCTETS + one for one in hashes])
    )


def forget(connection: Connection[Any], folder_id: UUID, remote_ids: Sequence[str]) -> None:
    """Delete the sightings of messages of a folder."""
    found = find_rows(connection, "id", "correspondence_sighting", ("folder_id", folder_id), "remote_id", remote_ids)
    if found:
        ids = [row[0] for row in found]
        connection.execute("DELETE FROM correspondence_sighting WHERE id = ANY(%s::uuid[])", [ids])


def want(connection: Connection[Any], workspace_id: UUID, hashes: Sequence[bytes]) -> list[tuple[UUID, UUID, str]]:
    """Mark the sightings that carry one of the hashes, wake their mailboxes; (mailbox, folder, remote id) of each."""
    if not hashes:
        return []
    rows = connection.execute(
        "UPDATE correspondence_sighting SET is_wanted = true"
        " WHERE workspace_id = %s AND hashes && %s::uuid[] AND NOT is_wanted"
        " RETURNING mailbox_id, folder_id, remote_id",
        [workspace_id, "{" + ",".join([one.hex() for one in hashes]) + "}"],
    ).fetchall()
    for mailbox_id in {row[0] for row in rows}:
        _wake(connection, mailbox_id)
    return [(mailbox_id, folder_id, remote_id) for mailbox_id, folder_id, remote_id in rows]


def wanted(connection: Connection[Any], mailbox_id: UUID, limit: int) -> list[Wanted]:
    """The newest wanted sightings of folders that are synced."""
    rows = connection.execute(
        "SELECT sighting.folder_id, folder.remote_name, sighting.remote_id, sighting.size"
        " FROM correspondence_sighting sighting JOIN mailboxes_folder folder ON folder.id = sighting.folder_id"
        " WHERE sighting.mailbox_id = %s AND sighting.is_wanted AND folder.is_synced"
        " ORDER BY sighting.at DESC LIMIT %s",
        [mailbox_id, limit],
    ).fetchall()
    return by_folder(rows)


def by_folder(rows: Iterable[tuple[UUID, str, str, int]]) -> list[Wanted]:
    """(folder id, its remote name, remote id, size) of messages, put together folder by folder in their order."""
    found: dict[tuple[UUID, str], list[tuple[str, int]]] = {}
    for folder_id, remote_name, remote_id, size in rows:
        found.setdefault((folder_id, remote_name), []).append((remote_id, size))
    return [
        Wanted(folder_id, remote_name, tuple(remote_id for remote_id, _ in ids), tuple(size for _, size in ids))
        for (folder_id, remote_name), ids in found.items()
    ]


def want_threads(connection: Connection[Any], workspace_id: UUID, thread_ids: Iterable[UUID]) -> None:
    """Want what was passed over and belongs to one of the threads."""
    rows = connection.execute(
        "SELECT ref FROM correspondence_threadref WHERE thread_id = ANY(%s::uuid[])", [list(thread_ids)]
    ).fetchall()
    want(connection, workspace_id, reference_hashes(workspace_id, (ref for (ref,) in rows)))


def _wake(connection: Connection[Any], mailbox_id: UUID) -> None:
    """Tell the worker that has the mailbox, on commit, to fetch what is wanted."""
    connection.execute("SELECT pg_notify('postroom_wake', %s)", [str(mailbox_id)])
