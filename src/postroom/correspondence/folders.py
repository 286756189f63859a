"""A mailbox's folders and the plan of its import, as the engine loads and saves them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from psycopg import Connection

from postroom.correspondence.progress import finish_import
from postroom.correspondence.rows import table_of
from postroom.engine.store import Fenced, FolderState, MailboxState, PlannedSlice, SliceState
from postroom.mailboxes.models import ImportSlice
from postroom.providers.base import RemoteFolder
from postroom.workspaces.ids import new_id

_FOLDERS = (
    "SELECT id, remote_name, role, cursor, version, is_synced, identity, listed_since, swept_at, held_code, may_remove,"
    " CASE WHEN rebuilds_since > now() - interval '1 day' THEN rebuilds ELSE 0 END"
    " FROM mailboxes_folder WHERE mailbox_id = %s"
)


def load_mailbox(connection: Connection[Any], mailbox_id: UUID) -> MailboxState:
    row = connection.execute(
        "SELECT workspace_id, address, provider, keep, backfill_days, epoch, import_planned_at IS NOT NULL,"
        " failures, not_before"
        " FROM mailboxes_mailbox WHERE id = %s",
        [mailbox_id],
    ).fetchone()
    if row is None:
        raise Fenced
    workspace_id, address, provider, keep, backfill_days, epoch, is_planned, failures, not_before = row
    return MailboxState(
        id=mailbox_id,
        workspace_id=workspace_id,
        address=address,
        provider=provider,
        keep=keep,
        backfill_days=backfill_days,
        epoch=epoch,
        is_planned=is_planned,
        folders=tuple(FolderState(*folder) for folder in connection.execute(_FOLDERS + " ORDER BY id", [mailbox_id])),
        failures=failures,
        not_before=not_before,
    )


def save_folders(
    connection: Connection[Any], mailbox_id: UUID, epoch: int, listed: Sequence[RemoteFolder]
) -> tuple[FolderState, ...]:
    workspace_id = _hold(connection, mailbox_id, epoch)
    selectable = [folder for folder in listed if folder.is_selectable]
    for folder in selectable:
        connection.execute(
            "INSERT INTO mailboxes_folder"
            " (id, workspace_id, mailbox_id, remote_name, name, role, is_synced, cursor, version, identity,"
            "  held_code, held_facts, may_remove, rebuilds)"
            " VALUES (%s, %s, %s, %s, %s, %s, true, '', 0, '', '', '{}', false, 0)"
            " ON CONFLICT (mailbox_id, remote_name) DO UPDATE SET name = excluded.name, role = excluded.role,"
            " is_synced = true WHERE (mailboxes_folder.name, mailboxes_folder.role, mailboxes_folder.is_synced)"
            " IS DISTINCT FROM (excluded.name, excluded.role, true)",
            [new_id(), workspace_id, mailbox_id, folder.remote_name, folder.name, folder.role],
        )
    connection.execute(
        "UPDATE mailboxes_folder SET is_synced = false"
        " WHERE mailbox_id = %s AND is_synced AND remote_name <> ALL(%s::text[])",
        [mailbox_id, [folder.remote_name for folder in selectable]],
    )
    _void_slices(connection, mailbox_id)
    rows = connection.execute(_FOLDERS + " AND is_synced ORDER BY id", [mailbox_id])
    return tuple(FolderState(*row) for row in rows)


def _void_slices(connection: Connection[Any], mailbox_id: UUID) -> None:
    """Drop what is open of folders that are gone, else their import would never end.

    Without a cursor such a folder is planned anew should it come back, so nothing is lost by it.
    """
    dropped = connection.execute(
        "DELETE FROM mailboxes_importslice slice USING mailboxes_folder folder"
        " WHERE folder.id = slice.folder_id AND slice.mailbox_id = %s AND NOT folder.is_synced AND NOT slice.is_done"
        " RETURNING slice.folder_id",
        [mailbox_id],
    ).fetchall()
    if dropped:
        connection.execute(
            "UPDATE mailboxes_folder SET cursor = '', version = version + 1 WHERE id = ANY(%s::uuid[])",
            [list({folder_id for (folder_id,) in dropped})],
        )
        finish_import(connection, mailbox_id)


def save_plan(
    connection: Connection[Any],
    mailbox_id: UUID,
    epoch: int,
    cursors: dict[UUID, str],
    slices: Sequence[PlannedSlice],
    *,
    replaces: bool,
) -> tuple[UUID, ...]:
    """A plan replaces an older one whole, because what that one had left is in this one; or it adds new folders."""
    workspace_id = _hold(connection, mailbox_id, epoch)
    if replaces:
        connection.execute("DELETE FROM mailboxes_importslice WHERE mailbox_id = %s", [mailbox_id])
    for folder_id, cursor in cursors.items():
        connection.execute(
            "UPDATE mailboxes_folder SET cursor = %s, version = version + 1 WHERE id = %s AND mailbox_id = %s",
            [cursor, folder_id, mailbox_id],
        )
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
    total = sum(len(planned.remote_ids) for planned in slices)
    connection.execute(
        "UPDATE mailboxes_mailbox SET import_planned_at = now(),"
        " import_started_at = coalesce(import_started_at, now()),"
        " listed_count = CASE WHEN %(replaces)s THEN done_count ELSE listed_count END + %(total)s,"
        " import_finished_at = CASE WHEN %(total)s = 0"
        "  THEN coalesce(import_finished_at, CASE WHEN %(replaces)s THEN now() END) END WHERE id = %(mailbox)s",
        {"total": total, "mailbox": mailbox_id, "replaces": replaces},
    )
    connection.execute("SELECT pg_notify('postroom_events', %s)", [f"mailbox:{mailbox_id}"])
    return ids


def find_slice(connection: Connection[Any], slice_id: UUID) -> SliceState | None:
    row = connection.execute(
        "SELECT slice.id, slice.mailbox_id, slice.folder_id, folder.remote_name, slice.remote_ids, slice.sizes,"
        " slice.done_count, mailbox.keep = 'everything' FROM mailboxes_importslice slice"
        " JOIN mailboxes_folder folder ON folder.id = slice.folder_id"
        " JOIN mailboxes_mailbox mailbox ON mailbox.id = slice.mailbox_id WHERE slice.id = %s AND NOT slice.is_done",
        [slice_id],
    ).fetchone()
    if row is None:
        return None
    slice_id, mailbox_id, folder_id, remote_name, remote_ids, sizes, done_count, keeps_everything = row
    remote_ids, sizes = tuple(remote_ids), tuple(sizes)
    return SliceState(slice_id, mailbox_id, folder_id, remote_name, remote_ids, sizes, done_count, keeps_everything)


def _hold(connection: Connection[Any], mailbox_id: UUID, epoch: int) -> UUID:
    """Keep the mailbox ours until the end of the transaction; its workspace. Raises Fenced."""
    row = connection.execute(
        "SELECT workspace_id FROM mailboxes_mailbox WHERE id = %s AND epoch = %s FOR NO KEY UPDATE", [mailbox_id, epoch]
    ).fetchone()
    if row is None:
        raise Fenced
    workspace_id: UUID = row[0]
    return workspace_id
