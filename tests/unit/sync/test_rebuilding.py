"""A folder is renumbered: its messages are found again without their bodies, whatever happens meanwhile."""

from __future__ import annotations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from postroom.sync import pages as page_bounds
from postroom.sync import rebuilding
from postroom.sync.importing import plan_import
from postroom.sync.rebuilding import MOST_REBUILDS, RENUMBERED_OFTEN
from tests.unit.sync.driving import (
    CHANGES,
    KEEPS,
    MAILS,
    catch_up_once,
    crash_through,
    import_all,
    kept_truth,
    settle,
    sweep_once,
    with_mail,
)
from tests.unit.sync.world import SINCE, WHEN, Mail, RemoteCopy, World, days_before

ATTACK = Mail("attack", name="a")  # claims the Message-ID of a


@pytest.fixture(autouse=True)
def small_pages(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(page_bounds, "PAGE_MESSAGES", 2)
    monkeypatch.setattr(page_bounds, "SLICE_PAGES", 2)
    monkeypatch.setattr(rebuilding, "HEADERS_AT_ONCE", 3)


@given(MAILS, CHANGES, KEEPS, st.tuples(st.integers(0, 15), st.integers(0, 15), st.integers(0, 15)), st.booleans())
@example([Mail("a"), Mail("b")], [("renumber", Mail("a")), ("reuse", Mail("a"))], "everything", (3, 4, 5), True)
@example([Mail("a", "same"), Mail("b", "same")], [("reuse", Mail("a"))], "records", (9, 9, 9), False)
def test_the_store_equals_the_server_after_any_crashes_and_renumberings(
    mails: list[Mail], changes: list[tuple[str, Mail]], keep: str, crashes: tuple[int, int, int], reverses: bool
) -> None:
    world = with_mail(*mails, keep=keep)
    crash_through(world, changes, crashes)
    world.remote.renumber(reverses=reverses)
    world.pass_a_day()
    settle(world)
    sweep_once(world)
    import_all(world)
    assert world.placed() == kept_truth(world)
    assert all(flags == world.remote.copies[int(one.partition(".")[2])].flags for one, flags in world.flags().items())


@given(MAILS, KEEPS, st.booleans(), st.booleans())
def test_messages_and_what_hangs_on_them_survive_every_renumbering(
    mails: list[Mail], keep: str, keeps_validity: bool, reverses: bool
) -> None:
    world = with_mail(*mails, keep=keep)
    settle(world)
    known, announced = world.messages(), world.announced
    world.remote.renumber(keeps_validity=keeps_validity, reverses=reverses)
    settle(world)
    assert world.messages() == known
    assert world.announced == announced, "nothing of it is new mail"
    assert world.placed() == kept_truth(world)


def numbered(count: int) -> list[Mail]:
    return [Mail(f"text {number}", size=100 + number % 7) for number in range(count)]


@pytest.mark.parametrize("keeps_validity", [False, True])
def test_no_body_is_fetched_again(keeps_validity: bool) -> None:
    world = with_mail(*numbered(200))
    settle(world)
    world.fetched.clear()
    world.remote.renumber(keeps_validity=keeps_validity, reverses=True)
    saved = catch_up_once(world)
    import_all(world)
    assert world.fetched == []
    assert (saved.matched, saved.removed, saved.slice_ids) == (200, 0, ())
    assert world.placed() == world.truth()


def test_mail_without_a_message_id_is_found_by_who_wrote_it_and_about_what() -> None:
    world = with_mail(Mail("a", name="-"), Mail("b", name="-"))
    settle(world)
    world.fetched.clear()
    world.remote.renumber()
    settle(world)
    assert world.fetched == []
    assert world.placed() == world.truth()


def test_of_a_message_that_came_while_the_folder_was_renumbered_the_body_is_fetched_by_a_slice() -> None:
    world = with_mail("a", "b")
    settle(world)
    world.fetched.clear()
    world.remote.deliver("c")
    world.remote.renumber()
    assert len(catch_up_once(world).slice_ids) == 1
    import_all(world)
    assert len(world.fetched) == 1
    assert world.placed() == world.truth()


def test_other_mail_with_the_same_id_size_and_time_is_never_taken_for_ours() -> None:
    world = with_mail("b")
    world.remote.deliver(Mail("a", name="a"), received_at=WHEN)
    settle(world)
    world.fetched.clear()
    world.remote.deliver(ATTACK, received_at=WHEN)
    world.remote.renumber()
    settle(world)
    assert world.placed() == world.truth(), "both are there"
    assert len(world.fetched) == 2, "two that cannot be told apart, and not b"


def test_the_time_of_receipt_tells_copies_of_one_id_and_size_apart() -> None:
    world = with_mail(Mail("a", name="a"), ATTACK)
    settle(world)
    world.fetched.clear()
    world.remote.renumber(reverses=True)
    settle(world)
    assert world.fetched == []
    assert world.placed() == world.truth()


def test_other_mail_that_takes_the_place_of_ours_is_not_taken_for_it() -> None:
    world = with_mail(Mail("a", name="a"), "b")
    settle(world)
    world.remote.expunge("a")
    world.remote.deliver(ATTACK)
    world.remote.renumber()
    settle(world)
    assert world.placed() == world.truth()


def test_a_server_that_has_lost_the_times_gives_no_reason_to_fetch_everything_again() -> None:
    world = with_mail(*numbered(100))
    settle(world)
    world.fetched.clear()
    for copy in world.remote.copies.values():
        copy.received_at = WHEN
    world.remote.renumber(reverses=True)
    settle(world)
    assert world.fetched == []
    assert world.placed() == world.truth()


def test_what_is_older_than_the_window_is_found_again_and_nothing_else_of_then_is_fetched() -> None:
    world = with_mail("a")
    settle(world)
    old = days_before(100)
    world.remote.deliver("moved here", received_at=old)
    settle(world)
    world.remote.deliver("b")
    world.remote.copies[world.remote.next_uid] = RemoteCopy(Mail("never listed"), (), old)
    world.fetched.clear()
    world.remote.renumber()
    settle(world)
    texts = {kept.identity for kept in world.memory.placements.values()}
    assert texts == {Mail("a").identity, Mail("moved here").identity, Mail("b").identity}
    assert len(world.fetched) == 1


def test_what_was_passed_over_is_passed_over_again_by_its_header() -> None:
    private = Mail("private", sender="friend@home.example")
    world = with_mail("a", private, keep="records")
    settle(world)
    assert len(world.memory.sightings) == 1
    world.fetched.clear()
    world.remote.renumber()
    settle(world)
    assert world.fetched == []
    assert {remote_id for _, remote_id in world.memory.sightings} == {"2.2"}


def test_a_folder_full_of_private_mail_is_sighted_by_the_import_and_no_body_is_fetched(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(rebuilding, "MOST_PASSED_OVER", 3)
    world = with_mail(*(Mail(f"private {n}", sender="friend@home.example") for n in range(10)), keep="records")
    settle(world)
    world.fetched.clear()
    world.remote.renumber()
    assert catch_up_once(world).slice_ids
    assert len(world.memory.sightings) == 3
    import_all(world)
    assert len(world.memory.sightings) == 10 and world.fetched == []


def test_a_sighting_that_a_record_wants_is_still_wanted() -> None:
    world = with_mail("a", Mail("private", sender="friend@home.example"), keep="records")
    settle(world)
    world.memory.wanted.update(world.memory.sightings)
    world.remote.renumber()
    settle(world)
    assert {remote_id for _, remote_id in world.memory.wanted} == {"2.2"}


def test_open_slices_of_a_renumbered_folder_are_planned_anew() -> None:
    world = with_mail(*numbered(6))
    world.run(plan_import(SINCE))
    world.remote.renumber(keeps_validity=True, reverses=True)
    settle(world)
    assert world.placed() == world.truth()
    assert world.saved_twice == 0


def test_the_sixth_renumbering_of_a_day_holds_the_folder_until_the_day_is_over() -> None:
    world = with_mail("a", "b")
    settle(world)
    for _ in range(MOST_REBUILDS):
        world.remote.renumber()
        settle(world)
    assert world.placed() == world.truth() and world.question is None
    world.remote.renumber()
    assert catch_up_once(world).asked == RENUMBERED_OFTEN
    assert world.question == (RENUMBERED_OFTEN, {"rebuilds": MOST_REBUILDS})
    asked = len(world.windows)
    catch_up_once(world)
    sweep_once(world)
    assert len(world.windows) == asked, "it is left alone"
    world.pass_a_day()
    settle(world)
    assert world.question is None and world.placed() == world.truth()


def test_a_folder_that_stopped_to_be_renumbered_is_read_again() -> None:
    world = World()
    settle(world)
    world.memory.change_folder(world.folder.id, held=RENUMBERED_OFTEN)
    settle(world)
    assert world.folder.held == ""
