"""Deleting messages whole. Their rows hang together by ids without foreign keys, so they go here, table by table.

A thread goes with its last message, a file with its last row.
"""

from __future__ import annotations

from typing import Any

from django.db import transaction
from psycopg import Connection, sql

from postroom.correspondence.models import (
    Attachment,
    Body,
    Message,
    Participant,
    Placement,
    Thread,
    ThreadRef,
)
from postroom.correspondence.unused_files import remove_unused
from postroom.filing.models import Filing

_UNUSED_FILES = """
SELECT DISTINCT file.sha256 FROM correspondence_attachment file JOIN going USING (message_id)
WHERE NOT EXISTS (SELECT FROM correspondence_attachment other
                  WHERE other.sha256 = file.sha256 AND other.message_id NOT IN (SELECT message_id FROM going))
"""
_DELETE = sql.SQL("DELETE FROM {} WHERE {} IN (SELECT message_id FROM going)")
_DELETE_EMPTY = sql.SQL(
    "DELETE FROM {table} WHERE {thread} IN (SELECT thread_id FROM going)"
    " AND NOT EXISTS (SELECT FROM correspondence_message left_over WHERE left_over.thread_id = {table}.{thread})"
)
_HANGING_ON_MESSAGES = (
    (Attachment, "message_id"),
    (Participant, "message_id"),
    (Body, "message_id"),
    (Placement, "message_id"),
    (Filing, "message_id"),
    (Message, "id"),
)
_HANGING_ON_THREADS = ((ThreadRef, "thread_id"), (Thread, "id"))


def delete_messages(connection: Connection[Any], selected: str, parameters: dict[str, Any]) -> None:
    """Delete the messages, (message_id, thread_id), that a query selects.

    In a transaction that holds the workspace's lock: a page that is being written may place a message that goes here.
    """
    connection.execute(f"CREATE TEMPORARY TABLE going ON COMMIT DROP AS {selected}", parameters)
    unused = [bytes(sha256) for (sha256,) in connection.execute(_UNUSED_FILES)]
    for hanging, column in _HANGING_ON_MESSAGES:
        connection.execute(_DELETE.format(sql.Identifier(hanging._meta.db_table), sql.Identifier(column)))
    for empty, column in _HANGING_ON_THREADS:
        table, thread = sql.Identifier(empty._meta.db_table), sql.Identifier(column)
        connection.execute(_DELETE_EMPTY.format(table=table, thread=thread))
    connection.execute("DROP TABLE going")
    transaction.on_commit(lambda: remove_unused(unused))
