"""Counting a month of a folder: every listed message is in exactly one part, and what is missing is fetched."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from uuid import uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st

from postroom.sync import completeness
from postroom.sync.completeness import Tally, count_month, fill_gap, is_due, months_of, next_month, settle, tally
from postroom.sync.remote import RemoteMessage
from postroom.sync.state import Known, KnownMessage
from tests.unit.sync.driving import KEEPS, MAILS
from tests.unit.sync.driving import settle as bring_up
from tests.unit.sync.world import Mail, World

JANUARY = date(2026, 1, 1)  # of the world's clock
NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)
IDS = st.sets(st.sampled_from("abcdefghij"))
DAYS = st.dates(date(1999, 1, 1), date(2100, 12, 31))


def known(here: set[str], sighted: set[str], planned: set[str]) -> Known:
    messages = tuple(KnownMessage(remote_id, uuid4(), ()) for remote_id in here)
    return Known(messages, dict.fromkeys(sighted, 1), {}, frozenset(planned))


@given(IDS, IDS, IDS, IDS, st.none() | IDS)
def test_every_listed_message_is_counted_once(
    listed: set[str], here: set[str], sighted: set[str], planned: set[str], read: set[str] | None
) -> None:
    messages = [RemoteMessage(remote_id) for remote_id in listed]
    reads = None if read is None else frozenset(read)
    counted = tally(JANUARY, [*messages, *messages[:2]], known(here, sighted, planned), reads)
    assert counted.at_server == len(listed)
    assert counted.here + counted.left_out + counted.missing == len(listed)
    absent = {message.remote_id for message in counted.absent}
    assert absent.isdisjoint(here | sighted | planned) and (read is None or absent <= read)


@given(DAYS, DAYS)
def test_months_follow_one_another_without_a_gap(one: date, other: date) -> None:
    since, today = min(one, other), max(one, other)
    months = months_of(since, today)
    assert months[0] == today.replace(day=1) and months[-1] == since.replace(day=1)
    assert all(next_month(earlier) == later for later, earlier in pairwise(months))


def test_the_older_a_month_is_the_seldomer_it_is_counted() -> None:
    day, week = NOW - timedelta(days=1), NOW - timedelta(days=8)
    this, last, summer, old = date(2026, 11, 1), date(2026, 10, 1), date(2026, 7, 1), date(2025, 12, 1)
    assert [is_due(month, day, 0, NOW) for month in (this, last, summer, old)] == [True, True, False, False]
    assert [is_due(month, week, 0, NOW) for month in (this, last, summer, old)] == [True, True, True, False]
    assert is_due(old, NOW - timedelta(days=31), 0, NOW)
    assert all(is_due(month, None, 0, NOW) for month in (this, old))
    assert is_due(old, NOW - timedelta(minutes=11), 3, NOW), "something is missing"
    assert not is_due(old, NOW - timedelta(minutes=1), 3, NOW)
    assert not is_due(old, NOW - timedelta(minutes=11), 3, NOW, fruitless=1), "the server gave nothing of it"
    assert is_due(old, NOW - timedelta(minutes=21), 3, NOW, fruitless=1)
    assert is_due(old, NOW - timedelta(hours=22), 3, NOW, fruitless=1000)


def prove(world: World) -> tuple[Tally, Tally]:
    """What is counted, and what is counted after the gap was filled."""
    counted: Tally = world.run(count_month(world.folder, JANUARY, world.manner))
    counted = world.run(settle(world.folder, counted))
    return counted, world.run(fill_gap(world.folder, world.mailbox_id, world.epoch, counted, world.manner))


def lose(world: World, count: int) -> int:
    """Drop stored placements and sightings behind everybody's back; how many went."""
    lost = 0
    for kept in (world.memory.placements, world.memory.sightings):
        for key in list(kept)[: count - lost]:
            del kept[key]
            lost += 1
    return lost


@given(MAILS, KEEPS, st.integers(0, 6))
def test_what_is_lost_shows_as_missing_and_is_had_again(mails: list[Mail], keep: str, count: int) -> None:
    world = World(keep=keep)
    world.remote.deliver(*mails)
    bring_up(world)
    before = (set(world.memory.placements), set(world.memory.sightings))
    lost = lose(world, count)
    announced = world.announced
    counted, filled = prove(world)
    assert (counted.at_server, len(counted.absent)) == (len(mails), lost)
    assert filled.missing == 0 and filled.here + filled.left_out == len(mails)
    assert (set(world.memory.placements), set(world.memory.sightings)) == before
    assert world.announced == announced, "what is old is announced to nobody"


def test_a_large_gap_is_filled_in_turns_the_newest_first(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(completeness, "MOST_FILLED", 2)
    world = World()
    world.remote.deliver("a", "b", "c", "d", "e")
    bring_up(world)
    world.fetched.clear()
    lose(world, 5)
    _, filled = prove(world)
    assert (filled.here, filled.missing) == (2, 3)
    assert world.fetched == ["1.5", "1.4"]


def test_only_the_days_from_which_on_a_folder_is_read_are_counted() -> None:
    world = World()
    world.remote.deliver("early", received_at=datetime(2025, 11, 20, tzinfo=UTC))
    world.remote.deliver("late", received_at=datetime(2025, 12, 20, tzinfo=UTC))
    bring_up(world)
    assert world.run(count_month(world.folder, date(2025, 12, 1), world.manner)).at_server == 1
    assert world.run(count_month(world.folder, date(2025, 11, 1), world.manner)).at_server == 0
