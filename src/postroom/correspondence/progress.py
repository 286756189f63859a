"""The last statements of a page: how far it got, on condition that this worker still owns what it read.

A worker that was paused, declared dead and comes back changes nothing here: its epoch, its folder's version or its
slice's count is no longer the stored one, and the whole page rolls back (DESIGN.md 5, invariant 6).
"""

from __future__ import annotations

from typing import Any
from uuid import UUID

from psycopg import Connection

from postroom.correspondence import holds
from postroom.engine.journal import Kind
from postroom.engine.store import Conflict, Fenced, Page, Saved
from postroom.workspaces.ids import new_id

# FOR SHARE makes a claim of the mailbox wait for the page's commit.
_OWNED = "SELECT id FROM mailboxes_mailbox WHERE id = %(mailbox)s AND epoch = %(epoch)s FOR SHARE"


def advance(connection: Connection[Any], page: Page, saved: Saved) -> None:
    """Move the cursor or the slice; raises Fenced (another owner) or Conflict (somebody saved meanwhile)."""
    if page.epoch is not None:
        hold_mailbox(connection, page)
    if page.cursor is not None:
        _move_cursor(connection, page)
    if page.slice_id is not None:
        _move_slice(connection, page, saved)
    elif page.removed or page.flagged:
        _void_open_slices(connection, page)
    if page.hold is not None:
        holds.ask_owner(connection, page.folder_id, page.hold)
    elif page.releases:
        holds.withdraw(connection, page.folder_id)
    if page.is_swept:
        connection.execute("UPDATE mailboxes_folder SET swept_at = now() WHERE id = %s", [page.folder_id])


def hold_mailbox(connection: Connection[Any], page: Page) -> None:
    if connection.execute(_OWNED, {"mailbox": page.mailbox_id, "epoch": page.epoch}).fetchone() is None:
        raise Fenced


def _move_cursor(connection: Connection[Any], page: Page) -> None:
    moved = connection.execute(
        "UPDATE mailboxes_folder SET cursor = %s, version = version + 1"
        " WHERE id = %s AND mailbox_id = %s AND version = %s",
        [page.cursor, page.folder_id, page.mailbox_id, page.version],
    )
    if moved.rowcount != 1:
        raise Conflict


def _move_slice(connection: Connection[Any], page: Page, saved: Saved) -> None:
    moved = connection.execute(
        "UPDATE mailboxes_importslice SET done_count = %(to)s, is_done = %(to)s >= cardinality(remote_ids)"
        " WHERE id = %(slice)s AND mailbox_id = %(mailbox)s AND done_count = %(from)s AND NOT is_done"
        # A pause ends an import within the page, and so does the end of reading.
        " AND NOT EXISTS (SELECT FROM mailboxes_mailbox WHERE id = %(mailbox)s"
        " AND (paused_at IS NOT NULL OR NOT reads))"
        " RETURNING is_done, (SELECT coalesce(sum(size), 0)::bigint FROM unnest(sizes[%(from)s + 1:%(to)s]) size)",
        {"to": page.slice_done, "slice": page.slice_id, "mailbox": page.mailbox_id, "from": page.slice_from},
    ).fetchone()
    if moved is None:
        _refuse_slice(connection, page)
        return
    is_done, octets = moved
    connection.execute(
        "UPDATE mailboxes_mailbox SET done_count = done_count + %s, done_octets = done_octets + %s,"
        " kept_count = kept_count + %s, filed_count = filed_count + %s WHERE id = %s",
        [page.slice_done - page.slice_from, octets, saved.kept, saved.filed, page.mailbox_id],
    )
    if is_done:
        finish_import(connection, page.mailbox_id)


