"""A mailbox that keeps only records' mail: headers are chosen from, the rest is passed over, and let go of again."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from django.core.files.storage import storages
from psycopg import Connection

from postroom.correspondence.attachment_files import name_of
from postroom.correspondence.filer import Filed, FilingBatch
from postroom.correspondence.models import Attachment, Message, Placement, Sighting, Thread, ThreadRef
from postroom.correspondence.store import open_connection
from postroom.correspondence.unused_files import remove_unused
from postroom.engine.store import NewMessage, Page
from postroom.filing.filer import RecordFiler
from postroom.filing.models import Filing
from postroom.filing.people import add_contact, change_contact, delete_contact
from postroom.filing.refile import file_by_hand, remove_filing
from postroom.mail.message import ParsedAttachment
from postroom.mailboxes.models import Keep, Kind, Mailbox
from postroom.outbox.models import Submission
from postroom.records.models import RecordType
from postroom.workspaces.database import borrowed_connection
from postroom.workspaces.members import Member
from postroom.workspaces.models import Membership, User, Workspace
from tests.integration.mailroom import NOON, Mailroom, filed, header_of, open_mailroom, write

OWN, SHARED, ANNA, FRIEND = "alice@own.example", "sales@own.example", "anna@customer.example", "friend@home.example"
CONTRACT = ParsedAttachment("contract.pdf", "application/pdf", b"%PDF-1.7 a contract that comes and goes")


@pytest.fixture
def alice(transactional_db: None) -> Member:
    workspace, user = Workspace.objects.create(name="Own"), User.objects.create(email=OWN)
    return Member(workspace, user, Membership.objects.create(workspace=workspace, user=user))


@pytest.fixture
def room() -> Iterator[Mailroom]:
    with open_mailroom() as room:
        yield room


@pytest.fixture
def personal(alice: Member, room: Mailroom) -> Mailbox:
    return room.connect(alice, OWN, kind=Kind.PERSONAL, keep=Keep.RECORDS)


def chosen(room: Mailroom, mailbox: Mailbox, *messages: NewMessage) -> set[str]:
    return set(room.store.choose_wanted(mailbox.pk, [header_of(message) for message in messages]))


def nameless(message: NewMessage) -> NewMessage:
    return replace(message, parsed=replace(message.parsed, internet_message_id=""))


def passed_over(room: Mailroom, mailbox: Mailbox, *messages: NewMessage) -> None:
    """Save a page that was chosen from before something happened."""
    folder = room.store.load_mailbox(mailbox.pk).folders[0]
    room.store.save_page(Page(mailbox.pk, 0, folder.id, (), passed_over=tuple(map(header_of, messages))))


class TestChoosing:
    def test_what_an_address_a_thread_or_a_neighbour_puts_on_a_record_is_wanted(
        self, alice: Member, room: Mailroom, personal: Mailbox
    ) -> None:
        add_contact(alice, "Anna", [ANNA])
        room.deliver(personal, write("Known", ANNA, OWN))
        messages = (
            write("Address", ANNA, OWN),
            write("Reply", FRIEND, OWN, answers="Known"),
            write("Neighbour", FRIEND, OWN, answers="Reply"),
            write("Private", FRIEND, OWN),
            write("Chat", FRIEND, OWN, answers="Private"),
        )
        assert chosen(room, personal, *messages) == {"Address", "Reply", "Neighbour"}

    def test_own_addresses_and_threads_on_no_record_are_no_reason(
        self, alice: Member, room: Mailroom, personal: Mailbox
    ) -> None:
        add_contact(alice, "Ourselves", [OWN])
        room.deliver(room.connect(alice, SHARED), write("A", FRIEND, SHARED))
        assert chosen(room, personal, write("B", FRIEND, OWN, answers="A")) == set()

    def test_what_has_no_message_id_is_read_whole(self, room: Mailroom, personal: Mailbox) -> None:
        letter = nameless(write("A", FRIEND, OWN))
        assert chosen(room, personal, letter, write("B", FRIEND, OWN)) == {"A"}
        room.deliver_headers_first(personal, letter)
        assert Message.objects.count() == 0 and not Sighting.objects.get().is_wanted

    def test_what_was_sent_from_here_is_wanted_wherever_it_may_lie(
        self, alice: Member, room: Mailroom, personal: Mailbox
    ) -> None:
        Submission.objects.create(
            workspace=alice.workspace, mailbox=personal, author=alice.user, state="sent", sent_at=NOON,
            internet_message_id="<offer@x.example>", from_address=OWN, subject="Offer", mime=b"",
        )  # fmt: skip
        offer = write("Offer", OWN, FRIEND)
        assert chosen(room, personal, offer) == {"Offer"}
        assert room.deliver(personal, offer).kept == 0  # in the inbox anybody can put it
        assert room.deliver_headers_first(personal, offer, folder="Sent").kept == 1

    def test_a_page_may_hold_only_headers_and_come_twice(self, room: Mailroom, personal: Mailbox) -> None:
        for _ in range(2):
            room.deliver_headers_first(personal, write("A", FRIEND, OWN), write("B", FRIEND, OWN))
        assert {sighting.remote_id for sighting in Sighting.objects.all()} == {"A", "B"}
        assert not ThreadRef.objects.exists()


class TestWhatChangesMeanwhile:
    def test_a_contact_added_before_the_page_is_saved_wakes_the_mailbox(
        self, alice: Member, room: Mailroom, personal: Mailbox
    ) -> None:
        messages = write("Offer", ANNA, OWN), write("Reply", FRIEND, OWN, answers="Offer"), write("B", FRIEND, OWN)
        assert chosen(room, personal, *messages) == set()
        add_contact(alice, "Anna", [ANNA])
        with open_connection() as listener:
            listener.execute("LISTEN postroom_wake")
            passed_over(room, personal, *messages)
            assert [notice.payload for notice in listener.notifies(timeout=1, stop_after=1)] == [str(personal.pk)]
        (wanted,) = room.store.wanted(personal.pk, 10)
        assert set(wanted.remote_ids) == {"Offer", "Reply"}

    def test_a_mailbox_that_keeps_everything_by_now_fetches_what_was_passed_over(
        self, room: Mailroom, personal: Mailbox
    ) -> None:
        Mailbox.objects.update(keep=Keep.EVERYTHING)
        passed_over(room, personal, write("A", FRIEND, OWN))
        assert Sighting.objects.get().is_wanted

    def test_an_unkept_message_joins_no_threads_of_others(
        self, alice: Member, room: Mailroom, personal: Mailbox
    ) -> None:
        room.deliver(room.connect(alice, SHARED), write("A", FRIEND, SHARED), write("B", FRIEND, SHARED))
        bridge = write("Bridge", FRIEND, OWN)
        both = ("<a@x.example>", "<b@x.example>")
        bridge = replace(bridge, parsed=replace(bridge.parsed, references=both))
        refs = ThreadRef.objects.count()
        room.deliver(personal, bridge)
        assert Thread.objects.count() == 2 and ThreadRef.objects.count() == refs
        assert Message.objects.values("thread_id").distinct().count() == 2

    def test_an_older_thread_that_gets_a_record_wants_all_that_belongs_to_it(
        self, alice: Member, room: Mailroom, personal: Mailbox
    ) -> None:
        shared = room.connect(alice, SHARED)
        add_contact(alice, "Anna", [ANNA])
        room.deliver(shared, write("A", FRIEND, SHARED, answers="X"))
        room.deliver_headers_first(personal, write("B", FRIEND, OWN, answers="X"))
        room.deliver(shared, write("C", ANNA, SHARED, answers="A"))
        (wanted,) = room.store.wanted(personal.pk, 10)
        assert wanted.remote_ids == ("B",)


class TestLettingGo:
    def test_an_address_that_goes_takes_its_mail_out_of_the_mailbox_that_kept_it_for_that(
        self, alice: Member, room: Mailroom, personal: Mailbox
    ) -> None:
        mail = write("A", ANNA, OWN, attachments=(CONTRACT,)), write("B", FRIEND, OWN, answers="A")
        anna = add_contact(alice, "Anna", [ANNA])
        room.deliver(personal, *mail)
        file = name_of(bytes(Attachment.objects.get().sha256))
        change_contact(alice, anna, addresses=["anna@home.example"])
        for model in (Message, Attachment, Placement, Thread, ThreadRef, Filing):
            assert not model.objects.exists(), model
        assert not storages["attachments"].exists(file)
        assert {(one.remote_id, one.size, one.is_wanted) for one in Sighting.objects.all()} == {
            ("A", 100, False),
            ("B", 100, False),
        }
        change_contact(alice, anna, addresses=[ANNA])  # and it finds them again, the thread too
        while wanted := room.store.wanted(personal.pk, 10):
            ids = [remote_id for one in wanted for remote_id in one.remote_ids]
            room.deliver(personal, *(message for message in mail if message.remote_id in ids))
        assert filed(anna.pk) == {"A": "address", "B": "thread"}
        assert storages["attachments"].exists(file) and not Sighting.objects.exists()

    def test_what_another_record_or_mailbox_or_a_hand_holds_stays(
        self, alice: Member, room: Mailroom, personal: Mailbox
    ) -> None:
        anna, ben = add_contact(alice, "Anna", [ANNA]), add_contact(alice, "Ben", ["ben@customer.example"])
        shared = room.connect(alice, SHARED)
        room.deliver(personal, write("Both", ANNA, "ben@customer.example"), write("Removed", ANNA, OWN))
        room.deliver(personal, write("Elsewhere", ANNA, OWN), write("Manual", ANNA, OWN), write("Gone", ANNA, OWN))
        room.deliver(shared, write("Elsewhere", ANNA, OWN))
        file_by_hand(alice, Message.objects.get(subject="Manual"), RecordType.CONTACT, ben.pk)
        remove_filing(alice, Filing.objects.get(message_id=Message.objects.get(subject="Removed").pk))
        assert change_contact(alice, anna, addresses=["x@customer.example"])
        assert sorted(Message.objects.values_list("subject", flat=True)) == ["Both", "Elsewhere", "Manual", "Removed"]
        assert {one.remote_id for one in Sighting.objects.all()} == {"Elsewhere", "Gone"}
        assert Placement.objects.get(message_id=Message.objects.get(subject="Elsewhere").pk).mailbox_id == shared.pk

    def test_a_file_stays_as_long_as_any_message_has_it(self, alice: Member, room: Mailroom, personal: Mailbox) -> None:
        anna = add_contact(alice, "Anna", [ANNA])
        room.deliver(personal, write("A", ANNA, OWN, attachments=(CONTRACT,)))
        room.deliver(room.connect(alice, SHARED), write("B", FRIEND, SHARED, attachments=(CONTRACT,)))
        delete_contact(alice, anna)
        assert list(Message.objects.values_list("subject", flat=True)) == ["B"]
        assert storages["attachments"].exists(name_of(bytes(Attachment.objects.get().sha256)))

    def test_five_hundred_messages_go_and_are_found_again_fast(
        self, alice: Member, room: Mailroom, personal: Mailbox
    ) -> None:
        anna = add_contact(alice, "Anna", [ANNA])
        mail = [write(f"M{number}", ANNA, OWN, hours=number) for number in range(500)]
        room.deliver(personal, *mail)
        change_contact(alice, anna, addresses=["x@customer.example"])
        assert Message.objects.count() == 0 and Sighting.objects.count() == 500
        change_contact(alice, anna, addresses=[ANNA])
        (wanted,) = room.store.wanted(personal.pk, 1_000)
        assert wanted.remote_ids == tuple(f"M{number}" for number in reversed(range(500)))
        assert Sighting.objects.order_by("-at").first().at == NOON + timedelta(hours=499)  # type: ignore[union-attr]


class RemovingFiler(RecordFiler):
    """Files while somebody removes files, between the page's look at them and its commit."""

    def __init__(self, digest: bytes) -> None:
        self.remover = threading.Thread(target=borrowed_connection()(remove_unused), args=([digest],))

    def file(self, connection: Connection[Any], batch: FilingBatch) -> Filed:
        self.remover.start()
        self.remover.join(0.5)
        return super().file(connection, batch)


def test_no_file_is_removed_that_a_page_found_and_has_not_named_yet(alice: Member, room: Mailroom) -> None:
    shared = room.connect(alice, SHARED)
    room.deliver(shared, write("A", FRIEND, SHARED, attachments=(CONTRACT,)))
    digest = bytes(Attachment.objects.get().sha256)
    Attachment.objects.all().delete()  # as when a mailbox is disconnected, before the file is removed
    filer = RemovingFiler(digest)
    room.store.filer = filer
    room.deliver(shared, write("B", FRIEND, SHARED, attachments=(CONTRACT,)))
    filer.remover.join(10)
    assert not filer.remover.is_alive() and storages["attachments"].exists(name_of(digest))
    Attachment.objects.all().delete()
    remove_unused([digest])
    assert not storages["attachments"].exists(name_of(digest))
