"""From which address a message leaves: a pure choice, with its reason in words (DESIGN.md 7)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from uuid import UUID

from postroom.mail.address import address_key


@dataclass(frozen=True, slots=True)
class Sendable:
    """An address the member may send from: a mailbox's own, or one of its others (`is_alias`).

    `is_own` says that the mailbox is his personal one. `signature` is HTML.
    """

    mailbox_id: UUID
    address: str
    name: str = ""
    is_own: bool = False
    is_alias: bool = False
    reply_to: str = ""
    signature: str = field(default="", repr=False)


@dataclass(frozen=True, slots=True)
class SenderFacts:
    """What the choice depends on.

    `sendable` limits every choice. `thread_mailbox_ids` are the mailboxes the thread that is answered came to, best
    first, and `thread_keys` the address keys it came to; () for a new message. `wanted_id` and `wanted_address` are
    what the member chose by hand, either of them or both. The defaults are None when not set; `out_of_use` says in a
    sentence of each that nothing leaves from why it is passed over.
    """

    sendable: tuple[Sendable, ...]
    wanted_id: UUID | None = None
    wanted_address: str = ""
    thread_mailbox_ids: tuple[UUID, ...] = ()
    thread_keys: tuple[str, ...] = ()
    record_default_id: UUID | None = None
    member_default_id: UUID | None = None
    workspace_default_id: UUID | None = None
    out_of_use: Mapping[UUID, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Choice:
    """The mailbox and the address a message leaves from. `reason` is a sentence for the composer."""

    mailbox_id: UUID
    address: str
    name: str
    reason: str
    reply_to: str = ""
    signature: str = field(default="", repr=False)


@dataclass(frozen=True, slots=True)
class NoChoice:
    """Nothing fits; `code` is one of no_mailbox, mailbox_not_allowed, address_not_allowed, mailbox_not_chosen."""

    code: str
    reason: str


def choose(facts: SenderFacts) -> Choice | NoChoice:
    """The first rule that names a mailbox the member may send through decides; within it, the address that fits."""
    allowed = {one.mailbox_id: one for one in reversed(facts.sendable)}
    if not allowed:
        return NoChoice("no_mailbox", "There is no mailbox you may send from. Connect one, or ask an administrator.")
    if facts.wanted_id is not None and facts.wanted_id not in allowed:
        return NoChoice("mailbox_not_allowed", "You may not send from this mailbox. Choose another one.")
    if facts.wanted_address:
        return _by_address(facts)
    passed_over: dict[str, None] = {}  # both defaults may be one mailbox
    for mailbox_id, reason in _rules(facts):
        if mailbox_id in allowed:
            return _choice(_address_of(facts, mailbox_id), reason, passed_over)
        if mailbox_id in facts.out_of_use:
            passed_over[facts.out_of_use[mailbox_id]] = None
    words = " ".join([*passed_over, "Several mailboxes would do. Choose the one that it leaves from."])
    return NoChoice("mailbox_not_chosen", words)


def _rules(facts: SenderFacts) -> Iterator[tuple[UUID, str]]:
    """Mailboxes with their reasons in the order of DESIGN.md 7, allowed or not."""
    if facts.wanted_id is not None:
        yield facts.wanted_id, "You chose {address}."
    for mailbox_id in facts.thread_mailbox_ids:
        yield mailbox_id, "The conversation came to {address}."
    if facts.record_default_id is not None:
        yield facts.record_default_id, "{address} is the default of this record."
    if facts.member_default_id is not None:
        yield facts.member_default_id, "You usually write from {address}."
    if facts.workspace_default_id is not None:
        yield facts.workspace_default_id, "{address} is the workspace's default."
    if len({one.mailbox_id for one in facts.sendable}) == 1:
        yield facts.sendable[0].mailbox_id, "{address} is the only mailbox you may send from."
    own = {one.mailbox_id for one in facts.sendable if one.is_own}
    if len(own) == 1:
        yield own.pop(), "{address} is your own mailbox."


def _address_of(facts: SenderFacts, mailbox_id: UUID) -> Sendable:
    """The mailbox's own address, unless it was chosen for a thread that came to another one of it."""
    addresses = [one for one in facts.sendable if one.mailbox_id == mailbox_id]
    own = next((one for one in addresses if not one.is_alias), addresses[0])
    if facts.wanted_id is None and mailbox_id in facts.thread_mailbox_ids:
        named = [one for one in addresses if address_key(one.address) in facts.thread_keys]
        if named and own not in named:
            return min(named, key=lambda one: facts.thread_keys.index(address_key(one.address)))
    return own


def _by_address(facts: SenderFacts) -> Choice | NoChoice:
    """What was asked for by its address. Of several mailboxes that have it, the one whose own it is comes first."""
    wanted = address_key(facts.wanted_address)
    fitting = [one for one in facts.sendable if address_key(one.address) == wanted]
    if facts.wanted_id is not None:
        fitting = [one for one in fitting if one.mailbox_id == facts.wanted_id]
    if not fitting:
        words = f"You may not send from {facts.wanted_address}. Choose another address."
        return NoChoice("address_not_allowed", words)
    order = {mailbox_id: number for number, mailbox_id in enumerate(facts.thread_mailbox_ids)}
    return _choice(
        min(fitting, key=lambda one: (one.is_alias, order.get(one.mailbox_id, len(order)))), "You chose {address}."
    )


def _choice(one: Sendable, reason: str, passed_over: Iterable[str] = ()) -> Choice:
    words = " ".join([*passed_over, reason.format(address=one.address)])
    return Choice(one.mailbox_id, one.address, one.name, words, one.reply_to, one.signature)
