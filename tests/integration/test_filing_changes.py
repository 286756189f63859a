"""Filing when people change their minds: addresses come and go, messages are moved by hand, mail is sent."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import replace
from email.message import EmailMessage

import pytest
from django.core.exceptions import ValidationError

from postroom.correspondence.models import Message, Placement
from postroom.correspondence.store import open_connection
from postroom.engine.store import NewMessage
from postroom.filing.explain import why
from postroom.filing.models import Filing
from postroom.filing.people import AddressTaken, add_contact, add_deal, change_contact, delete_contact
from postroom.filing.refile import file_by_hand, file_contact, remove_filing
from postroom.filing.sent import store_sent
from postroom.mail.mime.identity import identity
from postroom.mail.mime.parsing import parse
from postroom.mailboxes.models import Mailbox
from postroom.outbox.models import Submission
from postroom.records.models import RecordType
from postroom.workspaces.members import Member
from postroom.workspaces.models import Membership, User, Workspace
from tests.integration.mailroom import NOON, Mailroom, filed, open_mailroom, write

OWN, WORK, HOME, OTHER = "sales@own.example", "anna@work.example", "anna@home.example", "other@x.example"


@pytest.fixture
def alice(transactional_db: None) -> Member:
    workspace, user = Workspace.objects.create(name="Own"), User.objects.create(email="alice@own.example")
    return Member(workspace, user, Membership.objects.create(workspace=workspace, user=user))


@pytest.fixture
def room() -> Iterator[Mailroom]:
    with open_mailroom() as room:
        yield room


@pytest.fixture
def mailbox(alice: Member, room: Mailroom) -> Mailbox:
    return room.connect(alice, OWN)


def test_a_new_contact_has_its_history_at_once(alice: Member, room: Mailroom, mailbox: Mailbox) -> None:
    room.deliver(mailbox, write("A", WORK, OWN), write("B", OTHER, OWN, answers="A"), write("C", OTHER, OWN))
    anna = add_contact(alice, "Anna", [" Anna@Work.Example "])
    assert filed(anna.pk) == {"A": "address", "B": "thread"}


def test_an_address_that_goes_takes_only_its_own_mail(alice: Member, room: Mailroom, mailbox: Mailbox) -> None:
    room.deliver(mailbox, write("A", WORK, OWN), write("B", OTHER, OWN, answers="A"), write("C", HOME, WORK))
    anna = add_contact(alice, "Anna", [WORK, HOME])
    assert filed(anna.pk) == {"A": "address", "B": "thread", "C": "address"}
    change_contact(alice, anna, addresses=[HOME])
    assert filed(anna.pk) == {"C": "address"}
    change_contact(alice, anna, addresses=[HOME, WORK])
    assert filed(anna.pk) == {"A": "address", "B": "thread", "C": "address"}


def test_an_address_belongs_to_one_contact(alice: Member) -> None:
    anna = add_contact(alice, "Anna", [WORK])
    with pytest.raises(AddressTaken) as taken:
        add_contact(alice, "Anna again", ["ANNA@work.example"])
    assert taken.value.contact == anna
    with pytest.raises(ValidationError):
        add_contact(alice, "Nobody", ["not an address"])
    with pytest.raises(ValidationError):
        add_contact(alice, "  ", [OTHER])


def test_removed_by_hand_is_removed_for_good(alice: Member, room: Mailroom, mailbox: Mailbox) -> None:
    anna = add_contact(alice, "Anna", [WORK])
    room.deliver(mailbox, write("A", WORK, OWN), write("B", OTHER, OWN, answers="A"))
    remove_filing(alice, filing_of("A"))
    assert filed(anna.pk) == {}  # B was there only because of A
    file_contact(anna)
    room.deliver(mailbox, write("C", OTHER, OWN, answers="B"))
    change_contact(alice, anna, addresses=[WORK, HOME])
    assert filed(anna.pk) == {}
    file_by_hand(alice, Message.objects.get(subject="A"), RecordType.CONTACT, anna.pk)
    assert filed(anna.pk) == {"A": "manual", "B": "thread", "C": "thread"}


def filing_of(subject: str) -> Filing:
    return Filing.objects.get(message_id=Message.objects.get(subject=subject).pk)


def test_a_message_put_on_a_deal_takes_its_thread_along(alice: Member, room: Mailroom, mailbox: Mailbox) -> None:
    room.deliver(mailbox, write("A", OTHER, OWN), write("B", OTHER, OWN, answers="A"), write("C", OTHER, OWN))
    deal = add_deal(alice, "Bikes", [])
    file_by_hand(alice, Message.objects.get(subject="B"), RecordType.DEAL, deal.pk)
    room.deliver(mailbox, write("D", WORK, OWN, answers="B"))
    assert filed(deal.pk) == {"A": "thread", "B": "manual", "D": "thread"}
    (reason,) = why(alice, Message.objects.get(subject="D"))
    assert (reason.record_name, reason.sentence) == ("Bikes", "It belongs to a thread that is on Bikes.")


def test_a_deleted_contact_leaves_the_mail(alice: Member, room: Mailroom, mailbox: Mailbox) -> None:
    anna = add_contact(alice, "Anna", [WORK])
    room.deliver(mailbox, write("A", WORK, OWN))
    delete_contact(alice, anna)
    assert Filing.objects.count() == 0 and Message.objects.count() == 1


def test_own_addresses_are_no_reason(alice: Member, room: Mailroom, mailbox: Mailbox) -> None:
    us = add_contact(alice, "Ourselves", [OWN])
    room.deliver(mailbox, write("A", OTHER, OWN))
    file_contact(us)
    assert filed(us.pk) == {}


def test_five_hundred_messages_are_filed_fast(alice: Member, room: Mailroom, mailbox: Mailbox) -> None:
    room.deliver(mailbox, *(write(f"M{number}", WORK, OWN) for number in range(500)))
    started = time.monotonic()
    anna = add_contact(alice, "Anna", [WORK])
    assert time.monotonic() - started < 3
    assert len(filed(anna.pk)) == 500


class TestWhatIsSent:
    @pytest.fixture
    def submission(self, alice: Member, mailbox: Mailbox) -> Submission:
        self.deal = add_deal(alice, "Bikes", [])
        mime = EmailMessage()
        mime["From"], mime["To"], mime["Subject"] = OWN, WORK, "Offer"
        mime["Message-ID"], mime["Date"] = "<offer@own.example>", NOON
        mime.set_content("Here it is.")
        return Submission.objects.create(
            workspace=alice.workspace,
            mailbox=mailbox,
            author=alice.user,
            record_type=RecordType.DEAL,
            record_id=self.deal.pk,
            state="sent",
            sent_at=NOON,
            internet_message_id="<offer@own.example>",
            from_address=OWN,
            subject="Offer",
            mime=mime.as_bytes(),
        )

    def test_it_is_on_its_record_and_its_contact_at_once(self, alice: Member, submission: Submission) -> None:
        anna = add_contact(alice, "Anna", [WORK])
        message_id = store_sent(submission)
        assert filed(self.deal.pk) == {"Offer": "sent_from_record"}
        assert filed(anna.pk) == {"Offer": "address"}
        submission.refresh_from_db()
        assert submission.message_id == message_id
        assert store_sent(submission) == message_id and Message.objects.count() == 1

    def test_the_open_page_of_a_contact_it_was_not_sent_from_is_told(
        self, alice: Member, mailbox: Mailbox, submission: Submission
    ) -> None:
        anna = add_contact(alice, "Anna", [WORK])
        with open_connection() as listener:
            listener.execute("LISTEN postroom_events")
            store_sent(submission)
            heard = {notice.payload for notice in listener.notifies(timeout=2, stop_after=3)}
        assert heard == {f"mailbox:{mailbox.pk}", f"record:{anna.pk}", f"record:{self.deal.pk}"}

    def test_the_copy_in_sent_is_the_same_message(
        self, room: Mailroom, mailbox: Mailbox, submission: Submission
    ) -> None:
        store_sent(submission)
        assert room.deliver(mailbox, self.copy(submission)).new == 0
        assert Placement.objects.get().message_id == Message.objects.get().pk

    def test_a_copy_that_is_faster_is_tied_to_its_submission(
        self, room: Mailroom, mailbox: Mailbox, submission: Submission
    ) -> None:
        room.deliver(mailbox, self.copy(submission), folder="Sent")
        submission.refresh_from_db()
        assert submission.message_id == Message.objects.get().pk
        assert filed(self.deal.pk) == {"Offer": "sent_from_record"}
        assert store_sent(submission) == submission.message_id

    def copy(self, submission: Submission) -> NewMessage:
        raw = bytes(submission.mime)
        parsed = parse(raw)
        return NewMessage("7", len(raw), identity(parsed, raw), NOON, (), parsed)

    def test_the_header_counts_only_with_the_submissions_sender(
        self, room: Mailroom, mailbox: Mailbox, submission: Submission
    ) -> None:
        headers = {"x-postroom-submission": str(submission.pk)}
        room.deliver(mailbox, write("Forged", OTHER, OWN, headers=headers), folder="Sent")
        assert filed(self.deal.pk) == {}
        room.deliver(mailbox, write("Renamed", OWN, WORK, headers=headers), folder="Sent")  # it got another Message-ID
        assert filed(self.deal.pk) == {"Renamed": "sent_from_record"}

    def test_nobody_outside_can_claim_that_a_message_was_sent_from_here(
        self, room: Mailroom, mailbox: Mailbox, submission: Submission
    ) -> None:
        headers = {"x-postroom-submission": str(submission.pk)}
        room.deliver(mailbox, write("Forged", OWN, OWN, headers=headers))
        assert filed(self.deal.pk) == {}
        submission.refresh_from_db()
        assert submission.message_id is None

    def test_a_reply_lands_on_the_record_too(self, room: Mailroom, mailbox: Mailbox, submission: Submission) -> None:
        store_sent(submission)
        reply = write("Reply", OTHER, OWN)
        room.deliver(mailbox, replace(reply, parsed=replace(reply.parsed, references=("<offer@own.example>",))))
        assert filed(self.deal.pk) == {"Offer": "sent_from_record", "Reply": "thread"}
