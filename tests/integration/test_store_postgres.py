"""What PostgresStore does beyond the contract of every store."""

from __future__ import annotations

import os
import resource
import shutil
import stat
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from uuid import UUID

import psycopg
import pytest
from django.core.files.storage import storages
from django.db import connection

from postroom.correspondence import attachment_files
from postroom.correspondence.attachment_files import name_of
from postroom.correspondence.models import Attachment, Body, Message, Participant, Placement, Sighting, ThreadRef
from postroom.correspondence.reading import attachments_of, load_body, open_attachment
from postroom.correspondence.sightings import address_hashes
from postroom.correspondence.store import open_connection
from postroom.engine.store import NewMessage, Page, PlannedSlice
from postroom.filing.people import add_contact
from postroom.mail.message import Address, ParsedAttachment
from postroom.mailboxes.models import Keep, Kind, Mailbox
from postroom.workspaces.members import Member
from postroom.workspaces.models import Membership, User, Workspace
from tests.integration.mailroom import Mailroom, filed, open_mailroom, write

OWN, ANNA, FRIEND = "sales@own.example", "anna@customer.example", "friend@home.example"
CONTRACT = ParsedAttachment("contract.pdf", "application/pdf", b"%PDF-1.7 contract")


@pytest.fixture
def alice(transactional_db: None) -> Member:
    workspace, user = Workspace.objects.create(name="Own"), User.objects.create(email="alice@own.example")
    return Member(workspace, user, Membership.objects.create(workspace=workspace, user=user))


@pytest.fixture
def room() -> Iterator[Mailroom]:
    with open_mailroom() as room:
        yield room


def test_bodies_are_not_compressed_again(db: None) -> None:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT attstorage FROM pg_attribute"
            " WHERE attrelid = 'correspondence_body'::regclass AND attname = 'content'"
        )
        assert cursor.fetchone() == ("e",)


def test_bodies_of_usual_length_stay_in_their_rows(db: None) -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT reloptions FROM pg_class WHERE oid = 'correspondence_body'::regclass")
        assert cursor.fetchone() == (["toast_tuple_target=8160"],)


def test_a_body_comes_back_as_it_was(alice: Member, room: Mailroom) -> None:
    room.deliver(
        room.connect(alice, OWN), with_parsed(write("Offer", ANNA, OWN), html="<p>Grüße</p>", raw_headers=b"\xff")
    )
    body = load_body(Message.objects.get())
    assert (body.text, body.html, body.headers) == ("About Offer", "<p>Grüße</p>", b"\xff")


def with_parsed(message: NewMessage, **changes: object) -> NewMessage:
    return replace(message, parsed=replace(message.parsed, **changes))  # type: ignore[arg-type]


def test_one_content_is_one_file_for_our_eyes_only(alice: Member, room: Mailroom) -> None:
    mailbox = room.connect(alice, OWN)
    room.deliver(
        mailbox, write("A", ANNA, OWN, attachments=(CONTRACT,)), write("B", ANNA, OWN, attachments=(CONTRACT,))
    )
    first, second = Attachment.objects.all()
    assert first.sha256 == second.sha256
    root = Path(storages["attachments"].location)
    files = [path for path in root.rglob("*") if path.is_file()]
    mine = [path for path in files if path.name == bytes(first.sha256).hex()]
    assert len(mine) == 1 and not [path for path in files if path.name.startswith(".new-")]
    assert stat.S_IMODE(os.stat(mine[0]).st_mode) == 0o600
    assert [stat.S_IMODE(os.stat(folder).st_mode) for folder in mine[0].parents[:2]] == [0o700, 0o700]
    with open_attachment(attachments_of(Message.objects.get(subject="A"))[0]) as file:
        assert file.read() == CONTRACT.content


def test_a_file_cut_short_by_a_crash_is_written_again(alice: Member, room: Mailroom) -> None:
    mailbox = room.connect(alice, OWN)
    room.deliver(mailbox, write("A", ANNA, OWN, attachments=(CONTRACT,)))
    path = Path(storages["attachments"].path(name_of(Attachment.objects.get().sha256)))
    path.write_bytes(b"%PDF")
    room.deliver(mailbox, write("B", ANNA, OWN, attachments=(CONTRACT,)))
    assert path.read_bytes() == CONTRACT.content


def test_a_disk_that_gets_full_in_the_middle_of_a_file_is_told() -> None:
    attachment = ParsedAttachment("big.bin", "a/b", bytes(300_000))
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, before[1]))  # one write takes a part of it, the next one fails
    try:
        with pytest.raises(OSError, match="File too large"):
            attachment_files.save_contents([(attachment.digest(), attachment)])
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert not storages["attachments"].exists(name_of(attachment.digest()))


