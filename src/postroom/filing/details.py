"""What is shown beside messages: people, attachments, mailboxes, filings, submission. A constant number of queries."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field
from uuid import UUID

from postroom.correspondence.models import Attachment, Message, Participant, Placement
from postroom.filing.access import LEVELS, Reach
from postroom.filing.models import Filing
from postroom.outbox.models import Submission
from postroom.records.models import Company, Contact, Deal, RecordType

_NAMED: dict[RecordType, type[Contact | Company | Deal]] = {
    RecordType.CONTACT: Contact,
    RecordType.COMPANY: Company,
    RecordType.DEAL: Deal,
}


@dataclass(frozen=True, slots=True)
class FiledOn:
    """A message on a record, with the record's name."""

    filing: Filing
    record_name: str

    @property
    def record_type(self) -> int:
        return self.filing.record_type

    @property
    def record_id(self) -> UUID:
        return self.filing.record_id

    @property
    def reason(self) -> str:
        return self.filing.reason

    @property
    def address(self) -> str:
        return self.filing.address


@dataclass(slots=True)
class MessageDetails:
    """Everything a page shows of a message besides its own row. `mailbox_ids` are those the member may know of."""

    from_: list[Participant] = field(default_factory=list)
    to: list[Participant] = field(default_factory=list)
    cc: list[Participant] = field(default_factory=list)
    bcc: list[Participant] = field(default_factory=list)
    reply_to: list[Participant] = field(default_factory=list)
    attachments: list[Attachment] = field(default_factory=list)
    mailbox_ids: list[UUID] = field(default_factory=list)
    filings: list[FiledOn] = field(default_factory=list)
    submission: Submission | None = None
    shared: str = ""

    def add(self, participant: Participant) -> None:
        people: list[Participant] = getattr(self, "from_" if participant.role == "from" else participant.role)
        people.append(participant)


def load_details(reach: Reach, messages: Sequence[Message]) -> dict[UUID, MessageDetails]:
    """Details by message id, cut down to what the member may see; a hidden message has shared == ""."""
    found = {message.pk: MessageDetails() for message in messages}
    ids = list(found)
    for participant in Participant.objects.filter(message_id__in=ids).order_by("message_id", "position"):
        found[participant.message_id].add(participant)
    placements = Placement.objects.filter(message_id__in=ids, mailbox_id__in=reach.mailbox_ids)
    for message_id, mailbox_id in placements.values_list("message_id", "mailbox_id").distinct():
        found[message_id].mailbox_ids.append(mailbox_id)
    for filed in name_filings(Filing.objects.filter(message_id__in=ids, removed_by_id=None).order_by("pk")):
        found[filed.filing.message_id].filings.append(filed)
    _add_submissions(reach, messages, found)
    for details in found.values():
        was_sent = details.submission is not None and details.submission.mailbox_id in reach.readable
        level = reach.level_of(details.mailbox_ids, was_sent=was_sent)
        in_readable = was_sent or not set(details.mailbox_ids).isdisjoint(reach.readable)
        details.shared = level if in_readable or details.filings else ""
        if not in_readable:
            details.bcc = []  # only whoever has the sender's copy may know them
            details.submission = None  # it names subject and recipients, whatever the owner shares of the message
    open_ids = [message_id for message_id, details in found.items() if details.shared == LEVELS[0]]
    for attachment in Attachment.objects.filter(message_id__in=open_ids).order_by("message_id", "position"):
        found[attachment.message_id].attachments.append(attachment)
    return found


def _add_submissions(reach: Reach, messages: Sequence[Message], found: dict[UUID, MessageDetails]) -> None:
    """Tie messages to the submissions they came from, by the Message-ID both carry."""
    by_name = {message.internet_message_id: message.pk for message in messages if message.internet_message_id}
    sent = Submission.objects.filter(workspace_id=reach.workspace_id, internet_message_id__in=list(by_name))
    for submission in sent.defer("mime"):
        message_id = submission.message_id or by_name[submission.internet_message_id]
        if message_id in found:
            found[message_id].submission = submission


def name_filings(filings: Iterable[Filing]) -> list[FiledOn]:
    """Filings with their records' names, one query for each kind of record; those of records that are gone drop out."""
    rows = list(filings)
    names: dict[tuple[int, UUID], str] = {}
    for record_type, model in _NAMED.items():
        wanted = {row.record_id for row in rows if row.record_type == record_type}
        names |= {(record_type.value, key): name for key, name in _names(model, wanted)}
    return [
        FiledOn(row, names[row.record_type, row.record_id]) for row in rows if (row.record_type, row.record_id) in names
    ]


def _names(model: type[Contact | Company | Deal], ids: Collection[UUID]) -> list[tuple[UUID, str]]:
    return list(model.objects.filter(pk__in=ids).values_list("pk", "name")) if ids else []
