"""Who sees what of a record's history: Alice owns mailboxes, Bob is on her team, Charlie is elsewhere."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import pytest
from django.core.exceptions import ValidationError
from django.db import connection
from django.test.utils import CaptureQueriesContext

from postroom.correspondence.models import Message, Placement
from postroom.filing.access import find_message, may_read_content, visible_messages
from postroom.filing.people import add_contact
from postroom.filing.threads import thread_of
from postroom.filing.timeline import Position, timeline
from postroom.mail.message import ParsedAttachment
from postroom.mailboxes.models import Kind, Mailbox, MailboxMember, Sharing
from postroom.outbox.models import Submission
from postroom.records.access import companies, contacts, deals, find_contacts, find_record
from postroom.records.models import Contact, Note, RecordType
from postroom.records.notes import add_note
from postroom.workspaces.ids import new_id
from postroom.workspaces.members import Member
from postroom.workspaces.models import Membership, Role, User, Workspace
from tests.integration.mailroom import NOON, Mailroom, open_mailroom, write

OWN, ALICE, ANNA = "sales@own.example", "alice@own.example", "anna@customer.example"
CONTRACT = ParsedAttachment("contract.pdf", "application/pdf", b"%PDF-1.7")


@dataclass(frozen=True)
class Stage:
    alice: Member
    bob: Member
    charlie: Member
    room: Mailroom
    shared: Mailbox
    personal: Mailbox
    anna: Contact

    def subjects(self, member: Member, **more: object) -> list[str]:
        entries = timeline(member, RecordType.CONTACT, self.anna.pk, **more).entries  # type: ignore[arg-type]
        return [entry.message.subject if entry.message else entry.kind for entry in entries]

    def share(self, sharing: str) -> None:
        Mailbox.objects.filter(pk=self.personal.pk).update(sharing=sharing)


@pytest.fixture
def stage(transactional_db: None) -> Iterator[Stage]:
    own, elsewhere = Workspace.objects.create(name="Own"), Workspace.objects.create(name="Elsewhere")
    alice, bob = join(own, ALICE, Role.OWNER), join(own, "bob@own.example", Role.MEMBER)
    charlie = join(elsewhere, "charlie@elsewhere.example", Role.OWNER)
    with open_mailroom() as room:
        shared, personal = room.connect(alice, OWN), room.connect(alice, ALICE, kind=Kind.PERSONAL)
        yield Stage(alice, bob, charlie, room, shared, personal, add_contact(alice, "Anna Berg", [ANNA]))


def join(workspace: Workspace, email: str, role: str) -> Member:
    user = User.objects.create(email=email, name=email.partition("@")[0].title())
    return Member(workspace, user, Membership.objects.create(workspace=workspace, user=user, role=role))


def test_a_shared_mailbox_is_for_the_team(stage: Stage) -> None:
    stage.room.deliver(stage.shared, write("Offer", ANNA, OWN))
    assert stage.subjects(stage.alice) == stage.subjects(stage.bob) == ["Offer"]
    assert stage.subjects(stage.charlie) == []
    message = Message.objects.get()
    assert find_message(stage.bob, message.pk) == message
    assert find_message(stage.charlie, message.pk) is None


def test_a_shared_mailbox_with_members_is_for_them(stage: Stage) -> None:
    stage.room.deliver(stage.shared, write("Offer", ANNA, OWN))
    MailboxMember.objects.create(mailbox=stage.shared, user=stage.alice.user)
    assert stage.subjects(stage.bob) == []
    assert stage.subjects(stage.alice) == ["Offer"]


@pytest.mark.parametrize(
    ("sharing", "subjects", "snippet", "files"),
    [
        (Sharing.NOTHING, [], None, 0),
        (Sharing.METADATA, [""], "", 0),
        (Sharing.SUBJECT, ["Offer"], "", 0),
        (Sharing.EVERYTHING, ["Offer"], "About Offer", 1),
    ],
)
def test_a_personal_mailbox_shows_what_its_owner_shares(
    stage: Stage, sharing: str, subjects: list[str], snippet: str | None, files: int
) -> None:
    stage.share(sharing)
    private = write("Private", "friend@home.example", ALICE)
    stage.room.deliver(stage.personal, write("Offer", ANNA, ALICE, attachments=(CONTRACT,)), private)
    assert stage.subjects(stage.bob) == subjects
    assert stage.subjects(stage.alice) == ["Offer"]
    assert stage.subjects(stage.charlie) == []
    seen = list(visible_messages(stage.bob))
    assert [message.subject for message in seen] == subjects
    if seen:
        assert seen[0].snippet == snippet
        assert may_read_content(seen[0]) == (sharing == Sharing.EVERYTHING)
        (entry,) = timeline(stage.bob, RecordType.CONTACT, stage.anna.pk).entries
        assert entry.message is not None
        assert (entry.shared, entry.message.snippet, len(entry.attachments)) == (sharing, snippet, files)
        assert [person.address for person in (*entry.from_, *entry.to)] == [ANNA, ALICE]
        (shown,) = thread_of(stage.bob, seen[0]).messages
        assert (shown.message.snippet, len(shown.attachments)) == (snippet, files)
    assert {message.subject for message in visible_messages(stage.alice)} == {"Offer", "Private"}


def test_the_best_copy_counts(stage: Stage) -> None:
    stage.share(Sharing.METADATA)
    stage.room.deliver(stage.personal, write("Offer", ANNA, OWN))
    stage.room.deliver(stage.shared, write("Offer", ANNA, OWN))
    (entry,) = timeline(stage.bob, RecordType.CONTACT, stage.anna.pk).entries
    assert entry.shared == "everything"
    assert set(entry.mailbox_ids) == {stage.shared.pk, stage.personal.pk}


def test_a_message_stays_visible_when_its_inbox_is_tidied_up(stage: Stage) -> None:
    stage.room.deliver(stage.shared, write("Offer", ANNA, OWN))
    stage.room.remove(stage.shared, "Offer")
    assert stage.subjects(stage.bob) == ["Offer"]


def test_a_hidden_message_does_not_break_a_visible_thread(stage: Stage) -> None:
    stage.room.deliver(stage.shared, write("Offer", ANNA, OWN))
    stage.room.deliver(stage.personal, write("Aside", ANNA, ALICE, answers="Offer", hours=1))
    offer = Message.objects.get(subject="Offer")
    assert [shown.message.subject for shown in thread_of(stage.bob, offer).messages] == ["Offer"]
    view = thread_of(stage.alice, offer)
    assert view.subject == "Offer"
    assert [shown.message.subject for shown in view.messages] == ["Offer", "Aside"]
    assert [filed.record_name for filed in view.messages[1].filings] == ["Anna Berg"]


def test_pages_follow_each_other_without_gap_or_repeat(stage: Stage) -> None:
    stage.room.deliver(stage.shared, *(write(f"M{n}", ANNA, OWN, hours=n // 3) for n in range(10)))
    for number in range(3):
        add_note(stage.alice, RecordType.CONTACT, stage.anna.pk, f"Note {number}")
    whole = timeline(stage.bob, RecordType.CONTACT, stage.anna.pk)
    assert whole.next == "" and len(whole.entries) == 13
    assert whole.entries == sorted(whole.entries, key=lambda entry: (-entry.at.timestamp(), entry.id))
    pieces, before = [], ""
    while True:
        page = timeline(stage.bob, RecordType.CONTACT, stage.anna.pk, before=before, limit=4)
        pieces += [entry.id for entry in page.entries]
        before = page.next
        if not before:
            break
    assert pieces == [entry.id for entry in whole.entries]
    assert stage.subjects(stage.bob, kinds=["note"]) == ["note"] * 3


@pytest.mark.parametrize("nonsense", ["x", "AAAA", "é", "MjAyNi0wMS0wMSB4"])
def test_nonsense_as_a_position_starts_at_the_top(nonsense: str) -> None:
    assert Position.find(nonsense) is None


def test_a_page_costs_the_same_whatever_it_holds(stage: Stage) -> None:
    stage.room.deliver(stage.shared, *(write(f"M{n}", ANNA, OWN, hours=n) for n in range(3)))
    few = count_queries(stage)
    stage.room.deliver(stage.shared, *(write(f"N{n}", ANNA, OWN, hours=n) for n in range(40)))
    assert count_queries(stage) == few <= 16


def count_queries(stage: Stage) -> int:
    with CaptureQueriesContext(connection) as queries:
        timeline(stage.bob, RecordType.CONTACT, stage.anna.pk)
    return len(queries)


def test_a_submission_is_shown_until_its_message_is_there(stage: Stage) -> None:
    submission = submit(stage, stage.shared)
    (entry,) = timeline(stage.bob, RecordType.CONTACT, stage.anna.pk).entries
    assert (entry.kind, entry.submission) == ("submission", submission)
    stage.room.deliver(stage.shared, write("Offer", OWN, ANNA))
    (entry,) = timeline(stage.bob, RecordType.CONTACT, stage.anna.pk).entries
    assert (entry.kind, entry.submission) == ("message", submission)


def test_a_submission_of_a_personal_mailbox_is_its_owners(stage: Stage) -> None:
    submit(stage, stage.personal)
    assert stage.subjects(stage.alice) == ["submission"]
    assert stage.subjects(stage.bob) == []


def test_a_submission_of_a_colleague_shows_no_more_than_its_message(stage: Stage) -> None:
    submit(stage, stage.personal)
    stage.room.deliver(stage.personal, write("Offer", ALICE, ANNA))
    Mailbox.objects.filter(pk=stage.personal.pk).update(sharing="metadata")
    (entry,) = timeline(stage.bob, RecordType.CONTACT, stage.anna.pk).entries
    assert (entry.message.subject if entry.message else None, entry.submission) == ("", None)
    (entry,) = timeline(stage.alice, RecordType.CONTACT, stage.anna.pk).entries
    assert entry.submission is not None


def test_what_was_sent_from_another_record_is_shown_before_its_copy_is_seen(stage: Stage) -> None:
    submission = submit(stage, stage.shared, state="sent")
    stage.room.deliver(stage.shared, write("Offer", OWN, ANNA))
    Submission.objects.filter(pk=submission.pk).update(
        record_type=RecordType.DEAL, record_id=new_id(), message_id=Message.objects.get().pk
    )
    Placement.objects.all().delete()
    assert stage.subjects(stage.bob) == ["Offer"]


def test_a_cancelled_submission_is_not_shown(stage: Stage) -> None:
    submit(stage, stage.shared, state="cancelled")
    assert stage.subjects(stage.alice) == []


def submit(stage: Stage, mailbox: Mailbox, state: str = "queued") -> Submission:
    return Submission.objects.create(
        workspace=stage.alice.workspace,
        mailbox=mailbox,
        author=stage.alice.user,
        record_type=RecordType.CONTACT,
        record_id=stage.anna.pk,
        state=state,
        internet_message_id="<offer@x.example>",
        from_address=mailbox.address,
        subject="Offer",
        created_at=NOON,
        mime=b"",
    )


def test_records_and_notes_are_the_workspaces(stage: Stage) -> None:
    add_note(stage.bob, RecordType.CONTACT, stage.anna.pk, " Likes blue. ")
    assert Note.objects.get().text == "Likes blue."
    for nothing in (contacts(stage.charlie), companies(stage.charlie), deals(stage.charlie)):
        assert not nothing.exists()
    assert find_record(stage.charlie, RecordType.CONTACT, stage.anna.pk) is None
    assert find_record(stage.bob, RecordType.CONTACT, stage.anna.pk) == stage.anna
    with pytest.raises(ValidationError):
        add_note(stage.charlie, RecordType.CONTACT, stage.anna.pk, "Mine")
    with pytest.raises(ValidationError):
        add_note(stage.bob, RecordType.CONTACT, stage.anna.pk, " \0 ")


def test_contacts_are_found_by_name_or_address(stage: Stage) -> None:
    assert list(find_contacts(stage.bob, "berg anna")) == [stage.anna]
    assert list(find_contacts(stage.bob, "CUSTOMER")) == [stage.anna]
    assert not find_contacts(stage.bob, "nobody").exists()
    assert not find_contacts(stage.charlie, "anna").exists()
