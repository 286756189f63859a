"""What happened with a record, newest first: messages, notes, and submissions on their way.

One walk along the index of filings, a constant number of queries a page, whatever the record holds.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Collection
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal
from uuid import UUID

from django.db.models import Exists, F, OuterRef, Q, QuerySet

from postroom.correspondence.models import Attachment, Message, Participant, Placement
from postroom.filing.access import Reach, mask
from postroom.filing.details import FiledOn, MessageDetails, load_details
from postroom.filing.models import Filing
from postroom.mail.mime.identity import reference_key
from postroom.outbox.models import State, Submission
from postroom.records.access import notes
from postroom.records.models import Note
from postroom.workspaces.members import Member

EntryKind = Literal["message", "note", "submission"]
KINDS: tuple[EntryKind, ...] = ("message", "note", "submission")
MOST_ENTRIES = 200


@dataclass(frozen=True, slots=True)
class Entry:
    """One thing on a timeline. `message` is masked by `shared`; `submission` also says where a sent message is."""

    kind: EntryKind
    at: datetime
    id: UUID
    message: Message | None = None
    note: Note | None = None
    submission: Submission | None = None
    filing: Filing | None = None
    shared: str = "everything"
    details: MessageDetails = field(default_factory=MessageDetails)

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
    def attachments(self) -> list[Attachment]:
        return self.details.attachments

    @property
    def mailbox_ids(self) -> list[UUID]:
        return self.details.mailbox_ids

    @property
    def filings(self) -> list[FiledOn]:
        return self.details.filings


@dataclass(frozen=True, slots=True)
class Timeline:
    """A page of a timeline. `next` goes into `before` for the next page; "" at the end."""

    entries: list[Entry]
    next: str


@dataclass(frozen=True, slots=True)
class Position:
    """A place in a timeline: entries are ordered by time, newest first, then by id."""

    at: datetime
    id: UUID

    def __str__(self) -> str:
        return base64.urlsafe_b64encode(f"{self.at.isoformat()} {self.id}".encode()).decode().rstrip("=")

    @classmethod
    def find(cls, text: str) -> Position | None:
        """The position a page's `next` names; None for "" and for nonsense, which start at the top."""
        try:
            at, _, identifier = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)).decode().partition(" ")
            position = cls(datetime.fromisoformat(at), UUID(identifier))
        except (ValueError, binascii.Error):
            return None
        return position if position.at.tzinfo else None

    def after(self, at: str, identifier: str) -> Q:
        """The condition "comes after this place" on two columns."""
        return Q(**{f"{at}__lte": self.at}) & (Q(**{f"{at}__lt": self.at}) | Q(**{f"{identifier}__gt": self.id}))


def timeline(
    member: Member,
    record_type: int,
    record_id: UUID,
    *,
    before: str = "",
    limit: int = 50,
    kinds: Collection[str] = KINDS,
) -> Timeline:
    """A page of a record's timeline, as the member may see it. The record itself must have been found for him."""
    limit = max(1, min(limit, MOST_ENTRIES))
    position = Position.find(before)
    reach = Reach.of(member)
    entries: list[Entry] = []
    if "message" in kinds:
        entries += _messages(reach, record_type, record_id, position, limit + 1)
    if "note" in kinds:
        entries += _notes(member, record_type, record_id, position, limit + 1)
    if "submission" in kinds:
        entries += _submissions(member, reach, record_type, record_id, position, limit + 1)
    entries.sort(key=lambda entry: (-entry.at.timestamp(), entry.id))
    shown = entries[:limit]
    return Timeline(shown, str(Position(shown[-1].at, shown[-1].id)) if len(entries) > limit else "")


def _messages(reach: Reach, record_type: int, record_id: UUID, position: Position | None, limit: int) -> list[Entry]:
    """One walk along the index (record_id, -at, message_id), skipping what the member may not see."""
    placed = Placement.objects.filter(message_id=OuterRef("message_id"), mailbox_id__in=reach.mailbox_ids)
    sent = Submission.objects.filter(
        workspace_id=reach.workspace_id, message_id=OuterRef("message_id"), mailbox_id__in=reach.readable
    )
    filings = Filing.objects.filter(
        workspace_id=reach.workspace_id, record_id=record_id, record_type=record_type, removed_by_id=None
    )
    filings = filings.filter(Q(Exists(placed)) | Q(Exists(sent)))
    rows = list(_page(filings, position, "at", "message_id", limit))
    messages = Message.objects.in_bulk([filing.message_id for filing in rows])
    details = load_details(reach, list(messages.values()))
    entries = []
    for filing in rows:
        message = messages.get(filing.message_id)
        if message is None or not (shared := details[message.pk].shared):
            continue
        mask(message, shared)
        submission = details[message.pk].submission
        entries.append(
            Entry(
                "message",
                filing.at,
                message.pk,
                message=message,
                submission=submission,
                filing=filing,
                shared=shared,
                details=details[message.pk],
            )
        )
    return entries


def _notes(member: Member, record_type: int, record_id: UUID, position: Position | None, limit: int) -> list[Entry]:
    rows = _page(notes(member, record_type, record_id).select_related("author"), position, "created_at", "pk", limit)
    return [Entry("note", note.created_at, note.pk, note=note) for note in rows]


def _submissions(
    member: Member, reach: Reach, record_type: int, record_id: UUID, position: Position | None, limit: int
) -> list[Entry]:
    """What was written here and is no message yet: on its way, failed, or sent a moment ago."""
    mine = Q(mailbox_id__in=reach.readable) | Q(author_id=member.user.pk)
    written = Submission.objects.filter(
        mine, workspace_id=reach.workspace_id, record_type=record_type, record_id=record_id, message_id=None
    ).exclude(state=State.CANCELLED)
    rows = list(_page(written.select_related("author").defer("mime"), position, "created_at", "pk", limit))
    refs = {reference_key(submission.internet_message_id): submission.pk for submission in rows}
    here = Message.objects.filter(workspace_id=reach.workspace_id, ref__in=list(refs)).values_list("ref", flat=True)
    arrived = {refs[ref] for ref in here}
    return [
        Entry("submission", submission.created_at, submission.pk, submission=submission)
        for submission in rows
        if submission.pk not in arrived
    ]


def _page(rows: QuerySet[Any], position: Position | None, at: str, identifier: str, limit: int) -> QuerySet[Any]:
    if position is not None:
        rows = rows.filter(position.after(at, identifier))
    return rows.order_by(F(at).desc(), identifier)[:limit]
