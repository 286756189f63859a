"""What the database knows about the message of a connection test: where it lies, on which record, and who answered."""

from __future__ import annotations

from collections.abc import Sequence, Set
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

from django.db.models import Exists, OuterRef

from postroom.correspondence.models import Direction, Message, Placement, Sighting
from postroom.correspondence.reading import load_body
from postroom.correspondence.sightings import reference_hashes
from postroom.filing.access import may_read_content, visible_messages
from postroom.filing.models import Filing
from postroom.filing.refile import own_keys
from postroom.mail.address import address_key
from postroom.mail.mime.automated import Answerer, answerer
from postroom.mail.mime.identity import reference_key
from postroom.mailboxes.models import Folder, Worker
from postroom.outbox.models import ConnectionTest, Submission
from postroom.records.models import Contact, RecordType
from postroom.workspaces.database import now
from postroom.workspaces.ids import made_at
from postroom.workspaces.members import Member

MOST_ANSWERS: Final = 5  # looked at; the thread of a test has one
MOST_WORDS: Final = 2_000  # of a server's report
CLOCKS_DIFFER: Final = timedelta(minutes=2)  # the provider's time of a message is not ours
OUTGOING: Final = ("sent", "drafts")
_SERVERS: Final = r"^(mailer-daemon|postmaster)@"


@dataclass(frozen=True, slots=True)
class Place:
    """The message in a folder of the mailbox; `at` when Postroom saw it there."""

    folder: str
    role: str
    at: datetime | None

    @property
    def is_arrival(self) -> bool:
        """Whether the message came there from outside."""
        return self.role not in OUTGOING


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back. `is_filed` on the contact, `is_known` says that its sender is an address of the contact."""

    kind: Answerer
    address: str
    at: datetime | None
    is_filed: bool
    is_known: bool
    words: str = ""


@dataclass(frozen=True, slots=True)
class Evidence:
    """Everything the steps are judged by. `filing` is the message on the contact, removed or not."""

    test: ConnectionTest
    submission: Submission | None
    contact: Contact | None
    places: tuple[Place, ...]
    filing: Filing | None
    answers: tuple[Answer, ...]
    folders: tuple[Folder, ...]
    is_own_address: bool
    has_worker: bool
    looked_at: datetime

    @property
    def is_contacts_address(self) -> bool:
        """Whether the contact still has the address that the message went to."""
        keys = {one.key for one in self.contact.addresses.all()} if self.contact else set()
        return address_key(self.test.address) in keys

    def age_seconds(self, since: datetime | None = None) -> float:
        return (self.looked_at - (since or self.test.started_at)).total_seconds()

    def folder(self, role: str) -> Folder | None:
        """The mailbox's folder of that role, read or not; None where the server has none."""
        return next((one for one in self.folders if one.role == role), None)


def gather(member: Member, test: ConnectionTest) -> Evidence:
    """Look everything up that a member may know about a test of a mailbox whose mail he may read."""
    submission, looked_at = test.submission, now()
    contact = None
    if test.contact_id is not None:
        found = Contact.objects.filter(workspace_id=test.workspace_id, pk=test.contact_id)
        contact = found.prefetch_related("addresses").first()
    message_id = submission.message_id if submission else None
    folders = tuple(Folder.objects.filter(mailbox_id=test.mailbox_id))
    return Evidence(
        test=test,
        submission=submission,
        contact=contact,
        places=_places(test, submission, folders) if submission else (),
        filing=_filing(contact, message_id),
        answers=_answers(member, test, contact, message_id) if contact else (),
        folders=folders,
        is_own_address=address_key(test.address) in own_keys(test.workspace_id),
        has_worker=Worker.living().filter(kind="sessions").exists(),
        looked_at=looked_at,
    )


