"""What every store promises where remote ids are mailbox-wide, and where a provider is asked by address."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from uuid import uuid4

import pytest

from postroom.engine.store import ASKED_AGAIN, Conflict, Fenced, Match, NewMessage, Page, Placed, PlannedSlice
from postroom.sync.remote import RemoteMessage
from tests.contract.store_contract import NOON, ON_RECORD, Box, StoreSuite, StoreWorld, make_message


class PlacingContract(StoreSuite):
    """Subclasses define the fixture `world`."""

    def placed(self, world: StoreWorld, box: Box, *remote_ids: str, flags: tuple[str, ...] = ()) -> tuple[Match, ...]:
        found = world.store.find_placed(box.id, remote_ids)
        return tuple(
            Match(one.message_id, RemoteMessage(one.remote_id, one.size, flags), one.received_at) for one in found
        )

    def in_sent(self, box: Box, *messages: NewMessage, **more: object) -> Page:
        return replace(self.page(box, *messages, **more), folder_id=box.sent)

    def test_what_a_folder_has_is_found_by_its_id_alone(self, world: StoreWorld, box: Box) -> None:
        message = replace(make_message("a"), flags=("\\Seen",))
        world.store.save_page(self.page(box, message))
        (found,) = world.store.find_placed(box.id, ["a", "b", "void.a"])
        assert found == Placed("a", found.message_id, NOON, message.raw_size, ("\\Seen",))

    def test_what_another_mailbox_has_is_not_found(self, world: StoreWorld, box: Box) -> None:
        world.store.save_page(self.page(box, make_message("a")))
        other = self.open_box(world, "support@tidewater.example")
        assert world.store.find_placed(other.id, ["a"]) == ()

    def test_a_message_in_two_folders_is_found_once(self, world: StoreWorld, box: Box) -> None:
        world.store.save_page(self.page(box, make_message("a")))
        world.store.save_page(self.in_sent(box, placed=self.placed(world, box, "a")))
        (found,) = world.store.find_placed(box.id, ["a"])
        assert found.folders == 2
        world.store.save_page(self.page(box, removed=("a",)))
        world.store.save_page(self.in_sent(box, removed=("a",)))
        (found,) = world.store.find_placed(box.id, ["a"])
        assert found.folders == 0

    def test_what_is_found_is_placed_without_its_body(self, world: StoreWorld, box: Box) -> None:
        world.store.save_page(self.page(box, make_message("a")))
        saved = world.store.save_page(self.in_sent(box, placed=self.placed(world, box, "a", flags=("\\Flagged",))))
        assert (saved.new, saved.kept, saved.filed) == (0, 1, 1)
        assert world.placements() == {(box.inbox, "a", "Offer"), (box.sent, "a", "Offer")}
        assert world.flags(box.sent, "a") == ("\\Flagged",)

    def test_a_page_that_places_may_be_saved_twice(self, world: StoreWorld, box: Box) -> None:
        world.store.save_page(self.page(box, make_message("a")))
        page = self.in_sent(box, placed=self.placed(world, box, "a") * 2)
        world.store.save_page(page)
        world.store.save_page(page)
        assert world.placements() == {(box.inbox, "a", "Offer"), (box.sent, "a", "Offer")}

    @pytest.mark.parametrize("comes_first", [True, False])
    def test_a_move_is_two_pages_in_any_order(self, world: StoreWorld, box: Box, comes_first: bool) -> None:
        world.store.save_page(self.page(box, make_message("a")))

        def come() -> None:
            world.store.save_page(self.in_sent(box, placed=self.placed(world, box, "a")))

        def leave() -> None:
            world.store.save_page(self.page(box, removed=("a",)))

        for step in (come, leave) if comes_first else (leave, come):
            step()
        assert world.placements() == {(box.sent, "a", "Offer")}
        assert len(world.store.find_placed(box.id, ["a"])) == 1

    def test_what_left_its_last_folder_is_placed_when_it_comes_back(self, world: StoreWorld, box: Box) -> None:
        world.store.save_page(self.page(box, make_message("a")))
        world.store.save_page(self.page(box, removed=("a",)))
        assert world.placements() == set() and world.messages() == ["Offer"]
        world.store.save_page(self.page(box, placed=self.placed(world, box, "a")))
        assert world.placements() == {(box.inbox, "a", "Offer")}

    def test_what_was_passed_over_in_a_folder_is_placed_there_later(self, world: StoreWorld) -> None:
        box = self.open_box(world, "alice@tidewater.example", keep="records")
        world.store.save_page(self.in_sent(box, make_message("a", sender="friend@home.example")))
        world.store.save_page(self.page(box, make_message("a")))
        world.store.save_page(self.in_sent(box, placed=self.placed(world, box, "a")))
        assert not world.store.known_messages(box.sent).sighted
        assert world.placements() == {(box.inbox, "a", "Offer"), (box.sent, "a", "Offer")}

    def test_what_its_last_record_let_go_of_is_not_placed(self, world: StoreWorld) -> None:
        """It would come back by its id alone, though nobody may see it any more."""
        box = self.open_box(world, "alice@tidewater.example", keep="records")
        world.store.save_page(self.page(box, make_message("a")))
        placed = self.placed(world, box, "a")
        world.let_go("a")
        with pytest.raises(Conflict):
            world.store.save_page(self.in_sent(box, placed=placed))
        assert world.placements() == set() and world.store.find_placed(box.id, ["a"]) == ()

    def test_a_slice_that_places_counts_what_it_placed(self, world: StoreWorld, box: Box) -> None:
        world.store.save_page(self.page(box, make_message("a")))
        planned = PlannedSlice(box.sent, 0, ("a", "b"), (0, 0))
        (slice_id,) = world.store.save_plan(box.id, box.epoch, {box.sent: "c"}, [planned])
        page = Page(
            box.id,
            None,
            box.sent,
            (make_message("b", "Order"),),
            slice_id=slice_id,
            slice_done=2,
            placed=self.placed(world, box, "a"),
        )
        assert world.store.save_page(page).kept == 2
        assert world.store.find_slice(slice_id) is None
        assert world.placements() == {(box.inbox, "a", "Offer"), (box.sent, "a", "Offer"), (box.sent, "b", "Order")}

    def test_of_some_ids_it_is_told_which_are_planned(self, world: StoreWorld, box: Box) -> None:
        planned = PlannedSlice(box.inbox, 0, ("a", "b"), (0, 0))
        world.store.save_plan(box.id, box.epoch, {box.inbox: "c"}, [planned])
        known = world.store.known_messages(box.inbox, remote_ids=("b", "c"))
        assert known.planned == {"b"} and not known.messages
        assert not world.store.known_messages(box.inbox, remote_ids=("b",), for_matching=True).planned

    def test_addresses_of_records_are_told_but_for_our_own(self, world: StoreWorld, box: Box) -> None:
        world.add_addresses("lena@other.example", "sales@tidewater.example")
        keys = set(world.store.addresses(box.id).keys)
        assert keys - {ON_RECORD} == {"lena@other.example"}

    def test_a_mailbox_is_asked_for_what_came_since_and_a_little_before(self, world: StoreWorld, box: Box) -> None:
        world.add_addresses("lena@other.example")
        asked = world.store.addresses(box.id, is_new=True)
        assert "lena@other.example" in asked.keys, "it was asked for nothing yet"
        world.store.save_plan(box.id, box.epoch, {}, [], {}, asked.until)
        assert "lena@other.example" in world.store.addresses(box.id, is_new=True).keys
        world.store.save_plan(box.id, box.epoch, {}, [], {}, asked.until + ASKED_AGAIN + timedelta(seconds=5))
        assert world.store.addresses(box.id, is_new=True).keys == ()
        world.store.save_plan(box.id, box.epoch, {}, [], {}, asked.until)  # it never goes back
        world.store.save_plan(box.id, box.epoch, {}, [])
        assert world.store.addresses(box.id, is_new=True).keys == ()
        assert "lena@other.example" in world.store.addresses(box.id).keys

    def test_until_when_a_mailbox_was_asked_is_fenced(self, world: StoreWorld, box: Box) -> None:
        until = world.store.addresses(box.id).until
        world.claim(box.id)
        with pytest.raises(Fenced):
            world.store.save_plan(box.id, box.epoch, {}, [], {}, until + 2 * ASKED_AGAIN)
        world.add_addresses("lena@other.example")
        assert "lena@other.example" in world.store.addresses(box.id, is_new=True).keys
        with pytest.raises(Fenced):
            world.store.addresses(uuid4())
