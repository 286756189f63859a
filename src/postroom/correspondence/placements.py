"""Where messages sit: placements that end. Messages and filings never go with them (models.py, Placement)."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any
from uuid import UUID

from psycopg import Connection

from postroom.correspondence.models import Placement
from postroom.correspondence.rows import table_of
from postroom.correspondence.sightings import Place
from postroom.engine.store import Match
from postroom.workspaces.ids import new_row_id


def place_matches(connection: Connection[Any], place: Place, matches: Sequence[Match]) -> None:
    """Give stored messages a placement in a folder, in which none has one under its remote id."""
    table = table_of(Placement)
    table.copy(
        connection,
        [
            table.row(
                id=new_row_id(),
                workspace_id=place.workspace_id,
                mailbox_id=place.mailbox_id,
                folder_id=place.folder_id,
                message_id=match.message_id,
                remote_id=match.listed.remote_id,
                flags=list(match.listed.flags),
                size=match.listed.size,
                received_at=match.received_at,
                removed_at=None,
            )
            for match in matches
        ],
    )


def forget_removed(connection: Connection[Any], mailbox_id: UUID, message_ids: Iterable[UUID]) -> None:
    """Delete marked placements of messages that the mailbox has elsewhere, and all but one where it has none."""
    message_ids = list(message_ids)
    if not message_ids:
        return
    connection.execute(
        "DELETE FROM correspondence_placement gone USING correspondence_placement other"
        " WHERE gone.message_id = ANY(%s::uuid[]) AND gone.mailbox_id = %s AND gone.removed_at IS NOT NULL"
        " AND other.message_id = gone.message_id AND other.mailbox_id = gone.mailbox_id"
        " AND (other.removed_at IS NULL OR other.id > gone.id)",
        [message_ids, mailbox_id],
    )


def empty_folder(connection: Connection[Any], mailbox_id: UUID, folder_id: UUID) -> None:
    """Mark everything that sits in a folder as removed and forget what was passed over there."""
    gone = connection.execute(
        "UPDATE correspondence_placement SET removed_at = now()"
        " WHERE folder_id = %s AND removed_at IS NULL RETURNING message_id",
        [folder_id],
    ).fetchall()
    forget_removed(connection, mailbox_id, (message_id for (message_id,) in gone))
    connection.execute("DELETE FROM correspondence_sighting WHERE folder_id = %s", [folder_id])


def void_remote_ids(connection: Connection[Any], folder_id: UUID) -> None:
    """Free the remote ids of what sits in a folder and leave it there: no listing will ever show it as present."""
    connection.execute(
        "UPDATE correspondence_placement SET remote_id = 'void.' || id WHERE folder_id = %s AND removed_at IS NULL",
        [folder_id],
    )
