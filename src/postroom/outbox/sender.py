"""From which mailbox a message leaves: a pure choice, with its reason in words (DESIGN.md 7)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from uuid import UUID


@dataclass(frozen=True, slots=True)
class Sendable:
    """A mailbox the member may send through. `is_own` says that it is his personal one."""

    mailbox_id: UUID
    address: str
    name: str = ""
    is_own: bool = False


@dataclass(frozen=True, slots=True)
class SenderFacts:
    """What the choice depends on.

    `sendable` limits every choice. `thread_mailbox_ids` are the mailboxes the thread that is answered came to, best
    first; () for a new message. `wanted_id` is what the member chose by hand. The defaults are None when not set.
    """

    sendable: tuple[Sendable, ...]
    wanted_id: UUID | None = None
    thread_mailbox_ids: tuple[UUID, ...] = ()
    record_default_id: UUID | None = None
    member_default_id: UUID | None = None
    workspace_default_id: UUID | None = None


@dataclass(frozen=True, slots=True)
class Choice:
    """The mailbox a message leaves from. `reason` is a sentence for the composer."""

    mailbox_id: UUID
    address: str
    name: str
    reason: str


@dataclass(frozen=True, slots=True)
class NoChoice:
    """No mailbox fits; `code` is one of no_mailbox, mailbox_not_allowed, mailbox_not_chosen."""

    code: str
    reason: str


def choose(facts: SenderFacts) -> Choice | NoChoice:
    """The first rule that names a mailbox the member may send through decides."""
    allowed = {one.mailbox_id: one for one in facts.sendable}
    if not allowed:
        return NoChoice("no_mailbox", "There is no mailbox you may send from. Connect one, or ask an administrator.")
    if facts.wanted_id is not None and facts.wanted_id not in allowed:
        return NoChoice("mailbox_not_allowed", "You may not send from this mailbox. Choose another one.")
    for mailbox_id, reason in _rules(facts):
        if sendable := allowed.get(mailbox_id):
            return Choice(mailbox_id, sendable.address, sendable.name, reason.format(address=sendable.address))
    return NoChoice("mailbox_not_chosen", "Several mailboxes would do. Choose the one that it leaves from.")


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
    if len(facts.sendable) == 1:
        yield facts.sendable[0].mailbox_id, "{address} is the only mailbox you may send from."
    own = [one for one in facts.sendable if one.is_own]
    if len(own) == 1:
        yield own[0].mailbox_id, "{address} is your own mailbox."
