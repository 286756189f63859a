"""A server restored from an older copy gives UIDs again, and as much arrives as was lost: a night's sweep shows it."""

from __future__ import annotations

from contextlib import suppress
from copy import deepcopy

import pytest
from hypothesis import given
from hypothesis import strategies as st

from postroom.sync import pages as page_bounds
from postroom.sync.rebuilding import MOST_REBUILDS, RENUMBERED_OFTEN
from postroom.sync.reused import MOST_SUSPECTS, SPOT_CHECKED
from tests.unit.sync.driving import (
    KEEPS,
    MAIL,
    catch_up_once,
    import_all,
    kept_truth,
    settle,
    sweep_at_night,
    sweep_once,
    with_mail,
)
from tests.unit.sync.world import Crash, Mail, World, days_before

# Other mail under a known Message-ID, by the same person, about the same, is not told apart by headers.
OTHER_MAIL = MAIL.filter(lambda mail: mail.name != "same")
FRIEND = "friend@home.example"


@pytest.fixture(autouse=True)
def small_pages(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(page_bounds, "PAGE_MESSAGES", 2)
    monkeypatch.setattr(page_bounds, "SLICE_PAGES", 2)


def numbered(count: int, first: int = 0, *, size: int = 0) -> list[Mail]:
    return [Mail(f"text {number}", size=size or 100 + number) for number in range(first, first + count)]


def restored(
    kept: list[Mail], lost: list[Mail], arrived: list[Mail], *, keep: str = "everything", size_error: int = 0
) -> World:
    """A world that has stored `kept` and `lost`; then the server lost the latter, and others arrived and were seen."""
    world = with_mail(*kept, keep=keep)
    world.remote.size_error = size_error
    settle(world)
    backup = deepcopy(world.remote)
    world.remote.deliver(*lost)
    settle(world)
    world.remote.restore(backup)
    world.remote.deliver(*arrived)
    settle(world)
    world.fetched.clear()
    world.headers.clear()
    return world


@given(
    st.lists(OTHER_MAIL, max_size=8),
    st.lists(OTHER_MAIL, max_size=6),
    st.lists(OTHER_MAIL, max_size=4),
    KEEPS,
    st.sampled_from([0, 0, 3]),
    st.integers(0, 12),
)
def test_after_a_night_the_store_equals_a_server_that_was_restored(
    kept: list[Mail], arrived: list[Mail], more: list[Mail], keep: str, size_error: int, crash_at: int
) -> None:
    """At least as much arrives as was lost; a crash in the sweep only puts it off."""
    lost = [Mail(f"lost {number}", size=mail.size, sender=mail.sender) for number, mail in enumerate(arrived)]
    world = restored(kept, lost, arrived + more, keep=keep, size_error=size_error)
    for mail in arrived[:2]:
        world.remote.flag(mail.text, "\\Seen")
    with suppress(Crash):
        sweep_at_night(world, crash_at=crash_at)
    sweep_at_night(world)
    import_all(world)
    assert world.placed() == kept_truth(world)
    assert all(flags == world.remote.copies[int(one.partition(".")[2])].flags for one, flags in world.flags().items())
    assert {mail.identity for mail in lost if keep == "everything"} <= world.messages(), "messages stay"


@pytest.mark.parametrize("size_error", [0, 3])
@pytest.mark.parametrize("is_same_size", [True, False])
def test_only_the_bodies_of_other_mail_are_fetched(is_same_size: bool, size_error: int) -> None:
    size = 100 * is_same_size
    world = restored(
        numbered(60, size=size), numbered(5, 100, size=size), numbered(6, 200, size=size), size_error=size_error
    )
    assert world.placed() != world.truth(), "no delta shows it"
    announced = world.announced
    saved = sweep_at_night(world)
    import_all(world)
    assert world.placed() == world.truth()
    assert sorted(world.fetched) == [f"1.{uid}" for uid in range(61, 66)]
    assert (saved.matched, saved.removed) == (61, 5)
    assert world.folder.rebuilds == 1 and world.announced == announced


def test_what_is_older_than_the_window_stays_where_the_sizes_are_wrong() -> None:
    world = with_mail("a")
    world.remote.size_error = 3
    settle(world)
    world.remote.deliver("moved here", received_at=days_before(100))
    settle(world)
    backup = deepcopy(world.remote)
    world.remote.deliver("lost")
    settle(world)
    world.remote.restore(backup)
    world.remote.deliver("b")
    sweep_at_night(world)
    import_all(world)
    assert world.placed() == world.truth() and len(world.placed()) == 3


def test_mail_that_was_passed_over_and_whose_id_a_customer_has_now_is_fetched() -> None:
    private = [Mail(f"private {number}", sender=FRIEND) for number in range(3)]
    world = restored(numbered(3), private, numbered(3, 50), keep="records")
    assert len(world.memory.placements) == 3
    sweep_at_night(world)
    import_all(world)
    assert world.placed() == kept_truth(world) and len(world.placed()) == 6
    assert world.memory.sightings == {}


@pytest.mark.parametrize("count", [SPOT_CHECKED, MOST_SUSPECTS])
def test_suspects_are_looked_at_beyond_the_newest(count: int) -> None:
    """Of these, the oldest alone is another message, and only its size says so."""
    world = restored(numbered(10), [Mail("lost", size=999)], numbered(count, 100, size=77))
    sweep_at_night(world)
    import_all(world)
    assert world.placed() == world.truth()


def test_a_look_at_flags_in_between_asks_for_no_headers() -> None:
    world = restored(numbered(10), numbered(3, 100), numbered(3, 200))
    sweep_once(world)
    world.lists_in_full = True
    catch_up_once(world)
    assert world.headers == []


def test_wrong_sizes_cost_some_headers_a_night_and_nothing_else() -> None:
    world = with_mail(*numbered(300))
    world.remote.size_error = 3
    settle(world)
    world.fetched.clear()
    sweep_at_night(world)
    assert len(world.headers) == MOST_SUSPECTS
    assert world.fetched == [] and world.folder.rebuilds == 0


def test_right_sizes_cost_the_headers_of_the_newest() -> None:
    world = with_mail(*numbered(100))
    settle(world)
    sweep_at_night(world)
    assert world.headers == [f"1.{uid}" for uid in range(100, 100 - SPOT_CHECKED, -1)]
    assert world.folder.rebuilds == 0


def test_a_server_that_has_lost_the_times_has_not_used_ids_again() -> None:
    world = with_mail(*numbered(30))
    settle(world)
    for copy in world.remote.copies.values():
        copy.received_at = days_before(1)
    sweep_at_night(world)
    assert world.folder.rebuilds == 0


def test_headers_that_are_read_differently_now_are_no_other_message() -> None:
    world = with_mail(*numbered(30))
    settle(world)
    for copy in world.remote.copies.values():
        copy.mail = Mail(f"rewritten {copy.mail.text}", size=copy.mail.size)
    sweep_at_night(world)
    assert world.folder.rebuilds == 0


def test_more_than_fifty_that_were_lost_wait_for_the_owner_and_the_new_ones_come() -> None:
    world = restored(numbered(40), numbered(60, 100), numbered(60, 200))
    assert sweep_at_night(world).asked == "mass_deletion"
    import_all(world)
    assert world.truth() <= world.placed() and len(world.placed()) == 160
    world.answer_yes()
    settle(world)
    assert world.placed() == world.truth()


def test_a_server_that_is_restored_again_and_again_is_asked_about() -> None:
    world = restored(numbered(10), numbered(3, 100), numbered(3, 200))
    world.memory.change_folder(world.folder.id, rebuilds=MOST_REBUILDS)
    before = world.placed()
    assert sweep_at_night(world).asked == RENUMBERED_OFTEN
    assert world.placed() == before
    world.headers.clear()
    sweep_at_night(world)
    assert world.headers == []
