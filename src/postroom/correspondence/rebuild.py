"""A renumbered folder, saved: what was found again is placed anew, in one transaction (sync/rebuilding.py)."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

from psycopg import Connection

from postroom.correspondence import holds, sightings
from postroom.correspondence.message_writer import MessageWriter
from postroom.correspondence.placements import empty_folder, forget_removed, place_matches, void_remote_ids
from postroom.correspondence.plan import add_slices, drop_slices, hold_mailbox
from postroom.correspondence.prepared_header import prepare_header
from postroom.correspondence.progress import finish_import
from postroom.engine.store import Conflict, Rebuild
from postroom.workspaces.database import lock_workspace


def save_rebuild(writer: MessageWriter, rebuild: Rebuild) -> tuple[UUID, ...]:
    """Save all of it within the open transaction; raises Fenced or Conflict. The ids of the slices in their order."""
    connection, workspace_id = writer.connection, writer.workspace_id
    lock_workspace(connection, workspace_id)
    hold_mailbox(connection, rebuild.mailbox_id, rebuild.epoch)
    _advance(connection, rebuild)
    drop_slices(connection, rebuild.mailbox_id, [rebuild.folder_id])
    wanted = _wanted(connection, rebuild.folder_id)
    _free_remote_ids(connection, rebuild)
    place_matches(connection, sightings.Place(workspace_id, rebuild.mailbox_id, rebuild.folder_id), rebuild.matches)
    forget_removed(connection, rebuild.mailbox_id, (match.message_id for match in rebuild.matches))
    _sight(writer, rebuild, wanted)
    ids = add_slices(connection, workspace_id, rebuild.mailbox_id, rebuild.slices)
    finish_import(connection, rebuild.mailbox_id)
    connection.execute("SELECT pg_notify('postroom_events', %s)", [f"mailbox:{rebuild.mailbox_id}"])
    return ids


def _advance(connection: Connection[Any], rebuild: Rebuild) -> None:
    """Move the cursor, count the renumbering, put or withdraw the question."""
    moved = connection.execute(
        "UPDATE mailboxes_folder SET cursor = %s, version = version + 1, swept_at = now(),"
        " rebuilds = CASE WHEN rebuilds_since > now() - interval '1 day' THEN rebuilds + 1 ELSE 1 END,"
        " rebuilds_since = CASE WHEN rebuilds_since > now() - interval '1 day' THEN rebuilds_since ELSE now() END"
        " WHERE id = %s AND mailbox_id = %s AND version = %s",
        [rebuild.cursor, rebuild.folder_id, rebuild.mailbox_id, rebuild.version],
    )
    if moved.rowcount != 1:
        raise Conflict
    if rebuild.hold is not None:
        holds.ask_owner(connection, rebuild.folder_id, rebuild.hold)
    else:
        holds.withdraw(connection, rebuild.folder_id)


def _free_remote_ids(connection: Connection[Any], rebuild: Rebuild) -> None:
    """Take away every earlier placement and sighting: the same remote ids may mean other messages from now on."""
    connection.execute(
        "DELETE FROM correspondence_placement"
        " WHERE folder_id = %s AND removed_at IS NULL AND message_id = ANY(%s::uuid[])",
        [rebuild.folder_id, [match.message_id for match in rebuild.matches]],
    )
    if rebuild.hold is not None:
        void_remote_ids(connection, rebuild.folder_id)
        connection.execute("DELETE FROM correspondence_sighting WHERE folder_id = %s", [rebuild.folder_id])
    else:
        empty_folder(connection, rebuild.mailbox_id, rebuild.folder_id)


def _wanted(connection: Connection[Any], folder_id: UUID) -> frozenset[tuple[datetime, int]]:
    """(time, size) of what a record wanted since: it is still wanted under its new remote id."""
    rows = connection.execute(
        "SELECT at, size FROM correspondence_sighting WHERE folder_id = %s AND is_wanted", [folder_id]
    )
    return frozenset((at, size) for at, size in rows)


def _sight(writer: MessageWriter, rebuild: Rebuild, wanted: frozenset[tuple[datetime, int]]) -> None:
    """Sight what was passed over; wanted as before, or since: a contact may have been added while headers were read."""
    headers = [prepare_header(header) for header in rebuild.passed_over]
    is_ours = rebuild.folder_id in writer.mailbox.sent_folder_ids
    chosen = writer.choose((), headers, is_ours=is_ours) if headers else frozenset()
    sightings.save(
        writer.connection,
        sightings.Place(writer.workspace_id, rebuild.mailbox_id, rebuild.folder_id),
        [
            header.sighted(
                writer.workspace_id,
                is_wanted=header.id in chosen or (header.new.received_at, header.new.size) in wanted,
            )
            for header in headers
        ],
    )