def test_a_folder_that_was_taken_away_is_made_again() -> None:
    attachment = ParsedAttachment("a.bin", "a/b", b"content of a.bin")
    attachment_files.save_contents([(attachment.digest(), attachment)])
    path = Path(storages["attachments"].path(name_of(attachment.digest())))
    shutil.rmtree(path.parent.parent)
    attachment_files.save_contents([(attachment.digest(), attachment)])
    assert path.read_bytes() == b"content of a.bin"


def test_files_that_nobody_finished_are_forgotten_after_an_hour() -> None:
    folder = Path(storages["attachments"].location, ".unfinished")
    folder.mkdir(parents=True, exist_ok=True)
    old, fresh = folder / "old", folder / "fresh"
    for file in (old, fresh):
        file.write_bytes(b"half")
    os.utime(old, (time.time() - 3_700,) * 2)
    attachment_files.forget_unfinished()
    assert list(folder.iterdir()) == [fresh]
    fresh.unlink()


def test_text_that_the_database_cannot_hold_does_not_stop_the_folder(alice: Member, room: Mailroom) -> None:
    bad = with_parsed(
        write("A", ANNA, OWN),
        subject="zero\0 and \ud800",
        text="half \udfff",
        from_=(Address("x" * 5_000 + "@long.example", "\0"),),
    )
    assert room.deliver(room.connect(alice, OWN), bad, write("B", ANNA, OWN)).new == 2
    assert Message.objects.get(from_name="", subject__startswith="zero").subject == "zero and ?"


def test_direction_is_that_of_the_workspace(alice: Member, room: Mailroom) -> None:
    mailbox = room.connect(alice, OWN)
    room.deliver(mailbox, write("In", ANNA, OWN), write("Out", OWN.upper(), ANNA))
    assert dict(Message.objects.values_list("subject", "direction")) == {"In": 1, "Out": 2}


def test_progress_is_counted_once_and_the_import_ends(alice: Member, room: Mailroom) -> None:
    add_contact(alice, "Anna", [ANNA])
    mailbox = room.connect(alice, OWN)
    folder = room.store.load_mailbox(mailbox.pk).folders[0]
    planned = PlannedSlice(folder.id, 0, ("A", "gone", "B"), (1, 1, 1))
    (slice_id,) = room.store.save_plan(mailbox.pk, 0, {folder.id: "c"}, [planned])
    assert progress(mailbox) == (3, 0, 0, 0, False)
    first = (write("A", ANNA, OWN),)
    room.store.save_page(Page(mailbox.pk, None, folder.id, first, slice_id=slice_id, slice_from=0, slice_done=2))
    assert progress(mailbox) == (3, 2, 1, 1, False)
    last = (write("B", FRIEND, OWN),)
    room.store.save_page(Page(mailbox.pk, None, folder.id, last, slice_id=slice_id, slice_from=2, slice_done=3))
    assert progress(mailbox) == (3, 3, 2, 1, True)


def test_a_folder_that_comes_later_adds_to_the_progress(alice: Member, room: Mailroom) -> None:
    mailbox = room.connect(alice, OWN)
    folder = room.store.load_mailbox(mailbox.pk).folders[0]
    room.store.save_plan(mailbox.pk, 0, {folder.id: "c"}, [PlannedSlice(folder.id, 0, ("A", "B"), (1, 1))])
    room.store.save_plan(mailbox.pk, 0, {}, [])
    assert progress(mailbox) == (2, 0, 0, 0, False)
    room.store.save_plan(mailbox.pk, 0, {}, [PlannedSlice(folder.id, 0, ("C",), (1,))])
    assert progress(mailbox) == (3, 0, 0, 0, False)


def progress(mailbox: Mailbox) -> tuple[int, int, int, int, bool]:
    mailbox.refresh_from_db()
    return (
        mailbox.listed_count,
        mailbox.done_count,
        mailbox.kept_count,
        mailbox.filed_count,
        mailbox.import_finished_at is not None,
    )


def test_an_empty_plan_is_a_finished_import(alice: Member, room: Mailroom) -> None:
    mailbox = room.connect(alice, OWN)
    room.store.save_plan(mailbox.pk, 0, {}, [])
    assert progress(mailbox)[-1]


def test_a_live_page_tells_the_record_and_an_import_only_the_mailbox(alice: Member, room: Mailroom) -> None:
    anna = add_contact(alice, "Anna", [ANNA])
    mailbox = room.connect(alice, OWN)
    with open_connection() as listener:
        listener.execute("LISTEN postroom_events")
        room.deliver(mailbox, write("Old", ANNA, OWN))
        room.deliver(mailbox, write("New", ANNA, OWN), is_live=True)
        heard = [notice.payload for notice in listener.notifies(timeout=1, stop_after=3)]
    assert heard == [f"mailbox:{mailbox.pk}", f"mailbox:{mailbox.pk}", f"record:{anna.pk}"]


