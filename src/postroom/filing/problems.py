"""Messages that are kept without their text, for whoever administers the workspace."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from django.db.models import QuerySet

from postroom.correspondence.models import Message, Placement
from postroom.filing.access import find_message
from postroom.mail.mime.parsing import PARSER_VERSION
from postroom.mailboxes.models import Mailbox
from postroom.workspaces.members import Member

MOST_LISTED = 200


@dataclass(frozen=True, slots=True)
class ProblemMessage:
    """A message that could not be read, or was too large. `size` in octets; `problem` as in Message.

    `mailboxes` are the addresses of those that hold it. `message` is None where the member may not see it: that it is
    there and how large it is does not tell what it is about. `waits_for_version`: this version has tried; else it is
    fetched and read again soon.
    """

    message_id: UUID
    at: datetime
    size: int
    problem: str
    mailboxes: tuple[str, ...]
    message: Message | None
    waits_for_version: bool


def problem_messages(member: Member) -> list[ProblemMessage]:
    """The newest of them, at most MOST_LISTED; none for whoever does not administer the workspace."""
    if not member.can_administer:
        return []
    found = list(_problems(member).order_by("-at")[:MOST_LISTED])
    addresses = _addresses(member, [message.pk for message in found])
    return [
        ProblemMessage(
            message_id=message.pk,
            at=message.at,
            size=message.size,
            problem=message.problem,
            mailboxes=tuple(addresses.get(message.pk, ())),
            message=find_message(member, message.pk),
            waits_for_version=message.parser_version >= PARSER_VERSION,
        )
        for message in found
    ]


def count_problems(member: Member) -> int:
    return _problems(member).count() if member.can_administer else 0


def _problems(member: Member) -> QuerySet[Message]:
    return Message.objects.filter(workspace_id=member.workspace_id).exclude(problem="")


def _addresses(member: Member, message_ids: Sequence[UUID]) -> dict[UUID, list[str]]:
    """By message, the addresses of the mailboxes it lies in, sorted."""
    placed = Placement.objects.filter(message_id__in=message_ids).values_list("message_id", "mailbox_id").distinct()
    names = dict(Mailbox.objects.filter(workspace=member.workspace).values_list("pk", "address"))
    found: dict[UUID, list[str]] = {}
    for message_id, mailbox_id in placed:
        found.setdefault(message_id, []).append(names.get(mailbox_id, ""))
    return {message_id: sorted(filter(None, held)) for message_id, held in found.items()}
