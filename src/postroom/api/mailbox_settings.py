"""What may be changed of a connected mailbox by PATCH /mailboxes/{id}, and how the API shows it."""

from __future__ import annotations

from typing import Annotated, Any
from uuid import UUID

from django.db import transaction
from ninja import Schema
from pydantic import Field

from postroom.api.fields import Line, MailAddress, Text
from postroom.api.problems import Problem, unfit
from postroom.mailboxes import settings
from postroom.mailboxes.handover import NotAMember, hand_over
from postroom.mailboxes.models import Keep, Mailbox, Sharing, Usage
from postroom.workspaces.members import Member
from postroom.workspaces.models import User

DisplayName = Annotated[Line, Field(max_length=200)]


class Access(Schema):
    """A member who may read a shared mailbox, and send through it too or not."""

    user_id: UUID
    can_send: bool = True


class Default(Schema):
    """Whether new messages start with the mailbox: the workspace's where nothing else says, or your own."""

    workspace: bool
    me: bool


class DefaultChange(Schema):
    workspace: bool | None = None
    me: bool | None = None


class MailboxChange(Schema):
    """`members` are who may use a shared mailbox besides its owner; an empty list is everybody. `signature` is HTML.

    `reply_to` and `signature` are taken away by "". `owner_id` gives it to another member.
    """

    display_name: DisplayName | None = None
    usage: Usage | None = None
    keep: Keep | None = None
    sharing: Sharing | None = None
    reads: bool | None = None
    sends: bool | None = None
    reply_to: MailAddress | Annotated[str, Field(max_length=0)] | None = None
    signature: Annotated[Text, Field(max_length=settings.LONGEST_SIGNATURE)] | None = None
    members: Annotated[list[Access], Field(max_length=1000)] | None = None
    default: DefaultChange | None = None
    owner_id: UUID | None = None


class MailboxSettings(Schema):
    """What a mailbox does, how it signs, and who may use it; `members` empty: everybody, or of a personal one nobody
    but its owner."""

    reads: bool = True
    sends: bool = True
    reply_to: str = ""
    signature: str = ""
    members: list[Access] = Field(default_factory=list)
    default: Default = Default(workspace=False, me=False)


def shown_settings(member: Member | None, mailbox: Mailbox) -> dict[str, Any]:
    """The values of MailboxSettings; without a member no default is his."""
    own = settings.own_identity(mailbox)
    is_default = mailbox.workspace.default_mailbox_id == mailbox.pk
    return {
        "reads": mailbox.reads,
        "sends": mailbox.sends,
        "reply_to": own.reply_to,
        "signature": own.signature,
        "members": [Access(user_id=one.user_id, can_send=one.can_send) for one in mailbox.members.all()],
        "default": Default(
            workspace=is_default, me=bool(member and member.membership.default_mailbox_id == mailbox.pk)
        ),
    }


@transaction.atomic
def change(member: Member, mailbox: Mailbox, body: MailboxChange) -> None:
    """Make the changes, the new owner last: then the mailbox may be somebody else's. Raises Problem."""
    typed = body.model_dump(exclude_unset=True, exclude={"members", "default", "owner_id"})
    access = None
    if body.members is not None:
        access = tuple(settings.Access(one.user_id, one.can_send) for one in body.members)
    heir = _heir(mailbox, body.owner_id) if body.owner_id is not None else None
    try:
        settings.change(member, mailbox, settings.Change(**typed, access=access))
        if body.default is not None:
            settings.choose_default(member, mailbox, for_workspace=body.default.workspace, for_me=body.default.me)
        if heir is not None:
            hand_over(member, mailbox, heir)
    except settings.Unfit as refused:
        raise unfit({"access": "members"}.get(refused.field, refused.field), refused.words) from refused
    except NotAMember as error:
        raise Problem("not_found") from error


def _heir(mailbox: Mailbox, user_id: UUID) -> User:
    found = next((one.user for one in settings.colleagues(mailbox) if one.user_id == user_id), None)
    if found is None:
        raise unfit("owner_id", "Choose from the members of the workspace.")
    return found
