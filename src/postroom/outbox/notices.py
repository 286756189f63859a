"""Letters of Postroom itself to members of a workspace, through a shared mailbox of it that works.

What a letter is about cannot be trusted to carry it: `besides` names the mailbox, and mailboxes whose registration is
refused carry none. Where no mailbox is left the log says so, and every page tells those concerned anyway.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from uuid import UUID

from django.db import transaction
from django.db.models import F

from postroom.mail.message import Address
from postroom.mailboxes.models import DirectionState, Kind, Mailbox, OAuthApp
from postroom.outbox.composition import Composition, SubmitRefused
from postroom.outbox.sender import Choice
from postroom.outbox.submit import submit_notice
from postroom.workspaces.models import User

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Letter:
    """The same words for everybody; each person is greeted by name."""

    subject: str
    lines: tuple[str, ...]

    def to(self, person: User) -> Composition:
        greeting = f"Hello {person.name}," if person.name else "Hello,"
        text = "\n".join([greeting, "", *self.lines]) + "\n"
        return Composition(to=(Address(person.email, person.name),), subject=self.subject, text=text)


def send_letter(workspace_id: UUID, people: Sequence[User], letter: Letter, besides: UUID | None = None) -> int:
    """Queue one letter to each; return to how many. Call it in the transaction that claims who is told."""
    sender = find_sender(workspace_id, besides)
    if sender is None:
        log.warning("no mailbox is there to write to anybody", extra={"workspace_id": workspace_id})
        return 0
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
    refused = OAuthApp.objects.filter(workspace_id=workspace_id).exclude(error_code="").values("provider")
    working = Mailbox.objects.filter(
        workspace_id=workspace_id,
        kind=Kind.SHARED,
        sends=True,
        disconnected_at=None,
        paused_at=None,
        error_code="",
        needs_reconnect=False,
    )
    if besides is not None:
        working = working.exclude(pk=besides)
    return (
        working.exclude(grant__app__in=refused)
        .exclude(sending_state__in=(DirectionState.FAILING, DirectionState.OFF))
        .order_by(F("last_sent_at").desc(nulls_last=True), "created_at")
        .first()
    )


def each_once(people: Iterable[User]) -> list[User]:
    """Those who can sign in, in the order given."""
    return list({person.pk: person for person in people if person.is_active}.values())


def numbered(steps: Sequence[str]) -> list[str]:
    """What to do, as a letter says it; [] where there is nothing to do."""
    return ["", "What to do:", *(f"{number}. {step}" for number, step in enumerate(steps, 1))] if steps else []
