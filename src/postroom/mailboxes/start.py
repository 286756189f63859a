"""The yes to what a dry run showed: from here on the mailbox is read and its mail stored."""

from __future__ import annotations

from django.db import transaction
from django.utils import timezone

from postroom.mailboxes.access import hold_manageable
from postroom.mailboxes.connect import announce_free_mailbox
from postroom.mailboxes.models import Mailbox, mailbox_topic
from postroom.workspaces import audit, events
from postroom.workspaces.members import Member


@transaction.atomic
def begin_import(member: Member, mailbox: Mailbox) -> bool:
    """Let workers have the mailbox, at once. False where it was begun before: nothing is done twice.

    Raises MailboxGone.
    """
    if not hold_manageable(member, mailbox).awaits_start:
        return False
    Mailbox.objects.filter(pk=mailbox.pk).update(awaits_start=False, import_started_at=timezone.now())
    audit.record(member, "mailbox.import_started", mailbox.address)
    announce_free_mailbox()
    events.notify(mailbox_topic(mailbox.pk))
    return True
