"""What the API takes and gives (DESIGN.md 11). Fields may be added; none changes its meaning.

Classes that end in `In` and `Change` are bodies, the others are answers. What a `Change` leaves out stays as it is.
"""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Generic, Literal, TypeVar
from uuid import UUID

from ninja import Schema
from pydantic import Base64Bytes, Field, model_validator

from postroom.api.fields import AsList, Line, MailAddress, Name, Recipient, Text
from postroom.api.mailbox_settings import MailboxSettings
from postroom.api.permissions import Permission
from postroom.mailboxes.models import Keep, Kind, Sharing, Usage
from postroom.records.models import Stage

Item = TypeVar("Item")
BackfillDays = Annotated[int, Field(ge=1, le=365)]


class Page(Schema, Generic[Item]):
    """One page of a list. `next` goes back as `?next=`; null is the end."""

    items: list[Item]
    next: str | None


# --- Mailboxes


class ServerIn(Schema):
    """One server of a mailbox. The password is never given back."""

    host: Annotated[Name, Field(max_length=253)]
    port: int = Field(ge=1, le=65535)
    security: Literal["tls", "starttls", "none"]
    username: Name
    password: Annotated[Line, Field(min_length=1, repr=False)]


class MailboxIn(Schema):
    """A mailbox to connect or to check. `keep` is by default everything (shared) or records (personal).

    With `awaits_start` nothing is imported before POST /mailboxes/{id}/start; without, the import begins at once.
    """

    provider: Name
    address: MailAddress
    display_name: Annotated[Line, Field(max_length=200)] = ""
    kind: Kind = Kind.PERSONAL
    usage: Usage = Usage.GENERAL
    keep: Keep | None = None
    sharing: Sharing | None = None
    backfill_days: BackfillDays = 30
    awaits_start: bool = False
    imap: ServerIn | None = None
    smtp: ServerIn | None = None


class BackfillIn(Schema):
    """How many days back the import reaches from today."""

    days: BackfillDays


class CheckedStep(Schema):
    """One step of a connection check: reach, tls, sign_in … of one server.

    A step that is `ok` and a `warning` works; its words say what to think about. `who` can mend it: "you", "mail
    administrator" or "Postroom administrator".
    """

    name: str
    server: str
    ok: bool
    seconds: float
    warning: bool = False
    code: str | None = None
    title: str | None = None
    what: str | None = None
    fix: str | None = None
    who: str | None = None
    docs: str | None = None
    server_words: str | None = None


class CheckReport(Schema):
    ok: bool
    steps: list[CheckedStep]


class Person(Schema):
    """A member of the workspace."""

    id: UUID
    name: str
    email: str


class Progress(Schema):
    """Messages of the import: seen at the server, kept, put on a record; `total` is null until it is known.

    `filed` counts filings at import. A contact that is added later files more, which is not counted here. `done` of
    `total` are through; `seconds_left` is null while it would be a guess.
    """

    listed: int
    kept: int
    filed: int
    total: int | None
    done: int = 0
    seconds_left: int | None = None


class Trouble(Schema):
    """An error of a mail server: its code, what happened, what to do."""

    code: str
    what: str
    fix: str


class Mailbox(MailboxSettings):
    """A connected mailbox. `folders_asking` folders wait for an answer (POST …/folders/{id}/answer).

    After failures it is left alone until `next_look_at`; null: it is looked at as soon as its server tells of news.
    `actions` are what it takes now, of whoever may ask for it: sync, backfill, count (POST …/completeness), pause,
    resume; begin (POST …/start) is the yes to its import, which `awaits_start` until then.
    """

    id: UUID
    address: str
    display_name: str
    kind: str
    usage: str
    keep: str
    sharing: str
    provider: str
    owner: Person
    backfill_days: int
    state: Literal["connecting", "importing", "connected", "needs_reconnect", "paused", "failed"]
    progress: Progress
    last_synced_at: datetime | None
    error: Trouble | None
    created_at: datetime
    paused_at: datetime | None = None
    folders_asking: int = 0
    next_look_at: datetime | None = None
    permission: Permission | None = None
    actions: list[str] = Field(default_factory=list)
    awaits_start: bool = False


class Accepted(Schema):
    """The work was taken up; it goes on after this answer."""

    accepted: bool = True


# --- Records


class ContactIn(Schema):
    name: Name
    addresses: Annotated[list[MailAddress], Field(max_length=50)] = Field(default_factory=list)
    title: Annotated[Line, Field(max_length=200)] = ""
    phone: Annotated[Line, Field(max_length=60)] = ""
    company_id: UUID | None = None


class ContactChange(Schema):
    name: Name | None = None
    addresses: Annotated[list[MailAddress], Field(max_length=50)] | None = None
    title: Annotated[Line, Field(max_length=200)] | None = None
    phone: Annotated[Line, Field(max_length=60)] | None = None
    company_id: UUID | None = None


class Contact(Schema):
    id: UUID
    name: str
    addresses: list[str]
    title: str
    phone: str
    company_id: UUID | None
    created_at: datetime


class CompanyIn(Schema):
    name: Name
    domains: Annotated[list[Annotated[Name, Field(max_length=253)]], Field(max_length=50)] = Field(default_factory=list)


