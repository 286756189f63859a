"""What goes when a mailbox is disconnected: its mail that is on no record, or all of it.

A message goes only when no other mailbox has it.
"""

from __future__ import annotations

from uuid import UUID

from django.db import transaction

from postroom.correspondence.models import Placement, Sighting
from postroom.filing.deletion import delete_messages
from postroom.mailboxes.models import Folder, Mailbox
from postroom.outbox.models import Draft, State, Submission
from postroom.workspaces.database import lock_workspace, orm_connection

# A message that was sent from here has no placement before its copy in Sent is seen; then the submission says whose
# it is, and stays as long as the history does.
_GOING = """
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


def has_history(mailbox_id: UUID) -> bool:
    """Whether mail of the mailbox is here, as of one that was connected before."""
    sent = Submission.objects.filter(mailbox_id=mailbox_id).exclude(message_id=None)
    return Placement.objects.filter(mailbox_id=mailbox_id).exists() or sent.exists()


@transaction.atomic
def forget_mailbox(mailbox_id: UUID, keep_history: bool) -> None:
    """Remove what may not stay of a disconnected mailbox. With `keep_history`, mail on a record stays.

    Takes the workspace's lock: a page that is being written may place a message of another mailbox that goes here.
    """
    connection = orm_connection()
    lock_workspace(connection, Mailbox.objects.values_list("workspace_id", flat=True).get(pk=mailbox_id))
    delete_messages(connection, _GOING, {"mailbox": mailbox_id, "keep": keep_history})
    Sighting.objects.filter(mailbox_id=mailbox_id).delete()
    Draft.objects.filter(mailbox_id=mailbox_id).update(mailbox_id=None)
    Folder.objects.filter(mailbox_id=mailbox_id).update(
        cursor="", listed_since=None, held_code="", held_facts={}, held_at=None, may_remove=False
    )
    Submission.objects.filter(mailbox_id=mailbox_id, state=State.QUEUED).update(state=State.CANCELLED)
    if not keep_history:
        Placement.objects.filter(mailbox_id=mailbox_id).delete()
        Submission.objects.filter(mailbox_id=mailbox_id).delete()
        Mailbox.objects.filter(pk=mailbox_id).delete()
