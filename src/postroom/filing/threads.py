"""A conversation as a member may see it."""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID

from postroom.correspondence.models import Attachment, Message, Participant
from postroom.filing.access import Reach, visible_messages
from postroom.filing.details import FiledOn, MessageDetails, load_details
from postroom.outbox.models import Submission
from postroom.workspaces.members import Member

MOST_MESSAGES = 500  # of one thread that are shown, the newest


@dataclass(frozen=True, slots=True)
class ThreadMessage:
    """A message of a thread, masked by `shared`, with everything that is shown beside it."""

    message: Message
    shared: str
    details: MessageDetails

    @property
    def from_(self) -> list[Participant]:
        return self.details.from_

    @property
    def to(self) -> list[Participant]:
        return self.details.to

    @property
    def cc(self) -> list[Participant]:
        return self.details.cc

    @property
    def bcc(self) -> list[Participant]:
        return self.details.bcc

    @property
    def reply_to(self) -> list[Participant]:
        return self.details.reply_to

    @property
    def attachments(self) -> list[Attachment]:
        return self.details.attachments

    @property
    def filings(self) -> list[FiledOn]:
        return self.details.filings

    @property
    def mailbox_ids(self) -> list[UUID]:
        return self.details.mailbox_ids

    @property
    def submission(self) -> Submission | None:
        return self.details.submission


@dataclass(frozen=True, slots=True)
class ThreadView:
    """A thread: the subject it began with, its messages oldest first."""

    thread_id: UUID
    subject: str
    messages: list[ThreadMessage]


def thread_of(member: Member, message: Message) -> ThreadView:
    """The thread of a message that the member may see, with all of it that he may see."""
    newest = visible_messages(member).filter(thread_id=message.thread_id).order_by("-at", "pk")[:MOST_MESSAGES]
    messages = sorted(newest, key=lambda found: (found.at, found.pk))
    details = load_details(Reach.of(member), messages)
    shown = [ThreadMessage(found, details[found.pk].shared, details[found.pk]) for found in messages]
    subject = next((found.message.subject for found in shown if found.message.subject), "")
    return ThreadView(message.thread_id, subject, shown)
