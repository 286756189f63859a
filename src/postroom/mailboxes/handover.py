"""Giving a mailbox to another member: its row, history, servers and permission stay, who answers for it changes."""

from __future__ import annotations

from django.db import transaction

from postroom.engine.journal import Kind
from postroom.mailboxes.journal import note_of
from postroom.mailboxes.models import Journey, Mailbox, MailboxMember
from postroom.workspaces import audit
from postroom.workspaces.members import Member
from postroom.workspaces.models import Membership, User


class NotAMember(Exception):
    """Whoever is to own the mailbox does not belong to its workspace, or has left it."""


@transaction.atomic
def hand_over(member: Member, mailbox: Mailbox, to: User) -> None:
    """Make `to` the owner; nothing happens where he is. Raises NotAMember.

    Of a personal mailbox the new owner reads everything that is kept, and it is his colleagues' no more than before.
    """
    if not Membership.objects.filter(
        workspace=mailbox.workspace_id, user=to, left_at=None, user__is_active=True
    ).exists():
        raise NotAMember(str(to))
    locked = Mailbox.objects.select_for_update(of=("self",)).select_related("owner").get(pk=mailbox.pk)
    if locked.owner_id == to.pk:
        return
    before = locked.owner
    Mailbox.objects.filter(pk=locked.pk).update(owner=to)
    # Named or silenced before, an owner reads and sends.
    MailboxMember.objects.filter(mailbox=locked, user=to).update(can_send=True)
    Journey.objects.filter(mailbox=locked, used_at=None).delete()  # somebody's way to sign in for it
    audit.record(member, "mailbox.handed_over", f"{locked.address}: {before.email} to {to.email}")
    note_of(member, locked, Kind.HANDED_OVER, {"to": str(to)})
    mailbox.refresh_from_db()