def test_a_removed_message_stays_where_it_was_read(alice: Member, room: Mailroom) -> None:
    mailbox = room.connect(alice, OWN)
    room.deliver(mailbox, write("A", ANNA, OWN))
    room.remove(mailbox, "A")
    assert Placement.objects.get().removed_at is not None
    room.deliver(mailbox, replace(write("A", ANNA, OWN), remote_id="moved"))
    assert Placement.objects.get().remote_id == "moved"


def test_a_broken_connection_is_replaced(alice: Member, room: Mailroom) -> None:
    mailbox = room.connect(alice, OWN)
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE pid <> pg_backend_pid() AND datname = current_database()"
        )
    with pytest.raises(psycopg.OperationalError):
        room.deliver(mailbox, write("A", ANNA, OWN))
    assert room.deliver(mailbox, write("A", ANNA, OWN)).new == 1


class TestMailThatIsPassedOver:
    @pytest.fixture
    def personal(self, alice: Member, room: Mailroom) -> Mailbox:
        return room.connect(alice, "alice@own.example", kind=Kind.PERSONAL, keep=Keep.RECORDS)

    def test_what_lies_in_a_folder_that_is_gone_is_not_asked_for(
        self, alice: Member, room: Mailroom, personal: Mailbox
    ) -> None:
        room.deliver(personal, write("A", ANNA, "alice@own.example"))
        add_contact(alice, "Anna", [ANNA])
        assert room.store.wanted(personal.pk, 10)
        room.store.save_folders(personal.pk, 0, [])
        assert room.store.wanted(personal.pk, 10) == []

    def test_nothing_readable_stays(self, room: Mailroom, personal: Mailbox) -> None:
        room.deliver(personal, write("Secret", FRIEND, "alice@own.example", attachments=(CONTRACT,)))
        sighting = Sighting.objects.get()
        assert sighting.remote_id == "Secret" and len(sighting.hashes) == 3  # two people and its message id
        for model in (Message, Body, Participant, Attachment, Placement, ThreadRef):
            assert model.objects.count() == 0

    def test_a_new_contact_wants_its_mail(self, alice: Member, room: Mailroom, personal: Mailbox) -> None:
        mail = write("Offer", ANNA, "alice@own.example"), write("Private", FRIEND, "alice@own.example")
        room.deliver(personal, *mail)
        with open_connection() as listener:
            listener.execute("LISTEN postroom_wake")
            anna = add_contact(alice, "Anna", [ANNA])
            assert [notice.payload for notice in listener.notifies(timeout=1, stop_after=1)] == [str(personal.pk)]
        (wanted,) = room.store.wanted(personal.pk, 10)
        assert (wanted.remote_name, wanted.remote_ids, wanted.sizes) == ("INBOX", ("Offer",), (100,))
        assert room.store.known_messages(wanted.folder_id).sighted.keys() == {"Offer", "Private"}
        room.deliver(personal, mail[0])
        assert filed(anna.pk) == {"Offer": "address"}
        assert room.store.wanted(personal.pk, 10) == []
        assert Sighting.objects.get().remote_id == "Private"

    def test_the_rest_of_a_thread_is_wanted(self, alice: Member, room: Mailroom, personal: Mailbox) -> None:
        add_contact(alice, "Anna", [ANNA])
        room.deliver(personal, write("Question", FRIEND, "alice@own.example"))
        room.deliver(personal, write("Answer", ANNA, "alice@own.example", answers="Question"))
        assert [wanted.remote_ids for wanted in room.store.wanted(personal.pk, 10)] == [("Question",)]

    def test_what_nobody_wants_any_more_is_passed_over_again(
        self, alice: Member, room: Mailroom, personal: Mailbox
    ) -> None:
        mail = write("Offer", ANNA, "alice@own.example")
        room.deliver(personal, mail)
        anna = add_contact(alice, "Anna", [ANNA])
        anna.delete()
        room.deliver(personal, mail)
        assert room.store.wanted(personal.pk, 10) == []
        assert Message.objects.count() == 0

    def test_a_message_known_from_elsewhere_is_passed_over_too(
        self, alice: Member, room: Mailroom, personal: Mailbox
    ) -> None:
        mail = write("Newsletter", FRIEND, OWN)
        room.deliver(room.connect(alice, OWN), mail)
        assert room.deliver(personal, mail).kept == 0
        assert not Placement.objects.filter(mailbox_id=personal.pk).exists()


def test_hashes_of_two_workspaces_differ(alice: Member) -> None:
    elsewhere = UUID(int=7)
    assert address_hashes(alice.workspace_id, [ANNA]) == address_hashes(alice.workspace_id, [ANNA])
    assert address_hashes(alice.workspace_id, [ANNA]) != address_hashes(elsewhere, [ANNA])