class CompanyChange(Schema):
    name: Name | None = None
    domains: Annotated[list[Annotated[Name, Field(max_length=253)]], Field(max_length=50)] | None = None


class Company(Schema):
    id: UUID
    name: str
    domains: list[str]
    created_at: datetime


class DealIn(Schema):
    name: Name
    contact_ids: Annotated[list[UUID], Field(max_length=200)] = Field(default_factory=list)
    stage: Stage = Stage.NEW
    company_id: UUID | None = None


class DealChange(Schema):
    name: Name | None = None
    contact_ids: Annotated[list[UUID], Field(max_length=200)] | None = None
    stage: Stage | None = None
    company_id: UUID | None = None


class Deal(Schema):
    id: UUID
    name: str
    contact_ids: list[UUID]
    stage: str
    company_id: UUID | None
    created_at: datetime


class NoteIn(Schema):
    text: Annotated[Text, Field(min_length=1, max_length=50_000)]


class Note(Schema):
    id: UUID
    text: str
    author: Person | None
    created_at: datetime


# --- Mail


class AddressOut(Schema):
    address: str
    name: str


class Attachment(Schema):
    """A file of a message; GET /attachments/{id} downloads it."""

    id: UUID
    filename: str
    content_type: str
    size: int
    is_inline: bool


class Filed(Schema):
    """Why a message is on a record; `address` is the one that matched, for the reason address."""

    reason: str
    address: str | None = None


class FiledOn(Filed):
    record: RecordRef


class RecordRef(Schema):
    type: Literal["contact", "company", "deal", "ticket"]
    id: UUID


class MessageSummary(Schema):
    """A message in a timeline. `sender` says whether the receiving server verified who sent it."""

    id: UUID
    thread_id: UUID
    direction: Literal["in", "out"]
    from_: AddressOut = Field(serialization_alias="from")
    to: list[AddressOut]
    cc: list[AddressOut]
    subject: str
    snippet: str
    internet_message_id: str
    attachments: list[Attachment]
    sender: Literal["verified", "unverified", "unknown"]
    mailbox_ids: list[UUID]


class Message(MessageSummary):
    """A whole message. `html` is sanitised and loads nothing from elsewhere."""

    at: datetime
    date: datetime | None
    text: str
    html: str
    is_readable: bool
    has_twin: bool = Field(False, description="Another message with other content carries the same Message-ID.")
    problem: str = Field("", description="Why the text is not here: unreadable, too_large, or nothing when it is.")
    filings: list[FiledOn]


class Reason(Schema):
    """Why a message is on a record, in one sentence."""

    record: RecordRef
    record_name: str
    reason: str
    sentence: str


class Reasons(Schema):
    items: list[Reason]


class TimelineEntry(Schema):
    """A message (with its `filing`), a note or a submission. `shared`: how much of the message you may see."""

    kind: Literal["message", "note", "submission"]
    at: datetime
    message: MessageSummary | None = None
    note: Note | None = None
    submission: SubmissionSummary | None = None
    filing: Filed | None = None
    shared: str | None = None


# --- Sending


class AttachmentIn(Schema):
    """A file to send along. `content` is base64."""

    filename: Name
    content_type: Annotated[Line, Field(max_length=200)] = "application/octet-stream"
    content: Base64Bytes


class SubmissionIn(Schema):
    """A message to send. `in_reply_to` is the id of a message here.

    Without `mailbox_id` and `from_address` the sender is chosen; `from_address` is a mailbox's own address or one of
    its others.
    """

    record: RecordRef | None = None
    mailbox_id: UUID | None = None
    from_address: Annotated[Line, Field(max_length=320)] | None = None
    to: Annotated[list[Recipient], AsList, Field(max_length=100)] = Field(default_factory=list)
    cc: Annotated[list[Recipient], AsList, Field(max_length=100)] = Field(default_factory=list)
    bcc: Annotated[list[Recipient], AsList, Field(max_length=100)] = Field(default_factory=list)
    subject: Annotated[Line, Field(max_length=998)] = ""
    text: Text | None = None
    html: Text | None = None
    in_reply_to: UUID | None = None
    send_at: datetime | None = None
    attachments: Annotated[list[AttachmentIn], Field(max_length=100)] = Field(default_factory=list)

    @model_validator(mode="after")
    def has_recipients(self) -> SubmissionIn:
        if not (self.to or self.cc or self.bcc):
            raise ValueError("A message needs at least one recipient in `to`, `cc` or `bcc`.")
        return self


class SubmissionSummary(Schema):
    id: UUID
    state: Literal["queued", "sending", "in_doubt", "sent", "failed", "unknown", "cancelled"]
    from_: AddressOut = Field(serialization_alias="from")
    reason_for_from: str
    subject: str


class Submission(SubmissionSummary):
    mailbox_id: UUID
    to: list[AddressOut]
    cc: list[AddressOut]
    bcc: list[AddressOut]
    internet_message_id: str
    message_id: UUID | None
    created_at: datetime
    send_at: datetime
    sent_at: datetime | None
    error: Trouble | None
    refused: dict[str, Any]


FiledOn.model_rebuild()
TimelineEntry.model_rebuild()
