"""A sweep repairs whatever the store has wrong; a brake keeps it from believing that everything was deleted."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace
from uuid import UUID, uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st

from postroom.sync import pages as page_bounds
from postroom.sync import sweeping
from postroom.sync.brake import MASS_DELETION, mass_deletion, needs_comparing, restrain
from postroom.sync.importing import plan_import
from postroom.sync.state import FolderState, Known, KnownMessage
from tests.unit.sync.driving import KEEPS, MAILS, catch_up_once, import_all, kept_truth, settle, sweep_once, with_mail
from tests.unit.sync.world import SINCE, WHEN, Crash, Mail, World


@pytest.fixture(autouse=True)
def small_pages(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(page_bounds, "PAGE_MESSAGES", 2)
    monkeypatch.setattr(sweeping, "FLAGS_AT_ONCE", 2)


def numbered(count: int, first: int = 0) -> list[Mail]:
    return [Mail(f"text {number}") for number in range(first, first + count)]


def damage(world: World, places: list[int]) -> None:
    """Lose some placements, invent others, twist flags: what bugs and broken disks do."""
    for number in places:
        stored = sorted(world.memory.placements)
        if not stored:
            return
        place = stored[number % len(stored)]
        kept = world.memory.placements[place]
        match number % 3:
            case 0:
                del world.memory.placements[place]
            case 1:
                world.memory.placements[place[0], f"1.{900 + number}"] = kept
            case 2:
                world.memory.placements[place] = replace(kept, flags=("\\Flagged", "$Wrong"))


@given(MAILS, st.lists(st.integers(0, 40), max_size=6), KEEPS)
def test_a_sweep_makes_the_store_equal_the_server(mails: list[Mail], damaged: list[int], keep: str) -> None:
    world = with_mail(*mails, keep=keep)
    settle(world)
    damage(world, damaged)
    for mail in mails[:2]:
        world.remote.flag(mail.text, "\\Seen", "\\Recent")
    sweep_once(world)
    import_all(world)
    assert world.placed() == kept_truth(world)
    flags = {f"1.{uid}": frozenset(copy.flags) - {"\\Recent"} for uid, copy in world.remote.copies.items()}
    stored = {remote_id: frozenset(found) - {"\\Recent"} for remote_id, found in world.flags().items()}
    assert stored.items() <= flags.items()
    assert world.folder.swept_at is not None


def test_a_sweep_of_a_folder_that_is_right_fetches_nothing() -> None:
    world = with_mail(*numbered(5))
    settle(world)
    world.fetched.clear()
    windows = len(world.windows)
    sweep_once(world)
    assert world.fetched == [] and len(world.windows) == windows


def test_a_crash_in_a_sweep_leaves_work_and_loses_nothing() -> None:
    for crash_at in range(12):
        world = with_mail(*numbered(5))
        settle(world)
        damage(world, [0, 3, 4, 2])
        with suppress(Crash):
            sweep_once(world, crash_at=crash_at)
        sweep_once(world)
        assert world.placed() == world.truth()


@pytest.mark.parametrize(
    ("gone", "known", "is_asked"),
    [(50, 60, False), (51, 60, True), (51, 255, False), (51, 254, True), (60, 100, True), (0, 0, False)],
)
def test_more_than_fifty_that_are_more_than_a_fifth_are_asked_about(gone: int, known: int, is_asked: bool) -> None:
    assert (mass_deletion(gone, known) is not None) == is_asked


def emptied(*, tells_removed: bool = False) -> World:
    """A world where 60 of 100 messages have gone."""
    world = with_mail(*numbered(100))
    world.tells_removed = tells_removed
    settle(world)
    world.remote.expunge(*(mail.text for mail in numbered(60)))
    return world


@pytest.mark.parametrize("how", ["delta", "full", "sweep", "rebuild"])
def test_sixty_of_a_hundred_do_not_go_before_the_owner_says_so(how: str) -> None:
    world = emptied(tells_removed=how == "delta")
    world.lists_in_full = how == "full"
    if how == "rebuild":
        world.remote.renumber()
    saved = sweep_once(world) if how == "sweep" else catch_up_once(world)
    assert saved.asked == MASS_DELETION
    assert world.question == (MASS_DELETION, {"gone": 60, "known": 100})
    assert len(world.memory.placements) == 100
    world.remote.deliver("new")
    settle(world)
    sweep_once(world)
    assert len(world.memory.placements) == 101, "new mail goes on, removals do not"
    world.answer_yes()
    catch_up_once(world)
    assert world.placed() == world.truth()
    assert world.question is None and not world.folder.may_remove
    assert len(world.messages()) == 101, "messages never go"


def test_a_folder_that_looks_empty_for_a_moment_keeps_its_import() -> None:
    world = with_mail(*numbered(6))
    world.run(plan_import(SINCE))
    copies, world.remote.copies = world.remote.copies, {}
    sweep_once(world)
    world.remote.copies = copies
    import_all(world)
    assert world.placed() == world.truth() and len(world.placed()) == 6


def test_few_deletions_wait_while_the_owner_is_asked() -> None:
    world = emptied(tells_removed=True)
    catch_up_once(world)
    world.remote.expunge("text 99")
    assert catch_up_once(world).removed == 0
    assert len(world.memory.placements) == 100


def test_new_mail_of_a_folder_that_asks_needs_no_look_at_all_that_is_stored() -> None:
    asking = FolderState(uuid4(), "INBOX", "inbox", "cursor", 1, held=MASS_DELETION)
    assert not needs_comparing(asking, ())
    assert needs_comparing(asking, ("1.1",)) and not needs_comparing(replace(asking, held=""), ("1.1",))


@pytest.mark.parametrize("is_renumbered", [False, True])
def test_the_question_is_withdrawn_when_the_messages_are_back(is_renumbered: bool) -> None:
    world = emptied()
    lost = dict(world.remote.copies)
    if is_renumbered:
        world.remote.renumber()
    sweep_once(world)
    assert world.question is not None
    if is_renumbered:  # a server that lost its index and builds another one
        world.remote.deliver(*numbered(60))
        settle(world)
    else:
        restored = with_mail(*numbered(100)).remote.copies
        world.remote.copies = restored | lost
    sweep_once(world)
    assert world.question is None
    assert world.placed() == world.truth()


def test_what_sits_in_the_folder_twice_is_no_loss() -> None:
    one, other = uuid4(), uuid4()
    known = Known((known_as("1", one), known_as("2", one), known_as("3", other)))
    state = FolderState(UUID(int=1), "INBOX", "inbox", "c", 1, held=MASS_DELETION)
    removal = restrain(state, known, {"1", "3"}, is_whole=False)
    assert removal.remote_ids == ("1",)


def known_as(remote_id: str, message_id: UUID) -> KnownMessage:
    return KnownMessage(remote_id, message_id, (), 1, "<a@x>", WHEN)
