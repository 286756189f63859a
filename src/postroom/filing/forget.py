"""What goes when a mailbox is disconnected: its mail that is on no record, or all of it.

A message goes only when no other mailbox has it. Its rows hang together by ids without foreign keys, so they are
deleted here, in one transaction, table by table.
"""

from __future__ import annotations

from uuid import UUID

from django.core.files.storage import storages
from django.db import connection, transaction

from postroom.correspondence.models import Placement, Sighting
from postroom.mailboxes.models import Folder, Mailbox
from postroom.outbox.models import Draft, Submission

_GOING = """
CREATE TEMPORARY TABLE going ON COMMIT DROP AS
SELECT DISTINCT here.message_id FROM correspondence_placement here
WHERE here.mailbox_id = %(mailbox)s
  AND NOT EXISTS (SELECT FROM correspondence_placement other
                  WHERE other.message_id = here.message_id AND other.mailbox_id <> %(mailbox)s)
  AND NOT (%(keep)s AND EXISTS (SELECT FROM filing_filing f
                                WHERE f.message_id = here.message_id AND f.removed_by_id IS NULL))
"""
_UNUSED_FILES = """
SELECT DISTINCT encode(a.sha256, 'hex') FROM correspondence_attachment a JOIN going USING (message_id)
WHERE NOT EXISTS (SELECT FROM correspondence_attachment other
                  WHERE other.sha256 = a.sha256 AND other.message_id NOT IN (SELECT message_id FROM going))
"""
_TABLES = (
    ("correspondence_attachment", "message_id"),
    ("correspondence_participant", "message_id"),
    ("correspondence_body", "message_id"),
    ("correspondence_placement", "message_id"),
    ("filing_filing", "message_id"),
    ("correspondence_message", "id"),
)


@transaction.atomic
def forget_mailbox(mailbox_id: UUID, keep_history: bool) -> None:
    """Remove what may not stay of a disconnected mailbox. With `keep_history`, mail on a record stays."""
    with connection.cursor() as cursor:
        cursor.execute(_GOING, {"mailbox": mailbox_id, "keep": keep_history})
        cursor.execute(_UNUSED_FILES)
        unused = [row[0] for row in cursor.fetchall()]
        for table, column in _TABLES:
            cursor.execute(f"DELETE FROM {table} WHERE {column} IN (SELECT message_id FROM going)")
        cursor.execute("DROP TABLE going")
    Sighting.objects.filter(mailbox_id=mailbox_id).delete()
    Draft.objects.filter(mailbox_id=mailbox_id).update(mailbox_id=None)
    Folder.objects.filter(mailbox_id=mailbox_id).update(cursor="")
    Submission.objects.filter(mailbox_id=mailbox_id, state="queued").update(state="cancelled")
    if not keep_history:
        Placement.objects.filter(mailbox_id=mailbox_id).delete()
        Submission.objects.filter(mailbox_id=mailbox_id).delete()
        Mailbox.objects.filter(pk=mailbox_id).delete()
    transaction.on_commit(lambda: _remove_files(unused))


def _remove_files(digests: list[str]) -> None:
    storage = storages["attachments"]
    for digest in digests:
        storage.delete(f"{digest[:2]}/{digest[2:4]}/{digest}")
