"""How long an import still takes: silent at the start, never absurd, and right in the end."""

from __future__ import annotations

import random
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from postroom.mailboxes.models import Mailbox
from postroom.mailboxes.progress import FEWEST_MESSAGES, FEWEST_SECONDS, Work, estimate, left_in_words, seconds_left

NOW = datetime(2026, 11, 23, 9, 0, tzinfo=UTC)
PAGE = 200


def run(sizes: list[int], octets_a_second: float, jitter: random.Random, start_seconds: float = 3.0) -> list[Work]:
    """Not a clock but the states after each page; `times` of the same length are kept beside it in `clock`."""
    clock[:] = []
    states, done, now = [], Work(0, 0), start_seconds
    for start in range(0, len(sizes), PAGE):
        page = sizes[start : start + PAGE]
        work = Work(len(page), sum(page))
        now += work.cost / octets_a_second * jitter.uniform(0.6, 1.4)
        done = Work(done.messages + work.messages, done.octets + work.octets)
        states.append(done)
        clock.append(now)
    return states


clock: list[float] = []


@settings(max_examples=60, deadline=None)
@given(
    seed=st.integers(0, 10_000),
    pages=st.integers(40, 120),
    pace=st.floats(50_000, 300_000_000),
    heavy=st.sampled_from([20_000, 80_000, 400_000]),
)
def test_the_estimate_converges_whatever_the_pace_and_the_sizes(seed: int, pages: int, pace: float, heavy: int) -> None:
    jitter = random.Random(seed)
    sizes = [int(jitter.expovariate(1 / heavy)) for _ in range(pages * PAGE)]
    states = run(sizes, pace, jitter)
    listed, end = states[-1], clock[-1]
    for number, (done, now) in enumerate(zip(states, clock, strict=True), start=1):
        left = seconds_left(done, listed, now)
        if left is None:
            assert now < FEWEST_SECONDS or number < 3 or done == listed
            continue
        truth = end - now
        assert 0 < left < float("inf")
        if number > pages / 4:  # pages differ by up to 40 %, their mean by little
            assert truth / 2 - 10 < left < truth * 2 + 10
        if number > pages * 0.9:
            assert left == pytest.approx(truth, abs=0.05 * end + 3)


def test_large_old_messages_are_foreseen_where_a_count_would_not_foresee_them() -> None:
    """Newest first, so it is common that what is left is larger than what is done."""
    sizes = [5_000] * 4000 + [500_000] * 4000
    states = run(sizes, 20_000_000, random.Random(1), start_seconds=0)
    half, now = states[19], clock[19]
    truth = clock[-1] - now
    assert half.messages == 4000
    by_count = now / 4000 * 4000
    left = seconds_left(half, states[-1], now)
    assert left == pytest.approx(truth, rel=0.3)
    assert by_count < truth / 5


def test_nothing_is_said_at_the_start_and_nothing_when_all_is_done() -> None:
    listed = Work(20_000, 20_000 * 50_000)
    assert seconds_left(Work(0, 0), listed, 60) is None
    assert seconds_left(Work(FEWEST_MESSAGES - 1, 10**6), listed, 60) is None
    assert seconds_left(Work(200, 10**7), listed, FEWEST_SECONDS - 0.1) is None
    assert seconds_left(Work(50, 50 * 50_000), listed, 10) is None  # a four-hundredth tells little
    assert seconds_left(Work(50, 50 * 50_000), listed, 60) is not None  # but after a minute it is all there is
    assert seconds_left(listed, listed, 600) is None
    assert seconds_left(Work(0, 0), Work(0, 0), 600) is None


def test_sizes_that_the_server_does_not_tell_leave_the_count() -> None:
    assert seconds_left(Work(1000, 0), Work(3000, 0), 60) == pytest.approx(120)


def of_mailbox(**more: object) -> Mailbox:
    known = {
        "import_started_at": NOW - timedelta(minutes=5),
        "import_planned_at": NOW - timedelta(minutes=5),
        "listed_count": 3000,
        "done_count": 1000,
    }
    return Mailbox(**(known | more))


def test_what_an_earlier_import_had_done_is_no_pace() -> None:
    assert estimate(of_mailbox(), NOW) == pytest.approx(600)
    extended = of_mailbox(listed_count=10_000, done_count=9_000, done_before=8_000)
    assert estimate(extended, NOW) == pytest.approx(300)
    just_begun = of_mailbox(listed_count=10_000, done_count=8_000, done_before=8_000)
    assert estimate(just_begun, NOW) is None


def test_a_pause_is_no_time_of_the_import() -> None:
    assert estimate(of_mailbox(paused_at=NOW), NOW + timedelta(days=3)) == pytest.approx(600)


@pytest.mark.parametrize(
    "more", [{"import_started_at": None}, {"import_planned_at": None}, {"import_finished_at": NOW}], ids=str
)
def test_without_an_import_under_way_there_is_no_estimate(more: dict[str, object]) -> None:
    assert estimate(of_mailbox(**more), NOW) is None


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (None, ""),
        (0.2, "less than a minute left"),
        (54, "less than a minute left"),
        (60, "about 1 minute left"),
        (240, "about 4 minutes left"),
        (9 * 60 + 40, "about 10 minutes left"),
        (33 * 60, "about 35 minutes left"),
        (57 * 60, "about an hour left"),
        (3 * 3600, "about 3 hours left"),
        (35 * 3600, "about 35 hours left"),
        (72 * 3600, "about 3 days left"),
    ],
)
def test_the_words_are_coarser_the_longer_it_takes(seconds: float | None, words: str) -> None:
    assert left_in_words(seconds) == words
