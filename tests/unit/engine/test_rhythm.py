"""When sessions look."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import pairwise
from uuid import UUID, uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st

from postroom.engine.rhythm import poll_seconds, sweep_is_due

NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)
DAY = timedelta(days=1)


@pytest.mark.parametrize(("sessions", "seconds"), [(0, 60), (1, 60), (300, 60), (900, 180), (1_500, 300), (5_000, 300)])
def test_the_more_sessions_the_seldomer_each_polls(sessions: int, seconds: float) -> None:
    assert poll_seconds(sessions) == seconds


@given(mailbox_id=st.uuids(), hours=st.floats(0, 100))
def test_every_folder_is_swept_once_in_24_hours(mailbox_id: UUID, hours: float) -> None:
    now = NOON + timedelta(hours=hours)
    assert sweep_is_due(mailbox_id, now - DAY - timedelta(seconds=1), now, now)
    assert not sweep_is_due(mailbox_id, now, NOON - 5 * DAY, now)


@given(mailbox_id=st.uuids())
def test_a_folder_is_swept_only_once_a_turn(mailbox_id: UUID) -> None:
    """Going through three days minute by minute, a sweep comes a day after the sweep before."""
    swept = NOON
    moments = []
    for minute in range(0, 24 * 60 * 3, 30):
        now = NOON + timedelta(minutes=minute + 1)
        if sweep_is_due(mailbox_id, swept, NOON, now):
            swept = now
            moments.append(now)
    assert len(moments) in (2, 3), "the first or the last turn may be the moment we begin or end at"
    assert all(later - earlier == DAY for earlier, later in pairwise(moments))


def test_a_new_folder_waits_for_its_mailboxs_turn() -> None:
    due = [sweep_is_due(uuid4(), None, NOON, NOON + timedelta(hours=1)) for _ in range(2_400)]
    assert 50 <= sum(due) <= 160, "one in 24 has its turn within the hour"
    assert all(sweep_is_due(uuid4(), None, NOON, NOON + DAY) for _ in range(100))
