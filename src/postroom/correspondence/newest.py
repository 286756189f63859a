"""The newest messages of a mailbox, by which it is told from another one."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

from django.db.models import F

from postroom.correspondence.models import Message, Placement
from postroom.engine.joints import KnownMessage
from postroom.mailboxes.models import Folder

LOOKED_AT = 200  # placements, since not every message has a Message-ID


def newest_messages(mailbox_id: UUID, most: int) -> Sequence[KnownMessage]:
    """Up to `most` messages that the mailbox had when it was read last, newest first, each with the folder it is in."""
    names = dict(Folder.objects.filter(mailbox_id=mailbox_id).values_list("pk", "remote_name"))
    placed = Placement.objects.filter(mailbox_id=mailbox_id, removed_at=None, folder_id__in=names)
    newest = list(
        placed.order_by(F("received_at").desc(nulls_last=True)).values_list("message_id", "folder_id")[:LOOKED_AT]
    )
    ids = dict(
        Message.objects.filter(pk__in=[message_id for message_id, _ in newest])
        .exclude(internet_message_id="")
        .values_list("pk", "internet_message_id")
    )
    known = [KnownMessage(names[folder_id], ids[message_id]) for message_id, folder_id in newest if message_id in ids]
    return known[:most]
