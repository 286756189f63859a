"""Workers share the mailboxes; one that was taken for dead loses them and is fenced."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from django.db import connection

from postroom.engine.supervisor import Dead
from postroom.mailboxes.models import Mailbox, Worker
from postroom.mailboxes.ownership import PostgresOwnership
from tests.cast import make_cast, make_mailbox

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def workers() -> Iterator[tuple[PostgresOwnership, PostgresOwnership]]:
    pair = PostgresOwnership(), PostgresOwnership()
    yield pair
    for worker in pair:
        worker.leave()


@pytest.fixture(autouse=True)
def five_mailboxes() -> None:
    cast = make_cast()
    for number in range(5):
        make_mailbox(cast.alice, f"m{number}@tidewater.example")


def fall_silent(worker: PostgresOwnership) -> None:
    with connection.cursor() as cursor:
        cursor.execute("UPDATE mailboxes_worker SET seen_at = now() - interval '11 s' WHERE id = %s", [worker.id])


def test_one_worker_claims_every_mailbox(workers: tuple[PostgresOwnership, PostgresOwnership]) -> None:
    first, _ = workers
    first.join()
    assert first.beat() == 5
    assert len(first.claim(5)) == 5
    assert first.claim(5) == []


def test_two_workers_never_hold_the_same_mailbox(workers: tuple[PostgresOwnership, PostgresOwnership]) -> None:
    first, second = workers
    first.join()
    second.join()
    assert (first.beat(), second.beat()) == (3, 2), "shares differ by one and add up"
    mine, yours = dict(first.claim(3)), dict(second.claim(2))
    assert (len(mine), len(yours)) == (3, 2)
    assert not mine.keys() & yours.keys()


def test_no_more_are_claimed_than_asked_for_whatever_the_planner_does(
    workers: tuple[PostgresOwnership, PostgresOwnership],
) -> None:
    """A subquery with LIMIT and SKIP LOCKED gives other rows each time, and a nested loop runs it for each mailbox."""
    first, _ = workers
    first.join()
    for way in ("hashjoin", "mergejoin", "hashagg", "material", "sort"):
        first._run(f"SET enable_{way} = off", [])
    assert len(first.claim(2)) == 2
    assert len(first.claim(5)) == 3


def test_a_silent_worker_loses_its_mailboxes_and_learns_it(
    workers: tuple[PostgresOwnership, PostgresOwnership],
) -> None:
    first, second = workers
    first.join()
    first.beat()
    before = dict(first.claim(5))
    fall_silent(first)
    second.join()
    assert second.beat() == 5
    after = dict(second.claim(5))
    assert after.keys() == before.keys()
    assert all(after[mailbox] == before[mailbox] + 1 for mailbox in after), "every claim raises the epoch"
    with pytest.raises(Dead):
        first.beat()
    assert set(first.lost(list(before))) == set(before)


def test_a_silent_worker_keeps_what_nobody_took(workers: tuple[PostgresOwnership, PostgresOwnership]) -> None:
    first, second = workers
    first.join()
    first.beat()
    before = dict(first.claim(5))
    fall_silent(first)
    second.join()
    second.beat()
    taken = dict(second.claim(2))
    with pytest.raises(Dead):
        first.beat()
    kept = set(first.rejoin())
    assert kept == before.keys() - taken.keys()
    assert (first.beat(), second.beat()) == (2, 3), "who registers anew is the youngest"
    assert set(first.lost(list(before))) == taken.keys()


def test_more_workers_than_mailboxes_have_one_each_or_none() -> None:
    crowd = [PostgresOwnership() for _ in range(8)]
    for worker in crowd:
        worker.join()
    shares = [worker.beat() for worker in crowd]
    assert shares == [1, 1, 1, 1, 1, 0, 0, 0]
    assert [len(worker.claim(share)) for worker, share in zip(crowd, shares, strict=True)] == shares
    for worker in crowd:
        worker.leave()


def test_a_worker_that_leaves_gives_everything_back(workers: tuple[PostgresOwnership, PostgresOwnership]) -> None:
    first, _ = workers
    first.join()
    first.beat()
    first.claim(5)
    first.leave()
    assert not Mailbox.objects.exclude(worker_id=None).exists()
    assert not Worker.objects.exists()


def test_a_disconnected_mailbox_is_claimed_by_nobody(workers: tuple[PostgresOwnership, PostgresOwnership]) -> None:
    from django.utils import timezone

    Mailbox.objects.update(disconnected_at=timezone.now())
    first, _ = workers
    first.join()
    assert first.claim(5) == []
