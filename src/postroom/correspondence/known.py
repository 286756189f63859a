"""What is stored of a folder, as sync compares it with the server."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from psycopg import Connection

from postroom.engine.store import Known, KnownMessage

# Placements of an older release have neither size nor time of their own: those of the message stand in.
_PLACED = """
    SELECT placement.remote_id, placement.message_id, placement.flags, message.internet_message_id,
           CASE placement.size WHEN 0 THEN message.size ELSE placement.size END,
           coalesce(placement.received_at, message.at), message.subject, message.from_address
    FROM correspondence_placement placement JOIN correspondence_message message ON message.id = placement.message_id
    WHERE placement.folder_id = %s AND placement.removed_at IS NULL
"""
_PLAIN = "SELECT remote_id, message_id, flags FROM correspondence_placement WHERE folder_id = %s AND removed_at IS NULL"
_SIGHTED = "SELECT remote_id FROM correspondence_sighting WHERE folder_id = %s"
_PLANNED = """
    SELECT unnest(remote_ids[done_count + 1:]) FROM mailboxes_importslice WHERE folder_id = %s AND NOT is_done
"""


def known_messages(connection: Connection[Any], folder_id: UUID, *, for_matching: bool) -> Known:
    """Everything stored of one folder; what open slices will fetch counts as planned."""
    shared: dict[tuple[str, ...], tuple[str, ...]] = {}  # most messages have the same few flags

    def flags_of(flags: list[str]) -> tuple[str, ...]:
        return shared.setdefault(key := tuple(flags), key)

    messages = tuple(
        KnownMessage(remote_id, message_id, flags_of(flags), *identifying)
        for remote_id, message_id, flags, *identifying in connection.execute(
            _PLACED if for_matching else _PLAIN, [folder_id]
        )
    )
    return Known(messages, _remote_ids(connection, _SIGHTED, folder_id), _remote_ids(connection, _PLANNED, folder_id))


def known_remote_ids(connection: Connection[Any], folder_id: UUID) -> set[str]:
    """What need not be fetched: what is placed in the folder, and what was passed over and is not wanted."""
    rows = connection.execute(
        "SELECT remote_id FROM correspondence_placement WHERE folder_id = %(folder)s AND removed_at IS NULL"
        " UNION ALL"
        " SELECT remote_id FROM correspondence_sighting WHERE folder_id = %(folder)s AND NOT is_wanted",
        {"folder": folder_id},
    )
    return {remote_id for (remote_id,) in rows}


def _remote_ids(connection: Connection[Any], query: str, folder_id: UUID) -> frozenset[str]:
    return frozenset(remote_id for (remote_id,) in connection.execute(query, [folder_id]))
