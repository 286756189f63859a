"""/members: who belongs to the workspace; taking somebody off it, first what would break, then who goes on with it."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated
from uuid import UUID

from ninja import Router, Schema
from pydantic import Field

from postroom.api import schemas
from postroom.api.auth import ApiRequest
from postroom.api.mailboxes import show_person
from postroom.api.paging import PageOf, PageQuery, page
from postroom.api.problems import Problem, unfit
from postroom.mailboxes.access import sendable_mailboxes
from postroom.mailboxes.models import Kind
from postroom.outbox import offboarding
from postroom.outbox.models import Submission
from postroom.workspaces.members import Member
from postroom.workspaces.models import Membership, Role, User
from postroom.workspaces.people import NotAllowed

MOST_MAILBOXES = 1000

router = Router(tags=["members"])
Ids = Annotated[list[UUID], Field(max_length=MOST_MAILBOXES)]


class WorkspaceMember(schemas.Person):
    """A member of the workspace, with what he may do: owner, admin or member."""

    role: Role


class LeaversMailbox(Schema):
    """A mailbox of who leaves. `queued` messages wait to leave from it; `usual_of` are others who write from it."""

    id: UUID
    address: str
    kind: str
    queued: int
    is_workspace_default: bool
    usual_of: list[str]


class LeaversMessage(Schema):
    """A message of who leaves that is not sent yet. Without `subject` it is none of yours to read."""

    id: UUID
    send_at: datetime
    sender: str
    subject: str | None


class Leaving(Schema):
    """What others depend on. `undecided` messages did not leave, or may not have; the new owner decides about them.

    `tokens` end, with what uses them; `named_on` are mailboxes of others that name who leaves.
    """

    person: schemas.Person
    mailboxes: list[LeaversMailbox]
    queued: list[LeaversMessage]
    undecided: int
    tokens: list[str]
    named_on: list[str]


class LeavingIn(Schema):
    """Who goes on, and with what. Each mailbox stands in `hand_over` or in `disconnect`; what is disconnected keeps its
    history as it was shared. `default_mailbox_id` is a shared mailbox that takes the place of one that goes.

    `heir_id` is the member who takes what is handed over, and in whose name queued messages leave unless
    `cancel_queued`.
    """

    heir_id: UUID | None = None
    hand_over: Ids = Field(default_factory=list)
    disconnect: Ids = Field(default_factory=list)
    cancel_queued: bool = False
    default_mailbox_id: UUID | None = None


@router.get("", response=schemas.Page[WorkspaceMember])
def list_members(request: ApiRequest, asked: PageQuery = PageOf) -> schemas.Page[WorkspaceMember]:
    """Who belongs to the workspace. Owners and admins."""
    if not request.auth.can_administer:
        raise Problem("not_allowed")
    staying = Membership.objects.filter(workspace=request.auth.workspace, left_at=None)
    roles = dict(staying.values_list("user_id", "role"))
    return page(
        User.objects.filter(pk__in=roles.keys()),
        asked,
        schemas.Page[WorkspaceMember],
        lambda user: WorkspaceMember(**show_person(user).model_dump(), role=Role(roles[user.pk])),
    )


@router.get("/{uuid:member_id}/leaving", response=Leaving)
def read_leaving(request: ApiRequest, member_id: UUID) -> Leaving:
    """What would break if the member left. Owners and admins; nothing is changed."""
    return show_leaving(_what_breaks(request.auth, _leaver(request.auth, member_id)))


@router.post("/{uuid:member_id}/leaving", response=Leaving)
def take_off(request: ApiRequest, member_id: UUID, body: LeavingIn) -> Leaving:
    """Hand everything over and end the membership, at once or not at all; the answer is what there was.

    Sessions and tokens end. Owners and admins; only an owner takes an owner off, and nobody himself.
    """
    leaver = _leaver(request.auth, member_id)
    plan = _plan(request.auth, _what_breaks(request.auth, leaver), body)
    try:
        return show_leaving(offboarding.off_board(request.auth, leaver, plan))
    except offboarding.HeirNeeded as error:
        raise unfit("heir_id", "Choose who goes on with it.") from error
    except NotAllowed as refused:  # somebody else was quicker
        raise Problem("not_allowed", str(refused)) from refused


def show_leaving(leaving: offboarding.Leaving) -> Leaving:
    return Leaving(
        person=show_person(leaving.membership.user),
        mailboxes=[
            LeaversMailbox(
                id=own.mailbox.pk,
                address=own.mailbox.address,
                kind=own.mailbox.kind,
                queued=own.queued,
                is_workspace_default=own.is_workspace_default,
                usual_of=list(own.usual_of),
            )
            for own in leaving.mailboxes
        ],
        queued=[_show_message(one, is_seen=one.pk not in leaving.unseen) for one in leaving.queued],
        undecided=leaving.undecided,
        tokens=[token.name for token in leaving.tokens],
        named_on=list(leaving.named_on),
    )


def _leaver(member: Member, user_id: UUID) -> Membership:
    """A colleague, for who may take somebody off; to everybody else there is nothing here."""
    staying = Membership.objects.filter(workspace=member.workspace, left_at=None, user_id=user_id)
    leaver = staying.select_related("user", "workspace").first() if member.can_administer else None
    if leaver is None:
        raise Problem("not_found")
    return leaver


def _what_breaks(member: Member, leaver: Membership) -> offboarding.Leaving:
    try:
        return offboarding.what_breaks(member, leaver)
    except NotAllowed as refused:
        raise Problem("not_allowed", str(refused)) from refused


def _plan(member: Member, leaving: offboarding.Leaving, body: LeavingIn) -> offboarding.Plan:
    """The body as off-boarding takes it. Raises Problem where a mailbox has no place in it, or two."""
    own = {one.mailbox.pk: one.mailbox.address for one in leaving.mailboxes}
    decided = [*body.hand_over, *body.disconnect]
    if missing := sorted(address for pk, address in own.items() if pk not in decided):
        raise unfit(
            "hand_over", f"Say of each mailbox whether it is handed over or disconnected: {', '.join(missing)}."
        )
    if len(decided) != len(own) or set(decided) != own.keys():
        raise unfit("hand_over", "Name each mailbox of this member once, and no other.")
    heir = next((one for one in offboarding.heirs(leaving.membership) if one.user_id == body.heir_id), None)
    if body.heir_id is not None and heir is None:
        raise unfit("heir_id", "Choose from the members who stay.")
    if body.default_mailbox_id is not None:
        shared = sendable_mailboxes(member).filter(kind=Kind.SHARED).exclude(pk__in=own)
        if not shared.filter(pk=body.default_mailbox_id).exists():
            raise unfit("default_mailbox_id", "Choose a shared mailbox that you may send from and that stays.")
    return offboarding.Plan(
        heir=Member(heir.workspace, heir.user, heir) if heir else None,
        disconnect=frozenset(body.disconnect),
        cancels_queued=body.cancel_queued,
        default_id=body.default_mailbox_id,
    )


def _show_message(one: Submission, *, is_seen: bool) -> LeaversMessage:
    return LeaversMessage(
        id=one.pk, send_at=one.send_at, sender=one.from_address, subject=one.subject if is_seen else None
    )
