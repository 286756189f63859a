"""Labels, ids that are mailbox-wide, and a provider that is asked by address: nothing is missed or fetched twice."""

from __future__ import annotations

from collections import Counter
from contextlib import suppress
from dataclasses import replace

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from postroom.sync.importing import plan_import
from postroom.sync.state import Page, Saved
from tests.unit.sync.labels import ARCHIVE, INBOX, LABELS, OFFERS, LabelWorld
from tests.unit.sync.world import SINCE, Crash

ANNA, LENA, FRIEND = "anna@customer.example", "lena@customer.example", "friend@home.example"

WORN = st.frozensets(st.sampled_from(LABELS), min_size=1)
EVENT = st.one_of(
    st.tuples(st.just("deliver"), st.sampled_from([ANNA, LENA, FRIEND]), WORN),
    st.tuples(st.just("label"), st.integers(0, 9), WORN),
    st.tuples(st.just("flag"), st.integers(0, 9), st.sampled_from([(), ("\\Seen",), ("\\Flagged",)])),
    st.tuples(st.just("contact"), st.sampled_from([ANNA, LENA]), st.none()),
    st.tuples(st.just("settle"), st.none(), st.none()),
    st.tuples(st.just("crash"), st.integers(0, 25), st.none()),
    st.tuples(st.just("expire"), st.booleans(), st.none()),
)  # fmt: skip
EVENTS = st.lists(EVENT, max_size=14)
KEEPS = st.sampled_from(["everything", "records"])


def happen(world: LabelWorld, events: list[tuple]) -> None:  # type: ignore[type-arg]
    for kind, who, what in events:
        match kind:
            case "deliver":
                world.deliver(who, *what)
            case "label" if world.letters:
                world.set_labels(f"m{who % len(world.letters) + 1}", *what)
            case "flag" if world.letters:
                world.flag(f"m{who % len(world.letters) + 1}", *what)
            case "contact":
                world.add_contact(who)
            case "settle":
                world.settle()
            case "crash":
                with suppress(Crash):
                    world.settle(crash_at=who)
            case "expire":
                world.expires = who


@given(EVENTS, KEEPS, st.booleans())
@example([("contact", ANNA, None), ("deliver", ANNA, {INBOX, OFFERS}), ("crash", 9, None)], "records", False)
@example([("deliver", ANNA, {INBOX, OFFERS}), ("crash", 12, None), ("label", 0, {INBOX})], "everything", False)
@example([("deliver", ANNA, {INBOX}), ("crash", 12, None), ("label", 0, {OFFERS})], "everything", False)
@example(
    [("deliver", ANNA, {INBOX, OFFERS}), ("crash", 12, None), ("expire", True, None), ("label", 0, {INBOX})],
    "everything",
    False,
)
def test_whatever_happens_in_whichever_order_what_is_kept_is_where_it_is(
    events: list[tuple],  # type: ignore[type-arg]
    keep: str,
    touches: bool,
) -> None:
    world = LabelWorld(keep=keep, touches=touches)
    happen(world, events)
    world.settle()
    world.settle()  # what a record wants since the last look
    assert world.placed() == world.truth()
    assert not world.open_slices()


@given(EVENTS, st.booleans())
def test_what_is_stored_is_never_fetched_again(events: list[tuple], touches: bool) -> None:  # type: ignore[type-arg]
    world = LabelWorld(keep="everything", touches=touches)
    happen(world, [event for event in events if event[0] != "crash"])
    world.settle()
    assert max(Counter(world.fetched).values(), default=1) == 1
    assert not world.headers


@given(EVENTS, st.booleans())
def test_nobody_elses_mail_is_fetched(events: list[tuple], touches: bool) -> None:  # type: ignore[type-arg]
    world = LabelWorld(touches=touches)
    happen(world, events)
    world.settle()
    assert {world.letters[remote_id].sender for remote_id in world.fetched} <= world.customers
    assert {world.letters[place[1]].sender for place in world.memory.sightings}.isdisjoint(world.customers)


@given(st.lists(st.sampled_from([ANNA, LENA, FRIEND]), max_size=8), st.permutations([ANNA, LENA]), st.integers(0, 8))
def test_it_makes_no_difference_when_a_contact_was_added(senders: list[str], order: list[str], at: int) -> None:
    early, late = LabelWorld(), LabelWorld()
    for address in order:
        early.add_contact(address)
    for number, sender in enumerate(senders):
        for world in (early, late):
            world.deliver(sender, INBOX)
        early.settle()
        if number == at:
            late.settle()
            late.add_contact(order[0])
    late.settle()
    late.add_contact(order[0])
    late.add_contact(order[1])
    late.settle()
    late.settle()
    assert early.placed() == late.placed()


def test_a_message_with_three_labels_is_fetched_once_and_sits_in_each() -> None:
    world = LabelWorld()
    world.add_contact(ANNA)
    world.deliver(ANNA, INBOX, OFFERS, ARCHIVE)
    world.settle()
    assert world.fetched == ["m1"]
    assert {label for label, *_ in world.placed()} == {INBOX, OFFERS, ARCHIVE}