def _places(test: ConnectionTest, submission: Submission, folders: Sequence[Folder]) -> tuple[Place, ...]:
    """Where the mailbox has the message."""
    message_ids = {submission.message_id} if submission.message_id else set[UUID]()
    found: list[tuple[UUID, datetime | None]] = []
    if test.contact_id is None:
        message_ids |= _copies(submission)
        found += _sighted(test, submission)
    placed = Placement.objects.filter(message_id__in=message_ids, mailbox_id=test.mailbox_id)
    found += [(one.folder_id, made_at(one.pk)) for one in placed]
    by_id = {folder.pk: folder for folder in folders}
    places = [Place(str(by_id[pk]), by_id[pk].role, at) for pk, at in found if pk in by_id]
    return tuple(sorted(places, key=lambda place: place.at or test.started_at))


def _copies(submission: Submission) -> set[UUID]:
    """What carries its Message-ID: where a server gave it another one, what arrives is another message here."""
    same = Message.objects.filter(workspace_id=submission.workspace_id, ref__in=_refs(submission))
    return set(same.values_list("pk", flat=True))


def _sighted(test: ConnectionTest, submission: Submission) -> list[tuple[UUID, datetime | None]]:
    """Folders where it was seen and not kept: a mailbox of records' mail keeps nothing else of its own."""
    hashes = [UUID(bytes=one) for one in reference_hashes(submission.workspace_id, _refs(submission))]
    sighted = Sighting.objects.filter(
        workspace_id=test.workspace_id, mailbox_id=test.mailbox_id, hashes__overlap=hashes
    )
    return [(one.folder_id, made_at(one.pk)) for one in sighted]


def _refs(submission: Submission) -> list[UUID]:
    names = {submission.internet_message_id, submission.sent_internet_message_id} - {""}
    return [reference_key(name) for name in names]


def _filing(contact: Contact | None, message_id: UUID | None) -> Filing | None:
    if contact is None or message_id is None:
        return None
    on_contact = Filing.objects.filter(message_id=message_id, record_type=RecordType.CONTACT, record_id=contact.pk)
    return on_contact.first()


def _answers(member: Member, test: ConnectionTest, contact: Contact, message_id: UUID | None) -> tuple[Answer, ...]:
    """What came back in the message's thread, oldest first; and reports of servers that name the address."""
    since = visible_messages(member).filter(direction=Direction.IN, at__gte=test.started_at - CLOCKS_DIFFER)
    in_thread: list[Message] = []
    if message_id is not None:
        threads = Message.objects.filter(pk=message_id).values("thread_id")
        in_thread = list(since.filter(thread_id__in=threads).order_by("at", "pk")[:MOST_ANSWERS])
    known = {one.pk for one in in_thread}
    # The first ones, and to this mailbox: what comes back of other mail later must not hide what was known.
    here = Placement.objects.filter(message_id=OuterRef("pk"), mailbox_id=test.mailbox_id)
    reports_here = since.filter(Exists(here), from_address__iregex=_SERVERS).exclude(pk__in=known)
    of_servers = reports_here.order_by("at", "pk")[:MOST_ANSWERS]
    filed = set(
        Filing.objects.filter(
            message_id__in=known, record_type=RecordType.CONTACT, record_id=contact.pk, removed_by_id=None
        ).values_list("message_id", flat=True)
    )
    keys = {one.key for one in contact.addresses.all()}
    answers = [_answer(message, keys, is_filed=message.pk in filed) for message in in_thread]
    reports = [_answer(message, keys, is_filed=False) for message in of_servers]
    return (*answers, *(one for one in reports if one.kind == "bounce" and test.address.lower() in one.words.lower()))


def _answer(message: Message, keys: Set[str], *, is_filed: bool) -> Answer:
    body = load_body(message)
    kind = answerer(body.headers)
    is_report = kind == "bounce" and may_read_content(message)
    return Answer(
        kind=kind,
        address=message.from_address,
        at=made_at(message.pk) or message.at,
        is_filed=is_filed,
        is_known=address_key(message.from_address) in keys,
        words=body.text[:MOST_WORDS] if is_report else "",
    )
