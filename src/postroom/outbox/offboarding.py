"""Taking a member off the workspace: first what will break, then who goes on with it, in one transaction.

Mailboxes are handed over or disconnected (their history stays as it was shared), mail that is queued leaves in somebody
else's name or not at all, defaults move on; sessions and tokens end (workspaces/leaving.py).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.db import transaction
from django.db.models import Q, QuerySet

from postroom.mailboxes import connect
from postroom.mailboxes.access import readable_mailbox_ids, sendable_mailboxes
from postroom.mailboxes.handover import pass_on, take_off_lists
from postroom.mailboxes.models import Kind, Mailbox, MailboxMember
from postroom.outbox.claims import announce
from postroom.outbox.models import State, Submission
from postroom.workspaces import audit
from postroom.workspaces.database import lock_workspace, orm_connection
from postroom.workspaces.leaving import end_membership, require_may_leave
from postroom.workspaces.members import Member, as_of_now
from postroom.workspaces.models import ApiToken, Membership, Workspace

_OPEN = (State.QUEUED, State.SENDING, State.IN_DOUBT, State.UNKNOWN, State.FAILED)


@dataclass(frozen=True, slots=True)
class OwnMailbox:
    """A mailbox of the member. `queued` messages wait to leave from it, whoever wrote them."""

    mailbox: Mailbox
    queued: int
    is_workspace_default: bool
    usual_of: tuple[str, ...]  # other members who usually write from it


@dataclass(frozen=True, slots=True)
class Leaving:
    """What a member has that others depend on."""

    membership: Membership
    mailboxes: tuple[OwnMailbox, ...]
    queued: tuple[Submission, ...]  # by this member, and not under way yet
    unseen: frozenset[UUID]  # those of them whose subject is not for who asks: they leave from a personal mailbox
    undecided: int  # by this member: somebody has to say what becomes of them
    tokens: tuple[ApiToken, ...]
    named_on: tuple[str, ...]  # shared mailboxes of others that name the member

    @property
    def is_nothing(self) -> bool:
        return not (self.mailboxes or self.queued or self.undecided or self.tokens or self.named_on)


@dataclass(frozen=True, slots=True)
class Plan:
    """Who goes on, and with what.

    `heir` is needed for whatever is handed over; `disconnect` are the mailboxes that are not. `default_id` is a shared
    mailbox that becomes the default in place of one that is disconnected, for all who had that.
    """

    heir: Member | None = None
    disconnect: frozenset[UUID] = frozenset()
    cancels_queued: bool = False
    default_id: UUID | None = None


class HeirNeeded(Exception):
    """Something is handed over, and nobody was named who takes it, or somebody who has left meanwhile."""


def what_breaks(by: Member, leaver: Membership) -> Leaving:
    """Raises NotAllowed. Mailboxes are named to administrators here though they may not read all of them."""
    require_may_leave(by, leaver)
    mailboxes = _mailboxes(leaver)
    default_id = Workspace.objects.values_list("default_mailbox_id", flat=True).get(pk=leaver.workspace_id)
    named = MailboxMember.objects.filter(user=leaver.user, mailbox__workspace=leaver.workspace_id)
    named = named.filter(mailbox__disconnected_at=None).exclude(mailbox__owner=leaver.user)
    written = _written(leaver)
    queued = tuple(written.filter(state=State.QUEUED).select_related("mailbox").defer("mime").order_by("send_at"))
    readable = set(readable_mailbox_ids(by))
    return Leaving(
        membership=leaver,
        mailboxes=tuple(
            OwnMailbox(
                mailbox,
                Submission.objects.filter(mailbox=mailbox, state=State.QUEUED).count(),
                mailbox.pk == default_id,
                tuple(str(one.user) for one in _usual_of(mailbox).exclude(pk=leaver.pk)),
            )
            for mailbox in mailboxes
        ),
        queued=queued,
        unseen=frozenset(one.pk for one in queued if one.mailbox_id not in readable),
        undecided=written.exclude(state=State.QUEUED).count(),
        tokens=tuple(ApiToken.objects.filter(membership=leaver).order_by("name")),
        named_on=tuple(named.order_by("mailbox__address").values_list("mailbox__address", flat=True)),
    )


def heirs(leaver: Membership) -> list[Membership]:
    """Who may take over: the members who stay."""
    staying = Membership.objects.filter(workspace=leaver.workspace_id, left_at=None, user__is_active=True)
    return list(staying.exclude(pk=leaver.pk).select_related("user").order_by("user__name", "user__email"))


@transaction.atomic
def off_board(by: Member, leaver: Membership, plan: Plan) -> Leaving:
    """Hand everything over, then end the membership; what there was. Raises NotAllowed and HeirNeeded."""
    lock_workspace(orm_connection(), leaver.workspace_id)  # before the rows that disconnecting locks
    locked = Membership.objects.select_for_update(of=("self",)).select_related("user", "workspace").get(pk=leaver.pk)
    leaving = what_breaks(by, locked)
    if plan.heir is not None and as_of_now(plan.heir) is None:
        raise HeirNeeded
    for own in leaving.mailboxes:
        if own.mailbox.pk in plan.disconnect:
            _replace_default(by, own.mailbox, plan.default_id)
            connect.take_away(by, own.mailbox, keep_history=True)
        else:
            pass_on(by, own.mailbox, _heir(plan).user)
    _hand_over_mail(by, locked, plan)
    take_off_lists(locked.workspace_id, locked.user)
    end_membership(by, locked)
    return leaving


def _heir(plan: Plan) -> Member:
    if plan.heir is None:
        raise HeirNeeded
    return plan.heir


def _mailboxes(leaver: Membership) -> Sequence[Mailbox]:
    own = Mailbox.objects.filter(workspace=leaver.workspace_id, owner=leaver.user, disconnected_at=None)
    return list(own.order_by("address"))


def _written(leaver: Membership) -> QuerySet[Submission]:
    return Submission.objects.filter(workspace=leaver.workspace_id, author=leaver.user, state__in=_OPEN)


def _usual_of(mailbox: Mailbox) -> QuerySet[Membership]:
    usual = Membership.objects.filter(workspace=mailbox.workspace_id, default_mailbox_id=mailbox.pk, left_at=None)
    return usual.select_related("user", "workspace").order_by("user__name")


def _replace_default(by: Member, mailbox: Mailbox, default_id: UUID | None) -> None:
    """Let another shared mailbox take the place of one that goes, for everybody who may send through it."""
    new_id: Any = None
    if default_id is not None and default_id != mailbox.pk:
        shared = Mailbox.objects.filter(workspace=mailbox.workspace_id, kind=Kind.SHARED, disconnected_at=None)
        new_id = shared.filter(pk=default_id, sends=True).values_list("pk", flat=True).first()
    if Workspace.objects.filter(pk=mailbox.workspace_id, default_mailbox_id=mailbox.pk).update(
        default_mailbox_id=new_id
    ):
        audit.record(by, "workspace.default_chosen" if new_id else "workspace.default_ended", mailbox.address)
    for one in _usual_of(mailbox):
        may = new_id and sendable_mailboxes(Member(one.workspace, one.user, one)).filter(pk=new_id).exists()
        Membership.objects.filter(pk=one.pk).update(default_mailbox_id=new_id if may else None)


def _hand_over_mail(by: Member, leaver: Membership, plan: Plan) -> None:
    """What waits leaves in the heir's name or not at all; what somebody has to decide about is the heir's."""
    queued = list(_written(leaver).filter(state=State.QUEUED).values_list("pk", "record_id"))
    if queued and plan.cancels_queued:
        ids = [submission_id for submission_id, _ in queued]
        Submission.objects.filter(pk__in=ids, state=State.QUEUED).update(state=State.CANCELLED)
        for submission_id, record_id in queued:
            announce(submission_id, record_id)
        audit.record(by, "member.mail_cancelled", f"{leaver.user.email}: {len(queued)}")
    # What was written from a mailbox that is disconnected stays its writer's: it may be private.
    rest = _written(leaver).filter(~Q(state=State.SENDING), mailbox__disconnected_at=None)
    if plan.heir is not None:
        rest.update(author=plan.heir.user)
    elif rest.filter(state=State.QUEUED).exists():
        raise HeirNeeded
