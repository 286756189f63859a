"""What is stored of a folder, as sync compares it with the server."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from psycopg import Connection

from postroom.engine.store import Known, KnownMessage

# Placements of an older release have neither size nor time of their own: those of the message stand in.
_PLACED = """
    SELECT placement.remote_id, placement.message_id, placement.flags,
           CASE placement.size WHEN 0 THEN message.size ELSE placement.size END, message.internet_message_id,
           coalesce(placement.received_at, message.at), message.subject, message.from_address
    FROM correspondence_placement placement JOIN correspondence_message message ON message.id = placement.message_id
    WHERE placement.folder_id = %(folder)s AND placement.removed_at IS NULL
"""
_PLAIN = """
    SELECT remote_id, message_id, flags, size FROM correspondence_placement
    WHERE folder_id = %(folder)s AND removed_at IS NULL
"""
_SIGHTED = "SELECT remote_id, size, at FROM correspondence_sighting WHERE folder_id = %(folder)s"
_AMONG = " AND remote_id = ANY(%(remote_ids)s)"
_PLANNED = """
    SELECT remote_id FROM mailboxes_importslice, unnest(remote_ids[done_count + 1:]) remote_id
    WHERE folder_id = %(folder)s AND NOT is_done
"""


def known_messages(
    connection: Connection[Any], folder_id: UUID, *, for_matching: bool, remote_ids: Sequence[str] | None = None
) -> Known:
    """Everything stored of one folder, or of these remote ids; what open slices will fetch counts as planned.

    What is planned has no headers to be matched by, so of remote ids that are it is not asked `for_matching`.
    """
    shared: dict[tuple[str, ...], tuple[str, ...]] = {}  # most messages have the same few flags

    def flags_of(flags: list[str]) -> tuple[str, ...]:
        return shared.setdefault(key := tuple(flags), key)

    asked = {"folder": folder_id, "remote_ids": None if remote_ids is None else list(remote_ids)}
    among = "" if remote_ids is None else _AMONG
    # First, for a page that an importer saves meanwhile turns planned into placed: now it is both, else it was neither.
    planned = frozenset[str]()
    if remote_ids is None or not for_matching:
        planned = frozenset(remote_id for (remote_id,) in connection.execute(_PLANNED + among, asked))
    messages = tuple(
        KnownMessage(remote_id, message_id, flags_of(flags), *identifying)
        for remote_id, message_id, flags, *identifying in connection.execute(
            (_PLACED if for_matching else _PLAIN) + among, asked
        )
    )
    sighted: dict[str, int] = {}
    sighted_at: dict[str, datetime] = {}
    for remote_id, size, at in connection.execute(_SIGHTED + among, asked):
        sighted[remote_id] = size
        if for_matching:
            sighted_at[remote_id] = at
    return Known(messages, sighted, sighted_at, planned)
