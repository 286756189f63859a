"""A mailbox and its folders, as the engine loads and saves them."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any
from uuid import UUID

from psycopg import Connection

from postroom.correspondence.placements import empty_folder
from postroom.correspondence.plan import drop_slices, hold_mailbox
from postroom.engine.store import Fenced, FolderState, MailboxState
from postroom.providers.base import RemoteFolder
from postroom.sync.folders import renamed
from postroom.workspaces.database import lock_workspace
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
        folders=_load_folders(connection, mailbox_id),
        failures=failures,
        not_before=not_before,
    )


def _load_folders(connection: Connection[Any], mailbox_id: UUID) -> tuple[FolderState, ...]:
    rows = connection.execute(_FOLDERS + " ORDER BY id", [mailbox_id])
    return tuple(FolderState(*row) for row in rows)


def save_folders(
    connection: Connection[Any],
    mailbox_id: UUID,
    epoch: int,
    listed: Sequence[RemoteFolder],
    left_out: Collection[str],
) -> tuple[FolderState, ...]:
    row = connection.execute("SELECT workspace_id FROM mailboxes_mailbox WHERE id = %s", [mailbox_id]).fetchone()
    if row is None:
        raise Fenced
    lock_workspace(connection, row[0])
    workspace_id = hold_mailbox(connection, mailbox_id, epoch)
    selectable = {folder.remote_name: folder for folder in listed if folder.is_selectable}
    _rename(connection, renamed(_load_folders(connection, mailbox_id), list(selectable.values())))
    for folder in selectable.values():
        _save(connection, workspace_id, mailbox_id, folder, is_wanted=folder.remote_name not in left_out)
    _leave_missing(connection, mailbox_id, selectable)
    _void_slices(connection, mailbox_id)
    return tuple(folder for folder in _load_folders(connection, mailbox_id) if folder.is_synced)


def _rename(connection: Connection[Any], names: Mapping[UUID, str]) -> None:
    for folder_id, remote_name in names.items():
        connection.execute("UPDATE mailboxes_folder SET remote_name = %s WHERE id = %s", [remote_name, folder_id])


def _save(
    connection: Connection[Any], workspace_id: UUID, mailbox_id: UUID, folder: RemoteFolder, *, is_wanted: bool
) -> None:
    """Add or refresh one folder. An identity that the server did not tell this time stays what it was."""
    connection.execute(
        "INSERT INTO mailboxes_folder AS stored"
        " (id, workspace_id, mailbox_id, remote_name, name, role, is_synced, cursor, version, identity,"
        "  is_label, sorts_inbox, held_code, held_facts, may_remove, rebuilds)"
        " VALUES (%s, %s, %s, %s, %s, %s, %s, '', 0, %s, %s, %s, '', '{}', false, 0)"
        " ON CONFLICT (mailbox_id, remote_name) DO UPDATE SET name = excluded.name, role = excluded.role,"
        " is_label = excluded.is_label, sorts_inbox = excluded.sorts_inbox,"
        " is_synced = coalesce(stored.is_chosen, excluded.is_synced),"
        " identity = coalesce(nullif(excluded.identity, ''), stored.identity)"
        " WHERE (stored.name, stored.role, stored.is_label, stored.sorts_inbox, stored.is_synced, stored.identity)"
        " IS DISTINCT FROM (excluded.name, excluded.role, excluded.is_label, excluded.sorts_inbox,"
        "  coalesce(stored.is_chosen, excluded.is_synced), coalesce(nullif(excluded.identity, ''), stored.identity))",
        [
            new_id(),
            workspace_id,
            mailbox_id,
            folder.remote_name,
            folder.name,
            folder.role,
            is_wanted,
            folder.identity,
            folder.is_label,
            folder.sorts_inbox,
        ],
    )


def _leave_missing(connection: Connection[Any], mailbox_id: UUID, listed: Collection[str]) -> None:
    """Nothing sits any more in a folder that is not listed. Deleting one is a clear act, so nobody is asked.

    Should the folder come back, it is listed and planned anew; its messages are known by their identity.
    """
    gone = connection.execute(
        "UPDATE mailboxes_folder SET is_synced = false, cursor = '', version = version + 1, listed_since = NULL,"
        " held_code = '', held_facts = '{}', held_at = NULL, may_remove = false"
        " WHERE mailbox_id = %s AND remote_name <> ALL(%s::text[]) AND (is_synced OR cursor <> '') RETURNING id",
        [mailbox_id, list(listed)],
    ).fetchall()
    for (folder_id,) in gone:
        empty_folder(connection, mailbox_id, folder_id)


def _void_slices(connection: Connection[Any], mailbox_id: UUID) -> None:
    """Drop what is open of folders that are not read, else their import would never end.

    Without a cursor such a folder is planned anew when it is read again, so nothing is lost by it.
    """
    unread = connection.execute(
        "SELECT id FROM mailboxes_folder WHERE mailbox_id = %s AND NOT is_synced", [mailbox_id]
    ).fetchall()
    dropped = drop_slices(connection, mailbox_id, [folder_id for (folder_id,) in unread])
    connection.execute(
        "UPDATE mailboxes_folder SET cursor = '', version = version + 1, listed_since = NULL"
        " WHERE id = ANY(%s::uuid[])",
        [list(dropped)],
    )
