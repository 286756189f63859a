"""What is still to be imported, as slices; within the transaction the caller opened."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date, datetime
from typing import Any
from uuid import UUID

from psycopg import Connection

from postroom.correspondence.progress import count_out, finish_import
from postroom.correspondence.rows import table_of
from postroom.engine.store import Fenced, PlannedSlice, SliceState
from postroom.mailboxes.models import ImportSlice
from postroom.workspaces.ids import new_id


def save_plan(
    connection: Connection[Any],
    mailbox_id: UUID,
    epoch: int,
    cursors: Mapping[UUID, str],
    slices: Sequence[PlannedSlice],
    listed_since: Mapping[UUID, date],
    asked_until: datetime | None = None,
) -> tuple[UUID, ...]:
    """Add slices beside those that are open, with the cursors and the days from which folders are listed now.

    `asked_until` is stored with them: what was asked for by address is in the slices.
    """
    workspace_id = hold_mailbox(connection, mailbox_id, epoch)
    for folder_id, cursor in cursors.items():
        connection.execute(
            "UPDATE mailboxes_folder SET cursor = %s, version = version + 1 WHERE id = %s AND mailbox_id = %s",
            [cursor, folder_id, mailbox_id],
        )
    for folder_id, since in listed_since.items():
        connection.execute(
            "UPDATE mailboxes_folder SET listed_since = %s WHERE id = %s AND mailbox_id = %s",
            [since, folder_id, mailbox_id],
        )
    ids = add_slices(connection, workspace_id, mailbox_id, slices)
    connection.execute(
        "UPDATE mailboxes_mailbox SET import_planned_at = now(),"
        " import_started_at = coalesce(import_started_at, now()),"
        " asked_until = greatest(asked_until, %s::timestamptz) WHERE id = %s",  # greatest() passes NULLs over
        [asked_until, mailbox_id],
    )
    finish_import(connection, mailbox_id)
    connection.execute("SELECT pg_notify('postroom_events', %s)", [f"mailbox:{mailbox_id}"])
    return ids


def add_slices(
    connection: Connection[Any], workspace_id: UUID, mailbox_id: UUID, slices: Sequence[PlannedSlice]
) -> tuple[UUID, ...]:
    """Store slices and count them into the mailbox's import, which is on again; their ids in their order."""
    table = table_of(ImportSlice)
    ids = tuple(new_id() for _ in slices)
    table.copy(
        connection,
        [
            table.row(
                id=slice_id,
                workspace_id=workspace_id,
                mailbox_id=mailbox_id,
                folder_id=planned.folder_id,
                position=planned.position,
                remote_ids=list(planned.remote_ids),
                sizes=list(planned.sizes),
                done_count=0,
                is_done=not planned.remote_ids,
                failures=0,
                not_before=None,
            )
            for slice_id, planned in zip(ids, slices, strict=True)
        ],
    )
    if any(planned.remote_ids for planned in slices):
        connection.execute(
            "UPDATE mailboxes_mailbox SET import_finished_at = NULL,"
            " import_started_at = CASE WHEN import_finished_at IS NULL THEN import_started_at ELSE now() END,"
            " done_before = CASE WHEN import_finished_at IS NULL THEN done_before ELSE done_count END,"
            " octets_before = CASE WHEN import_finished_at IS NULL THEN octets_before ELSE done_octets END,"
            " listed_count = listed_count + %s, listed_octets = listed_octets + %s WHERE id = %s",
            [sum(len(one.remote_ids) for one in slices), sum(sum(one.sizes) for one in slices), mailbox_id],
        )
    return ids


def drop_slices(connection: Connection[Any], mailbox_id: UUID, folder_ids: Sequence[UUID]) -> frozenset[UUID]:
    """Drop what is open of some folders and count it out of the import; the folders that had something open."""
    dropped = connection.execute(
        "DELETE FROM mailboxes_importslice WHERE mailbox_id = %s AND folder_id = ANY(%s::uuid[]) AND NOT is_done"
        " RETURNING folder_id, cardinality(remote_ids) - done_count,"
        " (SELECT coalesce(sum(size), 0)::bigint FROM unnest(sizes[done_count + 1:]) size)",
        [mailbox_id, list(folder_ids)],
    ).fetchall()
    if dropped:
        messages, octets = sum(count for _, count, _ in dropped), sum(one for *_, one in dropped)
        count_out(connection, mailbox_id, messages, octets)
    return frozenset(folder_id for folder_id, *_ in dropped)


def find_slice(connection: Connection[Any], slice_id: UUID) -> SliceState | None:
    row = connection.execute(
        "SELECT slice.id, slice.mailbox_id, slice.folder_id, folder.remote_name, slice.remote_ids, slice.sizes,"
        " slice.done_count, mailbox.keep = 'everything' FROM mailboxes_importslice slice"
        " JOIN mailboxes_folder folder ON folder.id = slice.folder_id"
        " JOIN mailboxes_mailbox mailbox ON mailbox.id = slice.mailbox_id"
        " WHERE slice.id = %s AND NOT slice.is_done AND mailbox.paused_at IS NULL AND mailbox.reads",
        [slice_id],
    ).fetchone()
    if row is None:
        return None
    slice_id, mailbox_id, folder_id, remote_name, remote_ids, sizes, done_count, keeps_everything = row
    remote_ids, sizes = tuple(remote_ids), tuple(sizes)
    return SliceState(slice_id, mailbox_id, folder_id, remote_name, remote_ids, sizes, done_count, keeps_everything)


def hold_mailbox(connection: Connection[Any], mailbox_id: UUID, epoch: int) -> UUID:
    """Keep the mailbox ours until the end of the transaction; its workspace. Raises Fenced."""
    row = connection.execute(
        "SELECT workspace_id FROM mailboxes_mailbox WHERE id = %s AND epoch = %s FOR NO KEY UPDATE", [mailbox_id, epoch]
    ).fetchone()
    if row is None:
        raise Fenced
    workspace_id: UUID = row[0]
    return workspace_id
