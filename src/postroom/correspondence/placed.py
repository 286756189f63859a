"""Messages that are placed and not fetched: their id is the same in every folder of the mailbox (sync/placing.py)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from psycopg import Connection

from postroom.engine.store import Conflict, Match, Placed

# One look into a unique index for each id and folder; and for what left its last folder into the small index of those.
_FOUND = """
    SELECT DISTINCT ON (found.remote_id) found.remote_id, found.message_id,
           coalesce(found.received_at, message.at), found.size, found.flags,
           count(*) FILTER (WHERE found.removed_at IS NULL) OVER (PARTITION BY found.remote_id)
    FROM (
        SELECT placed.* FROM mailboxes_folder folder CROSS JOIN unnest(%(remote_ids)s::text[]) asked (remote_id)
        CROSS JOIN LATERAL (
            SELECT remote_id, message_id, received_at, size, flags, removed_at FROM correspondence_placement
            WHERE folder_id = folder.id AND remote_id = asked.remote_id AND removed_at IS NULL LIMIT 1) placed
        WHERE folder.mailbox_id = %(mailbox)s
        UNION ALL
        SELECT remote_id, message_id, received_at, size, flags, removed_at FROM correspondence_placement
        WHERE mailbox_id = %(mailbox)s AND removed_at IS NOT NULL AND remote_id = ANY(%(remote_ids)s::text[])
    ) found JOIN correspondence_message message ON message.id = found.message_id
    ORDER BY found.remote_id, found.removed_at NULLS FIRST
"""


def find_placed(connection: Connection[Any], mailbox_id: UUID, remote_ids: Sequence[str]) -> tuple[Placed, ...]:
    """The messages that the mailbox has under these ids in any folder, or had when they left its last one."""
    rows = connection.execute(_FOUND, {"mailbox": mailbox_id, "remote_ids": list(remote_ids)})
    return tuple(
        Placed(remote_id, message_id, received_at, size, tuple(flags), folders)
        for remote_id, message_id, received_at, size, flags, folders in rows
    )


def check_placed(connection: Connection[Any], mailbox_id: UUID, matches: Sequence[Match]) -> None:
    """Raise Conflict if the mailbox has one of the messages no longer.

    Its last record may have let go of it since it was found (filing/let_go.py): then it may not come back by its id
    alone, and the next look reads it anew, or only its header.
    """
    message_ids = {match.message_id for match in matches}
    rows = connection.execute(
        "SELECT DISTINCT message_id FROM correspondence_placement"
        " WHERE mailbox_id = %s AND message_id = ANY(%s::uuid[])",
        [mailbox_id, list(message_ids)],
    )
    if message_ids - {message_id for (message_id,) in rows}:
        raise Conflict