def _void_open_slices(connection: Connection[Any], page: Page) -> None:
    """Have what changed on the server read anew by the import, under another slice id (a job for it comes by itself).

    An importer may hold these messages as they were, fetched and not yet saved; nobody would tell their flags, or that
    they are gone, a second time. Its page finds the slice gone and is dropped. What left the folder leaves the slice
    too: where remote ids are mailbox-wide the import would still find it, and put it back.
    """
    left_out = connection.execute(
        # Not by &&, which compares each with each: 100 slices and 50,000 changes would take minutes.
        "WITH stale AS (SELECT DISTINCT slice.id"
        " FROM mailboxes_importslice slice, unnest(slice.remote_ids[slice.done_count + 1:]) open_id"
        " WHERE slice.folder_id = %(folder)s AND NOT slice.is_done"
        " AND open_id IN (SELECT unnest(%(removed)s::text[] || %(flagged)s::text[]))),"
        " kept AS (SELECT slice.id, count(*) FILTER (WHERE NOT stays) AS gone,"
        " coalesce(sum(listed.size) FILTER (WHERE NOT stays), 0)::bigint AS gone_octets,"
        " coalesce(array_agg(listed.remote_id ORDER BY place) FILTER (WHERE stays), '{}') AS remote_ids,"
        " coalesce(array_agg(listed.size ORDER BY place) FILTER (WHERE stays), '{}') AS sizes"
        " FROM mailboxes_importslice slice JOIN stale ON stale.id = slice.id"
        " CROSS JOIN unnest(slice.remote_ids, slice.sizes) WITH ORDINALITY listed (remote_id, size, place)"
        # Nor by NOT IN, which does the same as soon as the ids are too many for work_mem.
        " LEFT JOIN (SELECT DISTINCT unnest(%(removed)s::text[])) removed (remote_id) USING (remote_id)"
        " CROSS JOIN LATERAL (SELECT removed.remote_id IS NULL OR place <= done_count AS stays) judged"
        " GROUP BY slice.id)"
        " UPDATE mailboxes_importslice slice SET id = gen_random_uuid(), remote_ids = kept.remote_ids,"
        " sizes = kept.sizes, is_done = slice.done_count >= cardinality(kept.remote_ids)"
        " FROM kept WHERE kept.id = slice.id RETURNING gone, gone_octets",
        {
            "folder": page.folder_id,
            "removed": list(page.removed),
            "flagged": [remote_id for remote_id, _ in page.flagged],
        },
    ).fetchall()
    if any(gone for gone, _ in left_out):
        count_out(connection, page.mailbox_id, sum(gone for gone, _ in left_out), sum(one for _, one in left_out))


def count_out(connection: Connection[Any], mailbox_id: UUID, messages: int, octets: int) -> None:
    """Take what will not be read any more out of an import, which may end with that."""
    connection.execute(
        "UPDATE mailboxes_mailbox SET listed_count = greatest(listed_count - %s, done_count),"
        " listed_octets = greatest(listed_octets - %s, done_octets) WHERE id = %s",
        [messages, octets, mailbox_id],
    )
    finish_import(connection, mailbox_id)


def finish_import(connection: Connection[Any], mailbox_id: UUID) -> None:
    """Note the end of an import that has no slice left, in the journal too."""
    connection.execute(
        "WITH finished AS (UPDATE mailboxes_mailbox SET import_finished_at = now()"
        " WHERE id = %(mailbox)s AND import_planned_at IS NOT NULL AND import_finished_at IS NULL"
        " AND NOT EXISTS (SELECT FROM mailboxes_importslice WHERE mailbox_id = %(mailbox)s AND NOT is_done)"
        " RETURNING id, workspace_id, done_count, kept_count)"
        " INSERT INTO mailboxes_journalentry (id, workspace_id, mailbox_id, at, kind, facts)"
        " SELECT %(entry)s, workspace_id, id, clock_timestamp(), %(kind)s,"
        " jsonb_build_object('messages', done_count, 'kept', kept_count) FROM finished WHERE done_count > 0",
        {"mailbox": mailbox_id, "entry": new_id(), "kind": Kind.IMPORTED.value},
    )


def _refuse_slice(connection: Connection[Any], page: Page) -> None:
    """A slice that is gone belongs to a mailbox that was disconnected or planned anew; else another importer had it."""
    row = connection.execute("SELECT FROM mailboxes_importslice WHERE id = %s", [page.slice_id]).fetchone()
    raise Conflict if row is not None else Fenced
