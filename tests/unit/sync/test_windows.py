"""What is planned and taken in: each message once, newest first, the cursor last."""

from __future__ import annotations

from contextlib import suppress
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from postroom.sync import pages as page_bounds
from postroom.sync.importing import import_slice, plan_import
from postroom.sync.remote import FolderClosed
from tests.unit.sync.driving import catch_up_once, import_all, sweep_once, with_mail
from tests.unit.sync.world import SINCE, Crash, Mail, World, days_before


@pytest.fixture(autouse=True)
def small_pages(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(page_bounds, "PAGE_MESSAGES", 2)
    monkeypatch.setattr(page_bounds, "SLICE_PAGES", 1)


def aged(*days: int) -> World:
    """A world with a message of each age, which says how old it is."""
    world = World()
    for age in sorted(days, reverse=True):
        world.remote.deliver(f"{age} days", received_at=days_before(age))
    return world


def stored(world: World) -> set[str]:
    return {message.parsed.text for message in world.memory.messages.values()}


def test_what_open_slices_will_fetch_is_not_fetched_by_a_comparison() -> None:
    world = with_mail("a", "b", "c")
    world.run(plan_import(SINCE))
    world.lists_in_full = True
    catch_up_once(world)
    sweep_once(world)
    assert world.fetched == []
    import_all(world)
    assert len(world.fetched) == 3 and world.placed() == world.truth()


def test_a_longer_window_lists_only_the_days_before_and_stands_behind_what_is_open() -> None:
    world = aged(1, 2, 3, 40, 41, 42, 43)
    world.run(plan_import(SINCE))
    before = world.folder.version
    world.windows.clear()
    world.run(plan_import(SINCE - timedelta(days=30)))
    assert world.windows == [(SINCE - timedelta(days=30), SINCE)]
    assert world.folder.listed_since == SINCE - timedelta(days=30)
    assert world.folder.version == before, "what happened since the first listing still has to be caught up"
    planned = [remote_id for piece in world.memory.slices.values() for remote_id in piece.remote_ids]
    assert planned == ["1.7", "1.6", "1.5", "1.4", "1.3", "1.2", "1.1"]
    import_all(world)
    assert world.placed() == world.truth() and len(world.fetched) == 7


def test_what_was_moved_here_before_the_window_was_extended_is_not_fetched_twice() -> None:
    world = aged(1)
    world.run(plan_import(SINCE))
    import_all(world)
    world.remote.deliver("moved here", received_at=days_before(50))
    catch_up_once(world)
    world.fetched.clear()
    assert world.run(plan_import(SINCE - timedelta(days=60))) == ()
    assert world.fetched == []


def test_a_folder_of_an_older_release_which_does_not_know_since_when_it_is_listed_is_planned_once() -> None:
    world = aged(1, 2, 3)
    world.run(plan_import(SINCE))
    world.memory.change_folder(world.folder.id, listed_since=None)
    assert world.run(plan_import(SINCE, is_planned=True)) == ()
    assert world.folder.listed_since == SINCE
    import_all(world)
    assert len(world.fetched) == 3


def test_a_shorter_window_changes_nothing() -> None:
    world = aged(1, 20)
    world.run(plan_import(SINCE))
    world.windows.clear()
    assert world.run(plan_import(SINCE + timedelta(days=20))) == ()
    assert world.windows == [] and world.folder.listed_since == SINCE


@given(st.lists(st.integers(0, 100), max_size=8, unique=True), st.lists(st.integers(0, 60), max_size=4), st.data())
def test_windows_in_any_order_with_crashes_fetch_each_message_once(
    ages: list[int], lengths: list[int], data: st.DataObject
) -> None:
    world = aged(*ages)
    for length in (*lengths, 60):
        since = SINCE - timedelta(days=length)
        with suppress(Crash):
            world.run(plan_import(since), crash_at=data.draw(st.integers(0, 12)))
        world.run(plan_import(since))
        if data.draw(st.booleans()):
            import_all(world)
    import_all(world)
    first = (SINCE - timedelta(days=60)).toordinal()
    assert stored(world) == {f"{age} days" for age in ages if days_before(age).date().toordinal() >= first}
    assert len(world.fetched) == len(stored(world))


def test_the_cursor_moves_with_the_last_page() -> None:
    world = with_mail("a")
    world.run(plan_import(SINCE))
    import_all(world)
    cursor = world.folder.cursor
    world.remote.deliver("b", "c", "d", "e", "f")
    for crash_at in range(6):  # list, then fetch and save, thrice
        with suppress(Crash):
            catch_up_once(world, crash_at=crash_at)
        assert world.folder.cursor == cursor
    catch_up_once(world)
    assert world.folder.cursor != cursor and world.placed() == world.truth()


def test_a_folder_that_cannot_be_opened_does_not_keep_the_others_from_being_read() -> None:
    world = with_mail("a")
    steps = plan_import(SINCE)
    folders = world.answer(next(steps))
    steps.send(world.answer(steps.send(folders)))
    plan = steps.throw(FolderClosed())
    assert world.answer(plan) == ()
    assert world.folder.cursor == "", "it is tried again at the next listing"
    assert world.run(plan_import(SINCE)) != ()


def test_an_empty_list_of_folders_is_not_believed() -> None:
    world = with_mail("a")
    world.run(plan_import(SINCE))
    steps = plan_import(SINCE)
    next(steps)
    with pytest.raises(StopIteration) as end:
        steps.send([])
    assert end.value.value == ()


def test_an_expired_cursor_is_answered_by_a_comparison() -> None:
    world = with_mail("a", "b", Mail("c"))
    world.run(plan_import(SINCE))
    for piece in world.open_slices():
        world.run(import_slice(piece))
    world.expires_cursors = True
    world.remote.expunge("a")
    world.remote.deliver("d")
    catch_up_once(world)
    assert world.placed() == world.truth()
    world.remote.renumber()
    catch_up_once(world)
    import_all(world)
    assert world.placed() == world.truth()
