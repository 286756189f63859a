"""A mailbox that rests after failures looks again at once."""

from __future__ import annotations

from postroom.mailboxes.actions import Action, require
from postroom.mailboxes.models import ImportSlice, Mailbox
from postroom.workspaces import events


def sync_as_asked(mailbox: Mailbox) -> None:
    """Look at once, because somebody asks for it. Raises actions.NotNow."""
    require(mailbox, Action.SYNC)
    sync_now(mailbox)


def sync_now(mailbox: Mailbox) -> None:
    """Look at once; a mailbox that had given up tries again, whatever it was told about patience."""
    Mailbox.objects.filter(pk=mailbox.pk).exclude(not_before=None).update(not_before=None)
    ImportSlice.objects.filter(mailbox=mailbox, is_done=False).exclude(not_before=None).update(not_before=None)
    events.wake(mailbox.pk)
