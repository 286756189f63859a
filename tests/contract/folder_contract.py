"""What every store promises of folders: listed, renamed, renumbered, asked about, compared."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta
from uuid import UUID

import pytest

from postroom.engine.store import Conflict, Fenced, FolderState, Hold, Match, NewHeader, PlannedSlice, Rebuild
from postroom.mail.threading import refs_of
from postroom.providers.base import RemoteFolder, RemoteMessage
from tests.contract.store_contract import INBOX, NOON, ON_RECORD, SENT, Box, StoreSuite, StoreWorld, make_message

MASS_DELETION = Hold("mass_deletion", {"gone": 60, "known": 100})
RENUMBERED = Hold("renumbered_often", {"rebuilds": 5})
JUNK = RemoteFolder("Junk", "Junk", "junk")


def make_header(remote_id: str, subject: str = "Private", *, sender: str = "friend@home.example") -> NewHeader:
    message = make_message(remote_id, subject, sender=sender)
    return NewHeader(remote_id, message.raw_size, message.received_at, (), refs_of(message.parsed), message.parsed)


class FolderContract(StoreSuite):
    def folder(self, world: StoreWorld, box: Box, folder_id: UUID | None = None) -> FolderState:
        folders = {folder.id: folder for folder in world.store.load_mailbox(box.id).folders}
        return folders[folder_id or box.inbox]

    def rebuild(self, world: StoreWorld, box: Box, found: dict[str, str], **more: object) -> Rebuild:
        """`found` maps remote ids of now to those that were."""
        stored = world.store.known_messages(box.inbox, for_matching=True).messages
        known = {message.remote_id: message for message in stored}
        matches = tuple(
            Match(known[was].message_id, RemoteMessage(now, known[was].size, ("\\Seen",)), NOON)
            for now, was in found.items()
        )
        version = self.folder(world, box).version
        rebuild = Rebuild(box.id, box.epoch, box.inbox, version, "after", matches, (), ())
        return replace(rebuild, **more)  # type: ignore[arg-type]

    def planned(self, box: Box, *remote_ids: str) -> PlannedSlice:
        return PlannedSlice(box.inbox, 0, remote_ids, (100,) * len(remote_ids))

    # what is known

    def test_known_is_what_sits_there_what_was_sighted_and_what_is_planned(self, world: StoreWorld) -> None:
        box = self.open_box(world, "alice@tidewater.example", keep="records")
        offer = replace(make_message("1", hours=2), flags=("\\Seen",))
        world.store.save_page(self.page(box, offer, passed_over=(make_header("2"),)))
        world.store.save_plan(box.id, box.epoch, {}, [self.planned(box, "9", "8")])
        (plain,) = world.store.known_messages(box.inbox).messages
        known = world.store.known_messages(box.inbox, for_matching=True)
        (message,) = known.messages
        assert (plain.remote_id, plain.message_id, plain.flags) == (message.remote_id, message.message_id, ("\\Seen",))
        assert (plain.subject, plain.size) == ("", offer.raw_size), "nobody asked what it is"
        assert (message.remote_id, message.flags, message.size) == ("1", ("\\Seen",), offer.raw_size)
        assert message.internet_message_id == offer.parsed.internet_message_id
        assert (message.subject, message.from_address) == ("Offer", ON_RECORD)
        assert message.received_at == NOON + timedelta(hours=2)
        assert set(known.sighted) == set(known.sighted_at) == {"2"} and known.planned == {"9", "8"}
        assert world.store.known_messages(box.sent).messages == ()

    def test_known_of_some_remote_ids_is_what_is_stored_under_these(self, world: StoreWorld) -> None:
        box = self.open_box(world, "alice@tidewater.example", keep="records")
        passed_over = (make_header("2"), make_header("3", "Other"))
        world.store.save_page(self.page(box, make_message("1"), make_message("4", "More"), passed_over=passed_over))
        world.store.save_plan(box.id, box.epoch, {}, [self.planned(box, "9")])
        known = world.store.known_messages(box.inbox, for_matching=True, remote_ids=("1", "3", "9", "77"))
        assert [(one.remote_id, one.subject) for one in known.messages] == [("1", "Offer")]
        assert known.sighted == {"3": passed_over[1].size}
        assert known.sighted_at == {"3": passed_over[1].received_at}
        assert known.planned == frozenset()
        plain = world.store.known_messages(box.inbox, remote_ids=("3",))
        assert (plain.messages, plain.sighted, plain.sighted_at) == ((), known.sighted, {})

    def test_what_a_slice_has_fetched_is_not_planned_any_more(self, world: StoreWorld, box: Box) -> None:
        (slice_id,) = world.store.save_plan(box.id, box.epoch, {}, [self.planned(box, "3", "2", "1")])
        page = replace(self.page(box, make_message("3")), epoch=None, slice_id=slice_id, slice_done=2)
        world.store.save_page(page)
        assert world.store.known_messages(box.inbox).planned == {"1"}

    def test_a_plan_notes_since_when_folders_are_listed(self, world: StoreWorld, box: Box) -> None:
        day = date(2026, 1, 31)
        world.store.save_plan(box.id, box.epoch, {box.inbox: "c"}, [], {box.inbox: day})
        assert self.folder(world, box).listed_since == day
        assert self.folder(world, box, box.sent).listed_since is None

    # renumbered

    def test_a_rebuild_places_anew_what_was_found_and_removes_the_rest(self, world: StoreWorld, box: Box) -> None:
        world.store.save_page(self.page(box, make_message("1", "A"), make_message("2", "B"), make_message("3", "C")))
        world.store.save_rebuild(self.rebuild(world, box, {"2": "1", "1": "2"}))
        assert world.placements() == {(box.inbox, "2", "A"), (box.inbox, "1", "B")}, "the same ids, other messages"
        assert world.messages() == ["A", "B", "C"]
        assert world.flags(box.inbox, "1") == ("\\Seen",)
        folder = self.folder(world, box)
        assert (folder.cursor, folder.version, folder.rebuilds) == ("after", 1, 1)
        assert folder.swept_at is not None

    def test_a_rebuild_keeps_copies_of_one_message_apart(self, world: StoreWorld, box: Box) -> None:
        world.store.save_page(self.page(box, make_message("1"), make_message("2")))
        world.store.save_rebuild(self.rebuild(world, box, {"2.1": "1", "2.2": "2"}))
        assert world.placements() == {(box.inbox, "2.1", "Offer"), (box.inbox, "2.2", "Offer")}

    def test_a_rebuild_replaces_sightings_and_open_slices(self, world: StoreWorld) -> None:
        box = self.open_box(world, "alice@tidewater.example", keep="records")
        world.store.save_page(self.page(box, passed_over=(make_header("1"), make_header("2", "Other"))))
        (old,) = world.store.save_plan(box.id, box.epoch, {}, [self.planned(box, "9")])
        rebuild = self.rebuild(world, box, {}, passed_over=(make_header("2.2", "Other"),))
        (new,) = world.store.save_rebuild(replace(rebuild, slices=(self.planned(box, "2.9"),)))
        known = world.store.known_messages(box.inbox)
        assert (set(known.sighted), known.planned) == ({"2.2"}, {"2.9"})
        assert world.store.find_slice(old) is None and world.store.find_slice(new) is not None

    def test_what_a_record_wants_is_wanted_under_its_new_id(self, world: StoreWorld) -> None:
        box = self.open_box(world, "alice@tidewater.example", keep="records")
        wanted = replace(make_header("1"), received_at=NOON - timedelta(hours=1))
        world.store.save_page(self.page(box, passed_over=(wanted, make_header("2", "Other"))))
        world.want(box.inbox, "1")
        again = (make_header("2.1", "Other"), replace(wanted, remote_id="2.2"))
        world.store.save_rebuild(self.rebuild(world, box, {}, passed_over=again))
        assert [found.remote_ids for found in world.store.wanted(box.id, 10)] == [("2.2",)]

    def test_what_a_record_wants_since_it_was_passed_over_is_wanted(self, world: StoreWorld) -> None:
        """A contact may be added between the choice and the save, which in a large folder are minutes apart."""
        box = self.open_box(world, "alice@tidewater.example", keep="records")
        passed_over = (make_header("2.1"), make_header("2.2", "Offer", sender=ON_RECORD))
        world.store.save_rebuild(self.rebuild(world, box, {}, passed_over=passed_over))
        assert [found.remote_ids for found in world.store.wanted(box.id, 10)] == [("2.2",)]

    def test_with_a_question_the_rest_stays_and_frees_its_remote_ids(self, world: StoreWorld, box: Box) -> None:
        world.store.save_page(self.page(box, make_message("1", "A"), make_message("2", "B")))
        world.store.save_rebuild(self.rebuild(world, box, {"2": "1"}, hold=MASS_DELETION))
        assert {(folder, subject) for folder, _, subject in world.placements()} == {(box.inbox, "A"), (box.inbox, "B")}
        assert (box.inbox, "2", "A") in world.placements()
        assert world.question(box.inbox) == (MASS_DELETION.code, MASS_DELETION.facts)
        left = {message.remote_id for message in world.store.known_messages(box.inbox).messages} - {"2"}
        world.store.save_page(self.page(box, removed=tuple(left), releases=True))
        assert world.placements() == {(box.inbox, "2", "A")}
        assert world.question(box.inbox) is None

    def test_a_rebuild_without_a_question_settles_an_earlier_one(self, world: StoreWorld, box: Box) -> None:
        world.store.save_page(self.page(box, make_message("1"), hold=MASS_DELETION))
        world.answer_yes(box.inbox)
        world.store.save_rebuild(self.rebuild(world, box, {"2": "1"}))
        assert world.question(box.inbox) is None
        assert not self.folder(world, box).may_remove

    def test_a_rebuild_of_a_former_owner_or_an_older_version_changes_nothing(self, world: StoreWorld, box: Box) -> None:
        world.store.save_page(self.page(box, make_message("1")))
        rebuild = self.rebuild(world, box, {"2": "1"}, slices=(self.planned(box, "3"),), hold=MASS_DELETION)
        with pytest.raises(Conflict):
            world.store.save_rebuild(replace(rebuild, version=7))
        world.claim(box.id)
        with pytest.raises(Fenced):
            world.store.save_rebuild(rebuild)
        assert world.placements() == {(box.inbox, "1", "Offer")}
        assert world.question(box.inbox) is None and self.folder(world, box).rebuilds == 0
        assert world.store.known_messages(box.inbox).planned == frozenset()

    def test_renumberings_are_counted_for_a_day(self, world: StoreWorld, box: Box) -> None:
        for count in (1, 2, 3):
            world.store.save_rebuild(self.rebuild(world, box, {}))
            assert self.folder(world, box).rebuilds == count
        world.pass_a_day(box.id)
        assert self.folder(world, box).rebuilds == 0
        world.store.save_rebuild(self.rebuild(world, box, {}))
        assert self.folder(world, box).rebuilds == 1

    # asked about, compared

    def test_a_question_is_put_renewed_and_withdrawn_with_a_page(self, world: StoreWorld, box: Box) -> None:
        world.store.save_page(self.page(box, hold=MASS_DELETION))
        assert self.folder(world, box).held == "mass_deletion"
        more = Hold("mass_deletion", {"gone": 61, "known": 100})
        world.store.save_page(self.page(box, hold=more))
        assert world.question(box.inbox) == (more.code, more.facts)
        world.store.save_page(self.page(box, hold=RENUMBERED))
        assert world.question(box.inbox) == (RENUMBERED.code, RENUMBERED.facts)
        world.store.save_page(self.page(box, releases=True, is_swept=True))
        assert world.question(box.inbox) is None
        assert self.folder(world, box).swept_at is not None

    def test_an_answer_stands_when_the_same_is_asked_again(self, world: StoreWorld, box: Box) -> None:
        """The session that asks had loaded the folder before its owner answered."""
        world.store.save_page(self.page(box, hold=MASS_DELETION))
        world.answer_yes(box.inbox)
        world.store.save_page(self.page(box, hold=MASS_DELETION))
        assert self.folder(world, box).may_remove
        world.store.save_page(self.page(box, hold=Hold("mass_deletion", {"gone": 100, "known": 100})))
        assert not self.folder(world, box).may_remove, "it was not about this"

    def test_a_former_owner_asks_nothing(self, world: StoreWorld, box: Box) -> None:
        world.claim(box.id)
        with pytest.raises(Fenced):
            world.store.save_page(self.page(box, hold=MASS_DELETION))
        assert world.question(box.inbox) is None

    # listed

    def test_what_is_left_out_is_known_and_not_read(self, world: StoreWorld, box: Box) -> None:
        folders = world.store.save_folders(box.id, box.epoch, [INBOX, SENT, JUNK], ["Junk"])
        assert {folder.remote_name for folder in folders} == {"INBOX", "Sent"}
        loaded = {folder.remote_name: folder for folder in world.store.load_mailbox(box.id).folders}
        assert loaded["Junk"].role == "junk" and not loaded["Junk"].is_synced

    def test_the_owners_choice_beats_the_rule(self, world: StoreWorld, box: Box) -> None:
        world.store.save_folders(box.id, box.epoch, [INBOX, SENT, JUNK], ["Junk"])
        junk = next(one for one in world.store.load_mailbox(box.id).folders if one.remote_name == "Junk")
        world.choose(junk.id, True)
        world.choose(box.sent, False)
        folders = world.store.save_folders(box.id, box.epoch, [INBOX, SENT, JUNK], ["Junk"])
        assert {folder.remote_name for folder in folders} == {"INBOX", "Junk"}

    def test_a_folder_that_is_turned_off_keeps_its_history_and_loses_its_slices(
        self, world: StoreWorld, box: Box
    ) -> None:
        world.store.save_page(self.page(box, make_message("1"), cursor="c", version=0))
        (slice_id,) = world.store.save_plan(
            box.id, box.epoch, {}, [self.planned(box, "2")], {box.inbox: date(2026, 1, 1)}
        )
        world.choose(box.inbox, False)
        world.store.save_folders(box.id, box.epoch, [INBOX, SENT])
        assert world.placements() == {(box.inbox, "1", "Offer")}
        assert world.store.find_slice(slice_id) is None
        folder = self.folder(world, box)
        assert (folder.is_synced, folder.cursor, folder.listed_since) == (False, "", None), "it is planned anew"

    def test_a_folder_that_is_turned_off_after_its_import_goes_on_from_its_cursor(
        self, world: StoreWorld, box: Box
    ) -> None:
        world.store.save_page(self.page(box, make_message("1"), cursor="c", version=0))
        world.choose(box.inbox, False)
        world.store.save_folders(box.id, box.epoch, [INBOX, SENT])
        world.choose(box.inbox, True)
        (folder, _) = world.store.save_folders(box.id, box.epoch, [INBOX, SENT])
        assert (folder.id, folder.cursor) == (box.inbox, "c")

    def listed(self, *folders: tuple[str, str]) -> list[RemoteFolder]:
        return [RemoteFolder(name, name, identity=identity) for name, identity in folders]

    def test_a_renamed_folder_keeps_all_it_has(self, world: StoreWorld, box: Box) -> None:
        world.store.save_folders(box.id, box.epoch, self.listed(("INBOX", "i1"), ("Sent", "i2")))
        world.store.save_page(self.page(box, make_message("1"), cursor="c", version=0))
        world.store.save_folders(box.id, box.epoch, self.listed(("Customers/Inbox", "i1"), ("Sent", "i2")))
        folder = self.folder(world, box)
        assert (folder.remote_name, folder.cursor, folder.is_synced) == ("Customers/Inbox", "c", True)
        assert world.placements() == {(box.inbox, "1", "Offer")}
        assert len(world.store.load_mailbox(box.id).folders) == 2

    def test_two_folders_may_be_renamed_at_once(self, world: StoreWorld, box: Box) -> None:
        world.store.save_folders(box.id, box.epoch, self.listed(("INBOX", "i1"), ("Sent", "i2")))
        world.store.save_folders(box.id, box.epoch, self.listed(("A", "i2"), ("B", "i1")))
        names = {folder.id: folder.remote_name for folder in world.store.load_mailbox(box.id).folders}
        assert names == {box.inbox: "B", box.sent: "A"}

    @pytest.mark.parametrize(
        "now",
        [
            (("A", "same"), ("B", "same")),
            (("A", "same"), ("INBOX", "same")),
            (("A", ""),),
            (("A", "other"),),
        ],
    )
    def test_what_is_not_clearly_renamed_is_gone_and_new(
        self, world: StoreWorld, box: Box, now: tuple[tuple[str, str], ...]
    ) -> None:
        world.store.save_folders(box.id, box.epoch, self.listed(("INBOX", ""), ("Sent", "same")))
        folders = world.store.save_folders(box.id, box.epoch, self.listed(*now))
        assert box.sent not in {folder.id for folder in folders}
        assert not self.folder(world, box, box.sent).is_synced

    def test_an_identity_that_was_not_told_this_time_is_not_forgotten(self, world: StoreWorld, box: Box) -> None:
        world.store.save_folders(box.id, box.epoch, self.listed(("INBOX", "i1"), ("Sent", "")))
        world.store.save_folders(box.id, box.epoch, [INBOX, SENT])
        assert self.folder(world, box).identity == "i1"

    def test_nothing_sits_in_a_folder_that_is_gone(self, world: StoreWorld) -> None:
        box = self.open_box(world, "alice@tidewater.example", keep="records")
        page = self.page(box, make_message("1"), passed_over=(make_header("2"),), hold=MASS_DELETION)
        world.store.save_page(replace(page, cursor="c", version=0))
        world.store.save_folders(box.id, box.epoch, [SENT])
        assert world.placements() == set() and world.messages() == ["Offer"]
        known = world.store.known_messages(box.inbox)
        assert (known.messages, known.sighted) == ((), {})
        folder = self.folder(world, box)
        assert (folder.is_synced, folder.cursor, folder.held) == (False, "", "")

    def test_a_folder_that_comes_back_has_its_messages_once(self, world: StoreWorld, box: Box) -> None:
        world.store.save_page(self.page(box, make_message("1"), cursor="c", version=0))
        world.store.save_folders(box.id, box.epoch, [SENT])
        world.store.save_folders(box.id, box.epoch, [INBOX, SENT])
        assert self.folder(world, box).cursor == "", "it is listed and planned anew"
        assert world.store.save_page(self.page(box, make_message("7"))).new == 0
        assert world.placements() == {(box.inbox, "7", "Offer")}
        assert world.messages() == ["Offer"]
