"""The only way to get mailboxes: what one member may see, manage and send through (DESIGN.md 8)."""

from __future__ import annotations

from uuid import UUID

from django.db.models import Exists, OuterRef, Q, QuerySet

from postroom.mailboxes.models import DirectionState, Kind, Mailbox, MailboxMember
from postroom.workspaces.database import lock_workspace, orm_connection
from postroom.workspaces.members import Member, as_of_now


class MailboxGone(Exception):
    """The mailbox was disconnected or given to somebody else meanwhile. Nothing was changed."""

    code = "mailbox_gone"

    def __init__(self, mailbox: Mailbox) -> None:
        self.facts: dict[str, object] = {"address": mailbox.address}
        super().__init__(mailbox.address)


def visible_mailboxes(member: Member) -> QuerySet[Mailbox]:
    """Connected mailboxes whose mail the member may read."""
    return readable_mailboxes(member).filter(disconnected_at=None)


def readable_mailboxes(member: Member) -> QuerySet[Mailbox]:
    """Mailboxes whose mail the member may read, disconnected ones included: his own, and the shared ones he is on.

    A shared mailbox without named members is everybody's; its administrators always see it.
    """
    rows = MailboxMember.objects.filter(mailbox=OuterRef("pk"))
    mine = Q(owner=member.user)
    shared = Q(kind=Kind.SHARED) & (~Exists(rows) | Exists(rows.filter(user=member.user)))
    if member.can_administer:
        shared |= Q(kind=Kind.SHARED)
    return Mailbox.objects.filter(mine | shared, workspace=member.workspace).select_related("owner").order_by("address")


def readable_mailbox_ids(member: Member) -> list[UUID]:
    return list(readable_mailboxes(member).values_list("pk", flat=True))


def manageable_mailboxes(member: Member) -> QuerySet[Mailbox]:
    """Mailboxes the member may change or disconnect: his own, and as administrator the shared ones."""
    allowed = Q(owner=member.user)
    if member.can_administer:
        allowed |= Q(kind=Kind.SHARED)
    return visible_mailboxes(member).filter(allowed)


def hold_manageable(member: Member, mailbox: Mailbox) -> Mailbox:
    """The mailbox as it is now, and stays until the end of the transaction. Raises MailboxGone.

    Every change of a mailbox by a person begins here: since he found it, it may have become somebody else's, or been
    disconnected, and he may have left. Of two who change it at once the second finds what the first left.
    """
    lock_workspace(orm_connection(), mailbox.workspace_id)  # before the row, as pages do
    now = as_of_now(member)
    his = manageable_mailboxes(now).select_for_update(of=("self",)).filter(pk=mailbox.pk) if now else None
    held = his.first() if his is not None else None
    if held is None:
        raise MailboxGone(mailbox)
    return held


def sendable_mailboxes(member: Member) -> QuerySet[Mailbox]:
    """Mailboxes the member may send through; none whose provider was not allowed to send."""
    silenced = MailboxMember.objects.filter(mailbox=OuterRef("pk"), user=member.user, can_send=False)
    allowed = visible_mailboxes(member).filter(~Exists(silenced), sends=True)
    return allowed.exclude(sending_state=DirectionState.OFF)