@pytest.mark.parametrize("touches", [False, True])
def test_a_move_fetches_nothing_and_keeps_the_message_through_it(touches: bool) -> None:
    world = LabelWorld(touches=touches)
    world.add_contact(ANNA)
    world.deliver(ANNA, INBOX)
    world.settle()
    for labels in ([ARCHIVE], [OFFERS], [INBOX]):
        world.set_labels("m1", *labels)
        world.flag("m1", "\\Seen")
        world.settle()
        assert world.placed() == {(labels[0], "m1", ("\\Seen",))}
    assert world.fetched == ["m1"] and world.headers == []


def test_an_import_ended_in_the_middle_of_a_page_fetches_nothing_twice_that_was_saved() -> None:
    world = LabelWorld(keep="everything")
    for _ in range(6):
        world.deliver(FRIEND, INBOX, OFFERS)
    with suppress(Crash):
        world.settle(crash_at=20)
    saved = {remote_id for _, remote_id, _ in world.placed()}
    assert saved and len(saved) < 6
    world.fetched.clear()
    world.settle()
    assert saved.isdisjoint(world.fetched) and world.placed() == world.truth()


def test_an_import_asks_for_addresses_and_leaves_the_rest_unseen() -> None:
    world = LabelWorld()
    world.add_contact(ANNA)
    for sender in (FRIEND, ANNA, FRIEND):
        world.deliver(sender, INBOX)
    world.settle()
    assert world.fetched == ["m2"] and world.headers == [] and not world.memory.sightings


def test_without_a_contact_an_import_asks_for_nothing() -> None:
    world = LabelWorld()
    world.deliver(FRIEND, INBOX)
    world.settle()
    assert world.fetched == world.headers == []
    assert world.folder(INBOX).cursor, "and what arrives from now on is caught up"


def test_what_arrives_later_is_decided_on_by_its_header_once() -> None:
    world = LabelWorld()
    world.add_contact(ANNA)
    world.settle()
    world.memory.asked_until[world.mailbox_id] = world.clock.replace(year=9000)  # nothing is new any more
    world.deliver(FRIEND, INBOX)
    world.deliver(ANNA, INBOX)
    world.settle()
    world.settle()
    assert sorted(world.headers) == ["m1", "m2"] and world.fetched == ["m2"]


def test_a_listing_that_is_broken_off_goes_on_where_it_was() -> None:
    """What is allowed a minute may end in the midst of it: then little by little has to be enough."""
    world = LabelWorld()
    world.settle()
    for _ in range(9):
        world.deliver(FRIEND, INBOX)
    for _ in range(4):
        with suppress(Crash):
            world.settle(crash_at=13)  # after two pages
    world.settle()
    assert len(world.headers) == 9 == len(world.memory.sightings)


def test_customers_mail_is_imported_first_where_everything_is_kept() -> None:
    world = LabelWorld(keep="everything")
    world.add_contact(ANNA)
    for sender in (ANNA, FRIEND, FRIEND):
        world.deliver(sender, INBOX)
    world.run(plan_import(SINCE, world.manner))
    assert [piece.remote_ids for piece in world.open_slices()] == [("m1",), ("m3", "m2")]


def test_an_address_is_asked_for_over_the_whole_window_and_once() -> None:
    world = LabelWorld()
    world.deliver(ANNA, INBOX)
    world.settle()
    world.add_contact(ANNA)
    world.settle()
    assert world.fetched == ["m1"]
    until = world.memory.asked_until[world.mailbox_id]
    assert world.memory.addresses[ANNA] <= until
    world.settle()
    assert world.fetched == ["m1"] and world.placed() == world.truth()


def test_flags_of_what_was_only_touched_are_compared_with_what_is_stored() -> None:
    world = LabelWorld(keep="everything", touches=True)
    for _ in range(2):
        world.deliver(FRIEND, INBOX)
    world.settle()
    world.flag("m1", "\\Seen")
    world.flag("m2")  # told, though nothing changed
    saved: list[str] = []
    save_page = world.store.save_page

    def note(page: Page) -> Saved:
        saved.extend(remote_id for remote_id, _ in page.flagged)
        return save_page(page)

    world.store.save_page = note  # type: ignore[method-assign]
    world.settle()
    assert saved == ["m1"] and world.placed() == world.truth()


def test_a_label_that_is_missing_from_a_search_still_gets_what_is_stored() -> None:
    """Sent from a record, or put there by hand: no address finds it."""
    world = LabelWorld()
    world.add_contact(ANNA)
    world.deliver(ANNA, INBOX)
    world.settle()
    world.memory.addresses.clear()
    world.set_labels("m1", OFFERS)
    world.expires = True
    world.settle()
    assert {label for label, *_ in world.placed()} == {OFFERS} and world.fetched == ["m1"]


@pytest.mark.parametrize("expires", [False, True])
def test_who_archives_his_whole_inbox_is_not_asked_whether_he_deleted_it(expires: bool) -> None:
    world = LabelWorld(keep="everything")
    for _ in range(60):
        world.deliver(FRIEND, INBOX)
    world.settle()
    for number in range(1, 61):
        world.set_labels(f"m{number}", ARCHIVE)
    world.expires = expires
    world.settle([ARCHIVE, OFFERS, INBOX])
    assert not world.memory.questions and world.placed() == world.truth()
    for number in range(1, 61):
        world.set_labels(f"m{number}")
    world.settle()
    assert [hold.code for hold in world.memory.questions.values()] == ["mass_deletion"], "and who deletes it is"


def test_a_manner_for_what_a_search_found_differs_in_one_thing() -> None:
    manner = LabelWorld().manner
    assert replace(manner.whole, headers_first=True) == manner
