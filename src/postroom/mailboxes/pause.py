"""Pausing a mailbox, and letting it go on: its session, its looks and its import, all at once."""

from __future__ import annotations

from django.db import transaction
from django.db.models import F
from django.utils import timezone

from postroom.engine.journal import Kind
from postroom.mailboxes.access import hold_manageable
from postroom.mailboxes.actions import Action, require
from postroom.mailboxes.connect import announce_free_mailbox
from postroom.mailboxes.journal import note_of
from postroom.mailboxes.models import Mailbox, mailbox_topic
from postroom.workspaces import audit, events
from postroom.workspaces.members import Member


@transaction.atomic
def pause(member: Member, mailbox: Mailbox) -> None:
    """Stop receiving from the mailbox until somebody lets it go on. A paused one stays as it is.

    The new epoch ends its session wherever it runs, and its import stops within a page. Mail that arrives meanwhile
    stays on the server, and sending goes on. Raises NotNow and MailboxGone.
    """
    held = hold_manageable(member, mailbox)
    if held.paused_at is not None:
        return
    require(held, Action.PAUSE)
    Mailbox.objects.filter(pk=held.pk).update(paused_at=timezone.now(), worker_id=None, epoch=F("epoch") + 1)
    _tell(member, mailbox, Kind.PAUSED, "mailbox.paused")


@transaction.atomic
def resume(member: Member, mailbox: Mailbox) -> None:
    """Let a paused mailbox go on where it was. The pause does not count as time of its import (progress.py).

    Raises MailboxGone.
    """
    locked = hold_manageable(member, mailbox)
    if locked.paused_at is None:
        return
    if locked.import_started_at is not None:
        locked.import_started_at += timezone.now() - max(locked.paused_at, locked.import_started_at)
    locked.paused_at = None
    locked.save(update_fields=["paused_at", "import_started_at"])
    announce_free_mailbox()
    _tell(member, mailbox, Kind.RESUMED, "mailbox.resumed")


def _tell(member: Member, mailbox: Mailbox, kind: Kind, action: str) -> None:
    audit.record(member, action, mailbox.address)
    note_of(member, mailbox, kind, {})
    mailbox.refresh_from_db()
    events.notify(mailbox_topic(mailbox.pk))
