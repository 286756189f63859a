"""Letters of Postroom itself to members of a workspace, through a shared mailbox of it that works.

What a letter is about cannot be trusted to carry it: `besides` names the mailbox, and mailboxes whose registration is
refused carry none. Where no mailbox is left nothing is claimed: the letter goes once, as soon as one can carry it, and
every page tells those concerned meanwhile.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import TypeVar
from uuid import UUID

from django.db import transaction
from django.db.models import Exists, F, OuterRef, QuerySet

from postroom.engine.outage import is_outage
from postroom.mail.message import Address
from postroom.mailboxes.models import DirectionState, Kind, Mailbox, OAuthApp
from postroom.outbox.composition import Composition, SubmitRefused
from postroom.outbox.sender import Choice
from postroom.outbox.submit import submit_notice
from postroom.workspaces.models import User

log = logging.getLogger(__name__)

Key = TypeVar("Key")


@dataclass(frozen=True, slots=True)
class Letter:
    """The same words for everybody; each person is greeted by name."""

    subject: str
    lines: tuple[str, ...]

    def to(self, person: User) -> Composition:
        greeting = f"Hello {person.name}," if person.name else "Hello,"
        text = "\n".join([greeting, "", *self.lines]) + "\n"
        return Composition(to=(Address(person.email, person.name),), subject=self.subject, text=text)


def tell_each(waiting: Iterable[Key], tell: Callable[[Key], int]) -> int:
    """Tell of each that waits, each in a transaction of its own; return to how many people.

    A supervisor: what cannot be told is logged, and waits for the next run; it keeps nothing else waiting.
    """
    told = 0
    for key in waiting:
        try:
            with transaction.atomic():
                told += tell(key)
        except Exception as error:
            if is_outage(error):
                raise  # the others would fail as well
            log.exception("a letter about %s could not be written", key)
    return told


def send_letter(sender: Mailbox, people: Sequence[User], letter: Letter) -> int:
    """Queue one letter to each; return to how many. Call it in the transaction that claims who is told."""
    choice = Choice(sender.pk, sender.address, "Postroom", "It works, and what the letter is about cannot tell itself.")
    told = 0
    for person in people:
        try:
            with transaction.atomic():
                submit_notice(sender, choice, letter.to(person))
            told += 1
        except SubmitRefused as error:
            log.warning("a letter to a member was refused", extra={"mailbox_id": sender.pk, "code": error.code})
    return told


def find_sender(workspace_id: UUID, besides: UUID | None = None) -> Mailbox | None:
    """A shared mailbox that works, the one that sent last."""
    there = _senders().filter(workspace_id=workspace_id)
    there = there.exclude(pk=besides) if besides else there
    return there.order_by(F("last_sent_at").desc(nulls_last=True), "created_at").first()


def has_sender(*, besides: str = "") -> Exists:
    """Rows of a workspace that have a mailbox to carry a letter; `besides` names the column of one that cannot."""
    there = _senders().filter(workspace_id=OuterRef("workspace_id"))
    return Exists(there.exclude(pk=OuterRef(besides)) if besides else there)


def _senders() -> QuerySet[Mailbox]:
    refused = OAuthApp.objects.filter(workspace_id=OuterRef("workspace_id"), provider=OuterRef("grant__app"))
    working = Mailbox.objects.filter(
        kind=Kind.SHARED,
        sends=True,
        disconnected_at=None,
        paused_at=None,
        error_code="",
        needs_reconnect=False,
    )
    return working.exclude(sending_state__in=(DirectionState.FAILING, DirectionState.OFF)).exclude(
        Exists(refused.exclude(error_code=""))
    )


def each_once(people: Iterable[User]) -> list[User]:
    """Those who can sign in, in the order given."""
    return list({person.pk: person for person in people if person.is_active}.values())


def numbered(steps: Sequence[str]) -> list[str]:
    """What to do, as a letter says it; [] where there is nothing to do."""
    return ["", "What to do:", *(f"{number}. {step}" for number, step in enumerate(steps, 1))] if steps else []
