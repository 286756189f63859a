"""What a real server does to folders: renamed, deleted, renumbered, emptied; the database equals it afterwards.

Faults 20 to 25 of the fault table (docs/explanation).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from django.db.models import F

from postroom.correspondence.models import Message, Placement, Sighting
from postroom.filing.models import Filing
from postroom.filing.people import add_contact
from postroom.mailboxes.connect import extend_backfill
from postroom.mailboxes.models import Folder, Keep, Mailbox
from postroom.providers.guard import NetworkPolicy
from postroom.workspaces.members import Member
from tests.integration.folder_place import ANNA, FolderPlace, letter, letters, wait_a_second
from tests.servers.certs import Certificates
from tests.servers.dovecot import Dovecot

pytestmark = pytest.mark.django_db(transaction=True)

Open = Callable[..., FolderPlace]


@pytest.fixture(scope="module")
def maildir(servers_folder: Path, certificates: Certificates) -> Iterator[Dovecot]:
    """A Dovecot whose UIDs lie in a file that a test may rewrite."""
    server = Dovecot(servers_folder / "maildir", certificates, mail_location="maildir:~/Maildir").start()
    yield server
    server.stop()


@pytest.fixture
def opened(dovecot: Dovecot, policy: NetworkPolicy, alice: Member) -> Iterator[Open]:
    places: list[FolderPlace] = []

    def open_(server: Dovecot = dovecot, keep: str = Keep.EVERYTHING) -> FolderPlace:
        places.append(FolderPlace(server, policy, alice, keep=keep))
        return places[-1]

    yield open_
    for place in places:
        place.close()


@pytest.fixture
def place(opened: Open) -> FolderPlace:
    return opened()


class TestNames:
    @pytest.fixture
    def projects(self, place: FolderPlace) -> FolderPlace:
        place.command("create", "Projects")
        place.put(*letters(5), folder="Projects")
        place.sync()
        place.counted.clear()
        return place

    def test_a_renamed_folder_keeps_its_rows_and_nothing_is_fetched(self, projects: FolderPlace) -> None:
        was = projects.folder("Projects")
        projects.command("create", "Customers")
        projects.command("rename", "Projects", "Customers/Done")
        projects.sync()
        now = projects.folder("Customers/Done")
        assert (now.id, now.cursor) == (was.id, was.cursor)
        assert projects.counted["bodies"] == 0
        assert projects.placed() == projects.truth() and len(projects.placed()) == 5

    def test_what_arrives_in_a_renamed_folder_is_caught_up(self, projects: FolderPlace) -> None:
        projects.command("rename", "Projects", "Done")
        projects.put(letter("new"), folder="Done")
        projects.sync()
        assert projects.counted["bodies"] == 1
        assert projects.placed() == projects.truth()

    def test_a_deleted_folder_leaves_messages_and_asks_nobody(self, projects: FolderPlace, alice: Member) -> None:
        add_contact(alice, "Anna", [ANNA])
        projects.command("delete", "Projects")
        projects.sync()
        assert projects.placed() == set()
        assert Message.objects.count() == Filing.objects.count() == 5
        assert not projects.row("Projects").is_synced and projects.row("Projects").held_code == ""

    def test_a_recreated_folder_is_read_anew_and_what_was_in_the_old_one_is_not_in_it(
        self, projects: FolderPlace
    ) -> None:
        was = projects.folder("Projects")
        wait_a_second()
        projects.command("delete", "Projects")
        projects.command("create", "Projects")
        projects.put(letter("other"), *letters(1), folder="Projects")
        projects.sync()
        assert projects.folder("Projects").id == was.id
        assert projects.placed() == projects.truth() and len(projects.placed()) == 2
        assert Message.objects.count() == 6

    def test_a_folder_that_comes_back_after_it_was_gone_is_planned_anew(self, projects: FolderPlace) -> None:
        projects.command("rename", "Projects", "Trash/Projects")
        projects.command("delete", "Trash/Projects")
        projects.sync()
        projects.command("create", "Projects")
        projects.put(*letters(3), folder="Projects")
        projects.sync()
        assert projects.placed() == projects.truth() and len(projects.placed()) == 3
        assert Message.objects.count() == 5

    def test_a_group_of_folders_that_holds_no_mail_is_no_folder(self, place: FolderPlace) -> None:
        place.command("create", "Group/")
        place.command("create", "Group/Inner")
        place.put(letter("inner"), folder="Group/Inner")
        place.sync()
        assert "Group/Inner" in {folder.remote_name for folder in place.folders()}
        assert place.placed() == place.truth()

    def test_folders_are_all_stored_and_those_left_out_are_read_when_the_owner_chooses_so(
        self, place: FolderPlace
    ) -> None:
        place.put(letter("spam"), folder="Junk")
        place.sync()
        assert place.placed() == set() and not place.row("Junk").is_synced
        Folder.objects.filter(mailbox=place.mailbox, remote_name="Junk").update(is_chosen=True)
        place.sync()
        assert {name for name, *_ in place.placed()} == {"Junk"}
        Folder.objects.filter(mailbox=place.mailbox, remote_name="Junk").update(is_chosen=False)
        place.put(letter("more"), folder="Junk")
        place.sync()
        assert len(place.placed()) == 1, "its history stays, and nothing is added"


class TestRenumbering:
    """Fault 20 and 21."""

    def test_six_renumberings_in_a_row_lose_nothing_fetch_nothing_and_end_in_a_question(
        self, place: FolderPlace, alice: Member
    ) -> None:
        place.put(*letters(200))
        place.sync()
        add_contact(alice, "Anna", [ANNA])
        filings = set(Filing.objects.values_list("pk", "message_id", "reason"))
        assert len(filings) == 200
        place.counted.clear()
        for validity in (2_000_000_000, 2_000_000_001, 5, 2_000_000_000, 7):  # higher, lower, one that was before
            place.renumber(validity)
            saved = place.sync()
            assert (saved.matched, saved.removed) == (200, 0)
            assert place.placed() == place.truth()
        place.renumber(9)
        assert place.sync().asked == "renumbered_often"
        assert set(Filing.objects.values_list("pk", "message_id", "reason")) == filings
        assert place.counted["announced"] == 0
        assert place.counted["bodies"] <= 2, "at most 1 %"
        place.put(letter("late"))
        place.sync()
        assert Message.objects.count() == 200, "it is not read on"
        Folder.objects.filter(mailbox=place.mailbox).update(rebuilds_since=F("rebuilds_since") - timedelta(days=1))
        place.sync()
        assert place.row().held_code == ""
        assert place.placed() == place.truth() and Message.objects.count() == 201

    @pytest.mark.parametrize("keep", [Keep.EVERYTHING, Keep.RECORDS])
    def test_a_server_that_lost_its_index_gives_every_message_another_number(
        self, opened: Open, maildir: Dovecot, alice: Member, keep: str
    ) -> None:
        place = opened(maildir, keep)
        add_contact(alice, "Anna", [ANNA])
        place.put(*letters(50), *(letter(f"private-{n}", sender="friend@home.example") for n in range(10)))
        place.expunge(5)
        place.sync()
        before = set(Filing.objects.values_list("message_id", flat=True))
        sighted = Sighting.objects.count()
        place.counted.clear()
        wait_a_second()
        with place.disconnected() as folder:
            for file in [folder / "dovecot-uidlist", *folder.glob("dovecot.index*")]:
                file.unlink()
        place.sync()
        assert place.counted["bodies"] == 0
        assert set(Filing.objects.values_list("message_id", flat=True)) == before
        assert Sighting.objects.count() == sighted == (10 if keep == Keep.RECORDS else 0)
        assert {one for one in place.truth() if "private" not in one[2] or keep == Keep.EVERYTHING} == place.placed()

    def test_uids_that_are_used_again_under_the_same_validity_are_found_out(
        self, opened: Open, maildir: Dovecot
    ) -> None:
        place = opened(maildir)
        place.put(*letters(40))
        place.expunge(10)
        place.sync()
        place.counted.clear()
        with place.disconnected() as folder:
            head, *lines = (folder / "dovecot-uidlist").read_text().splitlines()
            names = [line.partition(":")[2] for line in lines]
            again = [f"{uid} :{name}" for uid, name in enumerate(reversed(names), start=1)]
            head = re.sub(r"\bN\d+", f"N{len(names) + 1}", head)
            (folder / "dovecot-uidlist").write_text("\n".join([head, *again]) + "\n")
            for file in folder.glob("dovecot.index*"):
                file.unlink()
        place.sync()
        assert place.counted["bodies"] == 0
        assert place.placed() == place.truth() and len(place.placed()) == 30
        assert {remote_id.partition(".")[2] for _, remote_id, *_ in place.placed()} == {str(n) for n in range(1, 31)}

    def test_other_mail_with_a_known_message_id_is_not_hidden_by_a_renumbering(self, place: FolderPlace) -> None:
        place.put(letter("offer", name="one", text="Real words"))
        place.sync()
        place.put(letter("offer", name="one", text="Fake words"))
        place.renumber(77)
        place.sync()
        assert Message.objects.count() == 2
        assert len(place.placed()) == 2 and place.placed() == place.truth()


class TestMassDeletion:
    @pytest.fixture
    def emptied(self, place: FolderPlace) -> FolderPlace:
        place.put(*letters(100))
        place.sync()
        place.expunge(60)
        assert place.sync().asked == "mass_deletion"
        return place

    def test_sixty_of_a_hundred_wait_for_the_owner_and_go_when_he_says_so(self, emptied: FolderPlace) -> None:
        row = emptied.row()
        assert (row.held_code, row.held_facts) == ("mass_deletion", {"gone": 60, "known": 100})
        emptied.put(letter("new"))
        emptied.sync()
        assert len(emptied.placed()) == 101, "new mail goes on"
        Folder.objects.filter(pk=row.pk).update(may_remove=True)
        emptied.sync()
        assert emptied.placed() == emptied.truth() and len(emptied.placed()) == 41
        assert emptied.row().held_code == "" and not emptied.row().may_remove
        assert Message.objects.count() == 101
        assert Placement.objects.count() == 101, "the last placement of each stays, marked"

    def test_without_an_answer_they_stay_and_the_question_goes_when_they_are_back(self, emptied: FolderPlace) -> None:
        emptied.sweep()
        assert len(emptied.placed()) == 100 and emptied.row().held_code == "mass_deletion"
        emptied.put(*letters(60))  # a backup that was played in: the same mail under other numbers
        emptied.sync()
        emptied.sweep()
        assert emptied.row().held_code == ""
        assert emptied.placed() == emptied.truth() and len(emptied.placed()) == 100
        assert Message.objects.count() == 100

    def test_the_brake_holds_when_the_folder_is_renumbered_at_the_same_time(self, place: FolderPlace) -> None:
        place.put(*letters(100))
        place.sync()
        place.expunge(60)
        place.renumber(4_000_000)
        assert place.sync().asked == "mass_deletion"
        assert len(place.placed()) == 100 and place.truth() <= place.placed()
        Folder.objects.filter(mailbox=place.mailbox).update(may_remove=True)
        place.sync()
        assert place.placed() == place.truth() and len(place.placed()) == 40


class TestSweep:
    def test_a_sweep_repairs_what_was_damaged_and_fetches_only_what_is_missing(self, place: FolderPlace) -> None:
        place.put(*letters(60))
        place.sync()
        rows = list(Placement.objects.order_by("pk"))
        Placement.objects.filter(pk__in=[row.pk for row in rows[:10]]).delete()
        Placement.objects.filter(pk__in=[row.pk for row in rows[10:20]]).update(flags=["\\Flagged", "$Wrong"])
        for row in rows[20:25]:
            row.pk, row.remote_id = row.message_id, f"{row.remote_id.partition('.')[0]}.{row.remote_id[-1]}99999"
            row.save(force_insert=True)
        place.counted.clear()
        assert place.sync().new == 0 and place.placed() != place.truth(), "no delta shows it"
        place.sweep()
        assert place.placed() == place.truth() and len(place.placed()) == 60
        assert place.counted["bodies"] == 10
        assert place.row().swept_at is not None

    def test_a_storm_of_flags_ends_in_equality(self, place: FolderPlace) -> None:
        """Fault 23."""
        place.put(*letters(300))
        place.sync()
        with place.client("INBOX") as client:
            client.store("1:300", "+FLAGS.SILENT", "(\\Seen $Label1)")
            client.store("1:150", "-FLAGS.SILENT", "(\\Seen)")
            client.store("100:200", "+FLAGS.SILENT", "(\\Answered)")
        place.sync()
        assert place.placed() == place.truth()

    def test_flags_of_a_server_that_tells_none_are_had_by_a_sweep(self, opened: Open, poor_dovecot: Dovecot) -> None:
        place = opened(poor_dovecot)
        place.put(*letters(20))
        place.sync()
        with place.client("INBOX") as client:
            client.store("3:9", "+FLAGS.SILENT", "(\\Seen)")
        place.sweep()
        assert place.placed() == place.truth()


class TestCopies:
    """Fault 22, 24 and 25."""

    def test_a_copy_in_five_folders_and_two_mailboxes_is_one_message(self, opened: Open, alice: Member) -> None:
        first, second = opened(), opened()
        add_contact(alice, "Anna", [ANNA])
        for place in (first, second):
            for name in ("A", "B", "C", "D"):
                place.command("create", name)
                place.put(letter("offer"), folder=name)
            place.put(letter("offer"))
            place.sync()
        assert Message.objects.count() == Filing.objects.count() == 1
        assert Placement.objects.filter(removed_at=None).count() == 10
        assert first.placed() == first.truth() and second.placed() == second.truth()

    def test_a_move_keeps_message_and_filing(self, place: FolderPlace, alice: Member) -> None:
        add_contact(alice, "Anna", [ANNA])
        place.command("create", "Done")
        place.put(*letters(10))
        place.sync()
        filings = set(Filing.objects.values_list("pk", "message_id"))
        with place.client("INBOX") as client:
            client._simple_command("MOVE", "1:4", "Done")
        place.sync()
        place.sync()
        assert place.placed() == place.truth()
        assert sum(name == "Done" for name, *_ in place.placed()) == 4
        assert set(Filing.objects.values_list("pk", "message_id")) == filings
        assert Message.objects.count() == 10 and Placement.objects.count() == 10

    def test_the_same_id_with_other_content_is_another_message(self, place: FolderPlace) -> None:
        place.put(letter("offer", text="Real"), letter("offer", text="Fake"))
        place.sync()
        assert Message.objects.count() == 2 and place.placed() == place.truth()


class TestWindow:
    def test_a_longer_window_lists_only_what_lies_before_the_shorter_one(self, place: FolderPlace) -> None:
        place.put(*letters(5), days_ago=3)
        place.put(*letters(4, 100), days_ago=60)
        place.put(*letters(3, 200), days_ago=200)
        place.sync(days=30)
        assert Message.objects.count() == 5
        place.counted.clear()
        place.sync(days=90)
        assert (place.counted["listed"], place.counted["bodies"]) == (4, 4)
        place.counted.clear()
        place.sync(days=10)
        place.sync(days=90)
        assert (place.counted["listed"], place.counted["bodies"]) == (0, 0), "shrinking does nothing"
        place.sync(days=365)
        assert Message.objects.count() == 12
        assert place.placed() == place.truth()

    def test_extending_the_backfill_goes_on_beside_what_is_open(self, place: FolderPlace, alice: Member) -> None:
        place.put(*letters(5), days_ago=3)
        place.put(*letters(4, 100), days_ago=60)
        place.plan(days=30)
        extend_backfill(alice, place.mailbox, 90)
        with place.disconnected():
            pass
        place.plan(days=Mailbox.objects.get().backfill_days)
        assert Mailbox.objects.get().listed_count == 9
        place.import_open()
        place.sync(days=90)
        assert place.placed() == place.truth() and Message.objects.count() == 9
        mailbox = Mailbox.objects.get()
        assert (mailbox.done_count, mailbox.state) == (9, "connected")
        assert mailbox.done_octets == mailbox.listed_octets > 0
