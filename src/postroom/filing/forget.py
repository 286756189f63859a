"""What goes when a mailbox is disconnected: its mail that is on no record, or all of it.

A message goes only when no other mailbox has it. Its rows hang together by ids without foreign keys, so they are
deleted here, in one transaction, table by table; a thread goes with its last message.
"""

from __future__ import annotations

from uuid import UUID

from django.core.files.storage import storages
from django.db import transaction
from psycopg import sql

from postroom.correspondence import attachment_files
from postroom.correspondence.models import (
    Attachment,
    Body,
    Message,
    Participant,
    Placement,
    Sighting,
    Thread,
    ThreadRef,
)
from postroom.filing.models import Filing
from postroom.mailboxes.models import Folder, Mailbox
from postroom.outbox.models import Draft, State, Submission
from postroom.workspaces.database import lock_workspace, orm_connection

# A message that was sent from here has no placement before its copy in Sent is seen; then the submission says whose
# it is, and stays as long as the history does.
_GOING = """
CREATE TEMPORARY TABLE going ON COMMIT DROP AS
SELECT mine.message_id, message.thread_id
FROM (SELECT message_id FROM correspondence_placement WHERE mailbox_id = %(mailbox)s
      UNION
      SELECT message_id FROM outbox_submission
      WHERE mailbox_id = %(mailbox)s AND message_id IS NOT NULL AND NOT %(keep)s) mine
JOIN correspondence_message message ON message.id = mine.message_id
WHERE NOT EXISTS (SELECT FROM correspondence_placement other
                  WHERE other.message_id = mine.message_id AND other.mailbox_id <> %(mailbox)s)
  AND NOT (%(keep)s AND EXISTS (SELECT FROM filing_filing filing
                                WHERE filing.message_id = mine.message_id AND filing.removed_by_id IS NULL))
"""
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


@transaction.atomic
def forget_mailbox(mailbox_id: UUID, keep_history: bool) -> None:
    """Remove what may not stay of a disconnected mailbox. With `keep_history`, mail on a record stays.

    Takes the workspace's lock: a page that is being written may place a message of another mailbox that goes here.
    """
    connection = orm_connection()
    lock_workspace(connection, Mailbox.objects.values_list("workspace_id", flat=True).get(pk=mailbox_id))
    connection.execute(_GOING, {"mailbox": mailbox_id, "keep": keep_history})
    unused = [bytes(sha256) for (sha256,) in connection.execute(_UNUSED_FILES)]
    for hanging, column in _HANGING_ON_MESSAGES:
        connection.execute(_DELETE.format(sql.Identifier(hanging._meta.db_table), sql.Identifier(column)))
    for empty, column in _HANGING_ON_THREADS:
        table, thread = sql.Identifier(empty._meta.db_table), sql.Identifier(column)
        connection.execute(_DELETE_EMPTY.format(table=table, thread=thread))
    connection.execute("DROP TABLE going")
    Sighting.objects.filter(mailbox_id=mailbox_id).delete()
    Draft.objects.filter(mailbox_id=mailbox_id).update(mailbox_id=None)
    Folder.objects.filter(mailbox_id=mailbox_id).update(cursor="")
    Submission.objects.filter(mailbox_id=mailbox_id, state=State.QUEUED).update(state=State.CANCELLED)
    if not keep_history:
        Placement.objects.filter(mailbox_id=mailbox_id).delete()
        Submission.objects.filter(mailbox_id=mailbox_id).delete()
        Mailbox.objects.filter(pk=mailbox_id).delete()
    transaction.on_commit(lambda: _remove_files(unused))


def _remove_files(digests: list[bytes]) -> None:
    storage = storages[attachment_files.STORAGE]
    for sha256 in digests:
        storage.delete(attachment_files.name_of(sha256))
