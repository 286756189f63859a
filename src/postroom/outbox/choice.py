"""Loads the facts for the choice of the sender."""

from __future__ import annotations

from uuid import UUID

from postroom.correspondence.models import Direction, Message, Participant, Placement
from postroom.mail.address import address_key
from postroom.mailboxes.access import sendable_mailboxes
from postroom.mailboxes.models import Kind, Mailbox
from postroom.outbox.sender import Choice, NoChoice, Sendable, SenderFacts, choose
from postroom.workspaces.members import Member


def choice_for(
    member: Member,
    record_type: int | None = None,
    record_id: UUID | None = None,
    in_reply_to: UUID | None = None,
    *,
    mailbox_id: UUID | None = None,
) -> Choice | None:
    """The mailbox a message of the member would leave from, and why; None when he has to choose or has none.

    `in_reply_to` is a Message's id that the caller has found to be visible; `mailbox_id` is what was chosen by hand.
    """
    choice = choice_or_reason(member, record_type, record_id, in_reply_to, mailbox_id=mailbox_id)
    return choice if isinstance(choice, Choice) else None


def choice_or_reason(
    member: Member,
    record_type: int | None = None,
    record_id: UUID | None = None,
    in_reply_to: UUID | None = None,
    *,
    mailbox_id: UUID | None = None,
) -> Choice | NoChoice:
    """The same, with the reason when no mailbox fits. Records have no default mailbox yet."""
    mailboxes = list(sendable_mailboxes(member).prefetch_related("identities"))
    facts = SenderFacts(
        sendable=tuple(
            Sendable(one.pk, one.address, sender_name(member, one), is_own=_is_own(member, one)) for one in mailboxes
        ),
        wanted_id=mailbox_id,
        thread_mailbox_ids=_thread_mailbox_ids(member, in_reply_to, mailboxes) if in_reply_to else (),
        member_default_id=member.membership.default_mailbox_id,
    )
    return choose(facts)


def sender_name(member: Member, mailbox: Mailbox) -> str:
    """The name beside the address: the identity's, the mailbox's, or the member's own on his personal mailbox."""
    of_identity = [one.name for one in mailbox.identities.all() if one.is_default and one.name]
    own = member.user.name if _is_own(member, mailbox) else ""
    return (of_identity[0] if of_identity else "") or mailbox.display_name or own


def _is_own(member: Member, mailbox: Mailbox) -> bool:
    return mailbox.kind == Kind.PERSONAL and mailbox.owner_id == member.user.pk


def _thread_mailbox_ids(member: Member, message_id: UUID, mailboxes: list[Mailbox]) -> tuple[UUID, ...]:
    """Where the thread came to: mailboxes the answered message names first, then those that hold it, then the rest."""
    message = Message.objects.filter(workspace_id=member.workspace_id, pk=message_id).first()
    if message is None:
        return ()
    roles = ("from",) if message.direction == Direction.OUT else ("to", "cc")
    named = set(Participant.objects.filter(message_id=message.pk, role__in=roles).values_list("key", flat=True))
    holding = set(Placement.objects.filter(message_id=message.pk).values_list("mailbox_id", flat=True))
    siblings = Message.objects.filter(workspace_id=member.workspace_id, thread_id=message.thread_id)
    around = set(Placement.objects.filter(message_id__in=siblings.values("pk")).values_list("mailbox_id", flat=True))

    def rank(mailbox: Mailbox) -> tuple[bool, bool]:
        return address_key(mailbox.address) not in named, mailbox.pk not in holding

    fitting = [one for one in mailboxes if one.pk in around]
    return tuple(one.pk for one in sorted(fitting, key=rank))
