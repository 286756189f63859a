"""Loads the facts for the choice of the sender."""

from __future__ import annotations

from collections.abc import Iterator
from uuid import UUID

from postroom.correspondence.models import Direction, Message, Participant, Placement
from postroom.mail.address import address_key
from postroom.mailboxes.access import readable_mailboxes, sendable_mailboxes
from postroom.mailboxes.models import DirectionState, Identity, Kind, Mailbox
from postroom.outbox.sender import Choice, NoChoice, Sendable, SenderFacts, choose
from postroom.workspaces.approval import is_offered, policy_of
from postroom.workspaces.members import Member
from postroom.workspaces.models import ConnectPolicy


def choice_for(
    member: Member,
    record_type: int | None = None,
    record_id: UUID | None = None,
    in_reply_to: UUID | None = None,
    *,
    mailbox_id: UUID | None = None,
    from_address: str = "",
) -> Choice | None:
    """The address a message of the member would leave from, and why; None when he has to choose or has none.

    `in_reply_to` is a Message's id that the caller has found to be visible; `mailbox_id` and `from_address` are what
    was chosen by hand.
    """
    choice = choice_or_reason(
        member, record_type, record_id, in_reply_to, mailbox_id=mailbox_id, from_address=from_address
    )
    return choice if isinstance(choice, Choice) else None


def choice_or_reason(
    member: Member,
    record_type: int | None = None,
    record_id: UUID | None = None,
    in_reply_to: UUID | None = None,
    *,
    mailbox_id: UUID | None = None,
    from_address: str = "",
) -> Choice | NoChoice:
    """The same, with the reason when no mailbox fits. Records have no default mailbox yet."""
    mailboxes = list(sendable_mailboxes(member).prefetch_related("identities"))
    message = None
    if in_reply_to is not None:
        message = Message.objects.filter(workspace_id=member.workspace_id, pk=in_reply_to).first()
    keys = _keys_of(message) if message else ()
    policy = policy_of(member.workspace)
    facts = SenderFacts(
        sendable=tuple(one for mailbox in mailboxes for one in _addresses_of(member, mailbox, policy)),
        wanted_id=mailbox_id,
        wanted_address=from_address,
        thread_mailbox_ids=_thread_mailbox_ids(message, keys, mailboxes) if message else (),
        thread_keys=keys,
        member_default_id=member.membership.default_mailbox_id,
        workspace_default_id=member.workspace.default_mailbox_id,
        out_of_use=_out_of_use(member, mailboxes),
    )
    return choose(facts)


def sendable_addresses(member: Member) -> list[Sendable]:
    """Every address the member may send from: each mailbox's own, then its others at domains that are allowed."""
    mailboxes = sendable_mailboxes(member).prefetch_related("identities")
    policy = policy_of(member.workspace)
    return [one for mailbox in mailboxes for one in _addresses_of(member, mailbox, policy)]


def _addresses_of(member: Member, mailbox: Mailbox, policy: ConnectPolicy) -> Iterator[Sendable]:
    is_own = _is_own(member, mailbox)
    name = mailbox.display_name or (member.user.name if is_own else "")
    own_key = address_key(mailbox.address)
    by_key: dict[str, Identity] = {}
    for identity in sorted(mailbox.identities.all(), key=lambda one: (not one.is_default, one.address)):
        by_key.setdefault(address_key(identity.address), identity)
    own = by_key.pop(own_key, None)
    yield Sendable(
        mailbox_id=mailbox.pk,
        address=mailbox.address,
        name=(own.name if own else "") or name,
        is_own=is_own,
        reply_to=own.reply_to if own else "",
        signature=own.signature if own else "",
    )
    for identity in by_key.values():
        if not is_offered(policy, identity.address, mailbox.address):
            continue
        yield Sendable(
            mailbox_id=mailbox.pk,
            address=identity.address,
            name=identity.name or (own.name if own else "") or name,
            is_own=is_own,
            is_alias=True,
            reply_to=identity.reply_to,
            signature=identity.signature,
        )


def _out_of_use(member: Member, sendable: list[Mailbox]) -> dict[UUID, str]:
    """Why nothing leaves from a default, of those that the member may know of."""
    named = (
        (member.workspace.default_mailbox_id, "the workspace's default"),
        (member.membership.default_mailbox_id, "your usual mailbox"),
    )
    defaults = {pk: words for pk, words in named if pk is not None}
    gone = defaults.keys() - {mailbox.pk for mailbox in sendable}
    found = readable_mailboxes(member).filter(pk__in=gone) if gone else ()
    return {one.pk: f"{one.address}, {defaults[one.pk]}, {_why_not(one)}." for one in found}


def _why_not(mailbox: Mailbox) -> str:
    if mailbox.disconnected_at is not None:
        return "is disconnected"
    if not mailbox.sends:
        return "does not send"
    if mailbox.sending_state == DirectionState.OFF:
        return "was not allowed to send"
    return "is not yours to send from"


def _is_own(member: Member, mailbox: Mailbox) -> bool:
    return mailbox.kind == Kind.PERSONAL and mailbox.owner_id == member.user.pk


def _keys_of(message: Message) -> tuple[str, ...]:
    """The address keys that a message came to, or left from."""
    roles = ("from",) if message.direction == Direction.OUT else ("to", "cc")
    named = Participant.objects.filter(message_id=message.pk, role__in=roles).order_by("-role", "position")
    return tuple(dict.fromkeys(named.values_list("key", flat=True)))


def _thread_mailbox_ids(message: Message, keys: tuple[str, ...], mailboxes: list[Mailbox]) -> tuple[UUID, ...]:
    """Where the thread came to: mailboxes the answered message names first, then those that hold it, then the rest."""
    holding = set(Placement.objects.filter(message_id=message.pk).values_list("mailbox_id", flat=True))
    siblings = Message.objects.filter(workspace_id=message.workspace_id, thread_id=message.thread_id)
    around = set(Placement.objects.filter(message_id__in=siblings.values("pk")).values_list("mailbox_id", flat=True))

    def rank(mailbox: Mailbox) -> tuple[bool, bool, bool]:
        aliases = {address_key(one.address) for one in mailbox.identities.all()}
        is_named = address_key(mailbox.address) in keys
        return not (is_named or aliases.intersection(keys)), not is_named, mailbox.pk not in holding

    fitting = [one for one in mailboxes if one.pk in around]
    return tuple(one.pk for one in sorted(fitting, key=rank))
