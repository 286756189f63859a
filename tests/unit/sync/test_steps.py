"""The promises of DESIGN.md 5, driven with random mail, random changes and a crash at any ask."""

from __future__ import annotations

from contextlib import suppress
from datetime import timedelta

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from postroom.sync import pages as page_bounds
from postroom.sync.catching_up import catch_up
from postroom.sync.importing import import_slice, plan_import
from postroom.sync.state import Fenced
from tests.unit.sync.world import SINCE, Crash, Mail, World

CONTENTS = st.lists(st.sampled_from("abcdefghijklmnop"), max_size=12)
CHANGES = st.lists(
    st.tuples(st.sampled_from(["deliver", "expunge", "renumber"]), st.sampled_from("qrstuvwxyzabc")), max_size=6
)


@pytest.fixture(autouse=True)
def small_pages(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(page_bounds, "PAGE_MESSAGES", 2)
    monkeypatch.setattr(page_bounds, "SLICE_PAGES", 2)


def apply(world: World, changes: list[tuple[str, str]]) -> None:
    for kind, content in changes:
        if kind == "deliver":
            world.remote.deliver(content)
        elif kind == "expunge":
            world.remote.expunge(content)
        else:
            world.remote.renumber()


def catch_up_once(world: World, **fault: int | None) -> None:
    world.run(catch_up(world.folder, world.mailbox_id, world.epoch, SINCE), **fault)  # type: ignore[arg-type]


def settle(world: World) -> None:
    """What the engine does after a restart: plan if there is no plan, import what is open, catch up."""
    if not world.folder.cursor:
        world.run(plan_import(SINCE))
    catch_up_once(world)
    for piece in world.open_slices():
        world.run(import_slice(piece))


def with_mail(contents: list[str]) -> World:
    world = World()
    for content in contents:
        world.remote.deliver(content)
    return world


@given(CONTENTS, CHANGES, st.integers(0, 30), st.integers(0, 30))
@example(["a", "b", "c"], [("deliver", "q"), ("renumber", "q")], 3, 1)
def test_no_message_is_lost_by_a_crash_at_any_ask(
    contents: list[str], changes: list[tuple[str, str]], first: int, second: int
) -> None:
    world = with_mail(contents)
    pending = list(changes)

    def change(count: int) -> None:
        if pending and count % 2:
            apply(world, [pending.pop()])

    for crash_at in (first, second, None):
        try:
            if not world.folder.cursor:
                world.run(plan_import(SINCE), crash_at=crash_at, change=change)
            for piece in world.open_slices():
                world.run(import_slice(piece), crash_at=crash_at, change=change)
            catch_up_once(world, crash_at=crash_at)
        except Crash:
            continue
    apply(world, pending)
    settle(world)
    assert world.truth() <= world.placed()


@given(CONTENTS, CHANGES)
def test_absence_means_deleted_only_in_a_full_listing(contents: list[str], changes: list[tuple[str, str]]) -> None:
    world = with_mail(contents)
    settle(world)
    apply(world, [change for change in changes if change[0] != "renumber"])
    before = world.placed_ids()
    settle(world)
    assert before <= world.placed_ids(), "a partial listing removed something"
    world.lists_in_full = True
    catch_up_once(world)
    assert world.placed() == world.truth()


@given(CONTENTS, CHANGES)
def test_a_reset_voids_the_remote_ids_and_keeps_the_messages(
    contents: list[str], changes: list[tuple[str, str]]
) -> None:
    world = with_mail(contents)
    settle(world)
    known = world.messages()
    apply(world, [*changes, ("renumber", "")])
    settle(world)
    assert world.placed() == world.truth()
    assert known <= world.messages()


@given(st.lists(st.sampled_from("abcdefghijklmnop"), min_size=1, max_size=12), st.integers(0, 12))
def test_a_killed_import_repeats_one_page_at_most(contents: list[str], crash_at: int) -> None:
    world = with_mail(contents)
    world.run(plan_import(SINCE))
    for piece in world.open_slices():
        with suppress(Crash):
            world.run(import_slice(piece), crash_at=crash_at)
        break
    for piece in world.open_slices():
        world.run(import_slice(piece))
    assert world.placed() == world.truth()
    assert world.saved_twice == 0, "a page and its progress are saved together"


def test_a_worker_with_an_old_epoch_changes_nothing() -> None:
    world = with_mail(["a"])
    settle(world)
    world.remote.deliver("b")
    steps = catch_up(world.folder, world.mailbox_id, world.epoch, SINCE)
    world.memory.claim(world.mailbox_id)
    with pytest.raises(Fenced):
        world.run(steps)
    assert world.placed() == {("1.1", Mail("a").identity)}


@given(CONTENTS)
def test_the_newest_messages_are_planned_first(contents: list[str]) -> None:
    world = with_mail(contents)
    world.run(plan_import(SINCE))
    planned = [remote_id for piece in world.memory.slices.values() for remote_id in piece.remote_ids]
    assert planned == [message.remote_id for message in world.remote.listed()]


def test_mail_that_arrives_between_listing_and_import_is_caught_up() -> None:
    world = with_mail(["a"])
    world.run(plan_import(SINCE))
    world.remote.deliver("b")
    settle(world)
    assert world.placed() == world.truth()


def test_planning_again_lists_no_known_message_twice() -> None:
    world = with_mail(["a", "b", "c"])
    settle(world)
    world.run(plan_import(SINCE - timedelta(days=30)))
    assert world.open_slices() == []
