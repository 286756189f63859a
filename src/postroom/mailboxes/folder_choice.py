"""Which folders of a mailbox are read: why each is or is not, and the owner's choice."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final
from uuid import UUID

from django.db import transaction
from django.db.models import F

from postroom.engine.journal import Kind
from postroom.mailboxes.access import hold_manageable
from postroom.mailboxes.connect import announce_free_mailbox
from postroom.mailboxes.journal import note_of
from postroom.mailboxes.models import Folder, Mailbox, mailbox_topic
from postroom.workspaces import audit, events
from postroom.workspaces.members import Member

# Why Postroom's own rule (sync/folders.py) reads no folder of this role.
_LEFT_OUT: Final = {
    "junk": "Junk is left out.",
    "trash": "Trash is left out.",
    "drafts": "Drafts are left out.",
    "all": "It shows the mail of the other folders once more.",
}
_SORTS: Final = "It shows mail of the inbox once more."
_GONE: Final = "It is no longer on the server."


def is_gone(folder: Folder) -> bool:
    """Whether the server lists it no more: neither read, nor left out by anybody."""
    return reason(folder) == _GONE


def reason(folder: Folder) -> str:
    """Why the folder is read or not, in one sentence; "" where there is nothing to say."""
    if folder.is_wanted and not folder.is_synced:
        return "Chosen; it is read as soon as the server lists it."
    if folder.is_synced and not folder.is_wanted:
        return "Turned off; reading ends with the next look."
    if folder.is_chosen is not None:
        return "Chosen by hand." if folder.is_chosen else "Turned off by hand."
    if folder.is_synced:
        return ""
    return _LEFT_OUT.get(folder.role, _SORTS if folder.sorts_inbox else _GONE)


@transaction.atomic
def choose_folders(member: Member, mailbox: Mailbox, wanted: Mapping[UUID, bool]) -> int:
    """Read these folders (True) or leave them out (False); the others stay as they are. Returns how many changed.

    The mailbox's session begins anew, which lists the folders. What is on records of a folder that is left out stays;
    a folder that is read from now on is imported as far back as the others. Raises MailboxGone.
    """
    # The mailbox before its folders, as a session that saves them does (correspondence/folders.py).
    hold_manageable(member, mailbox)
    changed = [
        folder
        for folder in Folder.objects.select_for_update().filter(mailbox=mailbox, pk__in=wanted)
        if folder.is_wanted != wanted[folder.pk]
    ]
    if not changed:
        return 0
    for folder in changed:
        folder.is_chosen = wanted[folder.pk]
    Folder.objects.bulk_update(changed, ["is_chosen"])
    Mailbox.objects.filter(pk=mailbox.pk).update(epoch=F("epoch") + 1, worker_id=None)
    announce_free_mailbox()
    added = sum(1 for folder in changed if folder.is_chosen)
    note_of(member, mailbox, Kind.FOLDERS_CHOSEN, {"added": added, "left_out": len(changed) - added})
    audit.record(member, "mailbox.folders_chosen", mailbox.address)
    events.notify(mailbox_topic(mailbox.pk))
    return len(changed)
