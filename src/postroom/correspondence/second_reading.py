"""Reading messages again that an older version of the parser could not read.

They are fetched anew like what a record wants, and come in a page of messages the folder has already. Who sees such a
message, what a person filed it on and what it is called in links stays: it keeps its id, and gets everything else new.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, cast
from uuid import UUID

from psycopg import Connection

from postroom.correspondence.message_writer import MessageWriter
from postroom.correspondence.prepared import UNREADABLE, Prepared, Rows, problem_of
from postroom.correspondence.sightings import by_folder
from postroom.engine.store import Wanted
from postroom.mail.mime.parsing import PARSER_VERSION

MOST_AT_ONCE = 50  # of one mailbox, between two looks at its folders
_OUTDATED = f"message.problem = '{UNREADABLE}' AND message.parser_version < %(version)s"


def wanted(connection: Connection[Any], mailbox_id: UUID) -> list[Wanted]:
    """The mailbox's unreadable messages of older versions, as far as it still has them; newest first."""
    rows = connection.execute(
        "SELECT placement.folder_id, folder.remote_name, placement.remote_id, placement.size"  # noqa: S608  constants
        " FROM (SELECT message.id, message.at FROM correspondence_message message"
        "  WHERE message.workspace_id = (SELECT workspace_id FROM mailboxes_mailbox WHERE id = %(mailbox)s)"
        f"  AND message.problem <> '' AND {_OUTDATED}) message"
        " JOIN LATERAL (SELECT * FROM correspondence_placement WHERE message_id = message.id"
        "  AND mailbox_id = %(mailbox)s AND removed_at IS NULL LIMIT 1) placement ON true"
        " JOIN mailboxes_folder folder ON folder.id = placement.folder_id AND folder.is_synced"
        " ORDER BY message.at DESC LIMIT %(limit)s",
        {"mailbox": mailbox_id, "version": PARSER_VERSION, "limit": MOST_AT_ONCE},
    ).fetchall()
    return by_folder(rows)


def read_again(writer: MessageWriter, folder_id: UUID, placed: Sequence[Prepared], *, is_ours: bool) -> None:
    """Store what is readable by now of messages that the folder has; those that are not wait for the next version.

    Should one turn out to be another that is stored already, as copies do that came after the parser was mended, then
    it becomes that one.
    """
    by_remote_id = {message.new.remote_id: message for message in placed}
    outdated = _outdated(writer.connection, folder_id, list(by_remote_id))
    if not outdated:
        return
    read = {
        message_id: _under(message_id, by_remote_id[remote_id])
        for remote_id, message_id, _ in outdated
        if problem_of(by_remote_id[remote_id].new.parsed) != UNREADABLE
    }
    writer.connection.execute(
        "UPDATE correspondence_message SET parser_version = %s WHERE id = ANY(%s::uuid[])",
        [PARSER_VERSION, [message_id for _, message_id, _ in outdated if message_id not in read]],
    )
    stored = writer.known([message.new.identity for message in read.values()])
    same = {
        message_id: stored[message.new.identity]
        for message_id, message in read.items()
        if message.new.identity in stored and stored[message.new.identity] != message_id
    }
    _become(writer, same)
    rest = {message.new.identity: message for message_id, message in read.items() if message_id not in same}
    _delete(writer.connection, [message.id for message in rest.values()])
    writer.store_again(list(rest.values()), is_ours=is_ours)
    _drop_empty_threads(writer.connection, [thread_id for _, _, thread_id in outdated])


def _outdated(connection: Connection[Any], folder_id: UUID, remote_ids: list[str]) -> list[tuple[str, UUID, UUID]]:
    """(remote id, message id, thread id) of those of a folder's messages that are to be read again."""
    if not remote_ids:
        return []
    return connection.execute(
        "SELECT placement.remote_id, message.id, message.thread_id FROM correspondence_placement placement"  # noqa: S608  constants
        " JOIN correspondence_message message ON message.id = placement.message_id"
        " WHERE placement.folder_id = %(folder)s AND placement.remote_id = ANY(%(remote_ids)s::text[])"
        f" AND placement.removed_at IS NULL AND {_OUTDATED}",
        {"folder": folder_id, "remote_ids": remote_ids, "version": PARSER_VERSION},
    ).fetchall()


def _under(message_id: UUID, message: Prepared) -> Prepared:
    """The message with the id that it has."""

    def renamed(rows: Rows) -> Rows:
        return [cast(Any, row)._replace(message_id=message_id) for row in rows]

    return replace(
        message,
        id=message_id,
        body_row=renamed([message.body_row])[0],
        participant_rows=renamed(message.participant_rows),
        attachment_rows=renamed(message.attachment_rows),
    )


def _become(writer: MessageWriter, same: Mapping[UUID, UUID]) -> None:
    """Let messages be others: what lies and hangs on the former (keys) moves to the latter."""
    if not same:
        return
    writer.filer.move(writer.connection, same)
    for message_id, other_id in same.items():
        writer.connection.execute(
            "UPDATE correspondence_placement SET message_id = %s WHERE message_id = %s", [other_id, message_id]
        )
    _delete(writer.connection, list(same))


def _delete(connection: Connection[Any], message_ids: Sequence[UUID]) -> None:
    """Delete the rows of messages without text: they have no files."""
    for table, column in (
        ("correspondence_attachment", "message_id"),
        ("correspondence_participant", "message_id"),
        ("correspondence_body", "message_id"),
        ("correspondence_message", "id"),
    ):
        statement = f"DELETE FROM {table} WHERE {column} = ANY(%s::uuid[])"  # noqa: S608  constants
        connection.execute(statement, [list(message_ids)])


def _drop_empty_threads(connection: Connection[Any], thread_ids: Sequence[UUID]) -> None:
    """A message that had no id while it could not be read may have one now, and leave a thread of its own."""
    for table, column in (("correspondence_threadref", "thread_id"), ("correspondence_thread", "id")):
        connection.execute(
            f"DELETE FROM {table} WHERE {column} = ANY(%s::uuid[]) AND NOT EXISTS"  # noqa: S608  constants
            f" (SELECT FROM correspondence_message left_over WHERE left_over.thread_id = {table}.{column})",
            [list(thread_ids)],
        )
