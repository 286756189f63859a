"""Giving a mailbox to another member: its row, history, servers and permission stay, who answers for it changes.

And taking a member who leaves off the mailboxes of others.
"""

from __future__ import annotations

from uuid import UUID

from django.db import connection, transaction

from postroom.engine.journal import Kind
from postroom.mailboxes.access import hold_manageable
from postroom.mailboxes.journal import note_of
from postroom.mailboxes.models import Journey, Mailbox, MailboxMember
from postroom.workspaces import audit
from postroom.workspaces.members import Member
from postroom.workspaces.models import User


class NotAMember(Exception):
    """Whoever is to own the mailbox does not belong to its workspace, or has left it."""


@transaction.atomic
def hand_over(member: Member, mailbox: Mailbox, to: User) -> None:
    """Give a mailbox that is the member's to change to somebody else. Raises MailboxGone and NotAMember."""
    pass_on(member, hold_manageable(member, mailbox), to)
    mailbox.refresh_from_db()


@transaction.atomic
def pass_on(member: Member, mailbox: Mailbox, to: User) -> None:
    """Make `to` the owner, whosever it was; nothing happens where he is. Raises NotAMember.

    Of a personal mailbox the new owner reads everything that is kept, and it is his colleagues' no more than before.
    """
    if not to.is_active or not _stays(mailbox.workspace_id, to):
        raise NotAMember(str(to))
    locked = Mailbox.objects.select_for_update(of=("self",)).select_related("owner").get(pk=mailbox.pk)
    if locked.owner_id == to.pk:
        return
    before = locked.owner
    Mailbox.objects.filter(pk=locked.pk).update(owner=to)
    if MailboxMember.objects.filter(mailbox=locked).exists():  # an owner reads and sends, silenced before or not named
        MailboxMember.objects.update_or_create(mailbox=locked, user=to, defaults={"can_send": True})
    Journey.objects.filter(mailbox=locked, used_at=None).delete()  # somebody's way to sign in for it
    audit.record(member, "mailbox.handed_over", f"{locked.address}: {before.email} to {to.email}")
    note_of(member, locked, Kind.HANDED_OVER, {"to": str(to)})


def _stays(workspace_id: UUID, user: User) -> bool:
    """Whether he belongs to the workspace, and will at the end of this transaction: one who is being taken off it holds
    the row (outbox/offboarding.py). Shared, since two mailboxes may be given to one person at once."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT 1 FROM workspaces_membership"
            " WHERE workspace_id = %s AND user_id = %s AND left_at IS NULL FOR SHARE",
            [workspace_id, user.pk],
        )
        return cursor.fetchone() is not None


@transaction.atomic
def take_off_lists(workspace_id: UUID, user: User) -> None:
    """Name somebody who leaves on no mailbox any more.

    A list without names would open its mailbox to everybody, so its owner stands on each. A mailbox that is still the
    leaver's own keeps its list: it is disconnected, and its history is for the same people as before.
    """
    rows = MailboxMember.objects.filter(user=user, mailbox__workspace=workspace_id).exclude(mailbox__owner=user)
    owners = [
        MailboxMember(mailbox=one.mailbox, user_id=one.mailbox.owner_id) for one in rows.select_related("mailbox")
    ]
    MailboxMember.objects.bulk_create(owners, ignore_conflicts=True)
    rows.delete()
