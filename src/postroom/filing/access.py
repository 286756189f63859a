"""The only way to get messages: what one member may see, and how much of it (DESIGN.md 8).

A member sees all of the mail in mailboxes he may read and of what was sent through them. Of a colleague's personal
mailbox he sees what is on a record, as far as its owner shares: everything, the subject, or only who wrote to whom and
when. Messages come out of here masked accordingly, so that no page can show what it should not.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.db.models import Case, Exists, OuterRef, Q, QuerySet, TextField, Value, When
from django.db.models.query import ModelIterable

from postroom.correspondence.models import Message, Participant, Placement
from postroom.filing.models import Filing
from postroom.mailboxes.access import readable_mailbox_ids
from postroom.mailboxes.models import Kind, Mailbox, Sharing
from postroom.outbox.models import Submission
from postroom.workspaces.members import Member

LEVELS = (Sharing.EVERYTHING.value, Sharing.SUBJECT.value, Sharing.METADATA.value)


@dataclass(frozen=True, slots=True)
class Reach:
    """Mailbox ids by what a member sees of their mail: those he may read, and others' personal ones by level."""

    workspace_id: UUID
    readable: tuple[UUID, ...]
    shared: dict[str, tuple[UUID, ...]]

    @classmethod
    def of(cls, member: Member) -> Reach:
        readable = tuple(readable_mailbox_ids(member))
        others = Mailbox.objects.filter(workspace=member.workspace, kind=Kind.PERSONAL).exclude(pk__in=readable)
        shared: dict[str, tuple[UUID, ...]] = {}
        for mailbox_id, sharing in others.exclude(sharing=Sharing.NOTHING).values_list("pk", "sharing"):
            shared[sharing] = (*shared.get(sharing, ()), mailbox_id)
        return cls(member.workspace_id, readable, shared)

    @property
    def mailbox_ids(self) -> tuple[UUID, ...]:
        """All mailboxes that may be named beside a message."""
        return (*self.readable, *(mailbox_id for ids in self.shared.values() for mailbox_id in ids))

    def level_of(self, mailbox_ids: Collection[UUID], *, was_sent: bool) -> str:
        """What is seen of a filed message that lies in these mailboxes; "" for nothing."""
        if was_sent or not set(mailbox_ids).isdisjoint(self.readable):
            return LEVELS[0]
        return next((level for level in LEVELS if not set(mailbox_ids).isdisjoint(self.shared.get(level, ()))), "")


class _MaskedIterable(ModelIterable):  # type: ignore[type-arg]
    """Yields messages without what their `shared` level hides."""

    def __iter__(self) -> Iterator[Any]:
        for message in super().__iter__():
            mask(message, message.shared)
            yield message


def visible_messages(member: Member) -> QuerySet[Message]:
    """Messages the member may see, each with `shared`: "everything", "subject" or "metadata".

    Instances come masked; `values()` does not, so do not take subject or snippet that way.
    """
    reach = Reach.of(member)
    filed = Exists(Filing.objects.filter(message_id=OuterRef("pk"), removed_by_id=None))
    sent = Submission.objects.filter(message_id=OuterRef("pk"), mailbox_id__in=reach.readable)
    levels = [When(Q(_lies_in(reach.readable)) | Q(Exists(sent)), then=Value(LEVELS[0]))]
    levels += [When(_lies_in(ids) & filed, then=Value(level)) for level in LEVELS if (ids := reach.shared.get(level))]
    messages = Message.objects.filter(workspace_id=member.workspace_id)
    messages = messages.annotate(shared=Case(*levels, default=Value(""), output_field=TextField())).exclude(shared="")
    messages._iterable_class = _MaskedIterable
    return messages


def known_participants(member: Member) -> QuerySet[Participant]:
    """Who is on which of the workspace's messages: blind copies only of what lies in a mailbox that the member may
    read, or was sent through one. Which messages he may see at all, `visible_messages` says."""
    reach = Reach.of(member)
    here = Placement.objects.filter(message_id=OuterRef("message_id"), mailbox_id__in=reach.readable)
    sent = Submission.objects.filter(message_id=OuterRef("message_id"), mailbox_id__in=reach.readable)
    people = Participant.objects.filter(workspace_id=member.workspace_id)
    return people.filter(~Q(role="bcc") | Exists(here) | Exists(sent))


def find_message(member: Member, message_id: UUID) -> Message | None:
    """The message, masked, if the member may see it."""
    return visible_messages(member).filter(pk=message_id).first()


def problem_messages(member: Member) -> QuerySet[Message]:
    """Messages whose text is not here (Message.problem), newest first, as far as the member may see them; masked."""
    return visible_messages(member).exclude(problem="").order_by("-at", "-pk")


def may_read_content(message: Message) -> bool:
    """Whether body and attachments may be shown, of a message that came from visible_messages or find_message."""
    return getattr(message, "shared", "") == LEVELS[0]


def mask(message: Message, shared: str) -> None:
    """Blank what a level hides, on the instance."""
    if shared != LEVELS[0]:
        message.snippet = ""
        message.attachment_count = 0
    if shared not in LEVELS[:2]:
        message.subject = ""


def _lies_in(mailbox_ids: Sequence[UUID]) -> Exists:
    return Exists(Placement.objects.filter(message_id=OuterRef("pk"), mailbox_id__in=mailbox_ids))
