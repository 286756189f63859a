"""Fault 26 at both providers with an API: expired cursors, replays, expired page tokens, pages that shift."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from postroom.mailboxes.models import Folder, Mailbox
from tests.cast import make_cast
from tests.faults.provider_gates import Gate, Google, Microsoft
from tests.faults.provider_place import Installation, installation

ADDRESS = "walked@own.example"
MESSAGES = {"gmail": 620, "outlook": 90}  # several pages: they have 500 and, in these processes, 20
IMPORT_SECONDS = 120.0
CATCH_UP_SECONDS = 60.0
NEW = itertools.count(10_000)


@pytest.fixture(params=[Google, Microsoft])
def place(
    request: pytest.FixtureRequest,
    transactional_db: None,
    tmp_path: Path,
    database_url: str,
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[Installation]:
    gate: Gate = request.param()
    with installation(gate, make_cast().alice, tmp_path, database_url, monkeypatch) as made:
        yield made


def test_cursors_and_pages_that_expire_or_shift_lose_and_double_nothing(place: Installation) -> None:
    gate = place.gate
    meanwhile = shifting(place)
    mailbox = place.connect(ADDRESS, MESSAGES[gate.provider])
    gate.disturb_walks(meanwhile)
    place.start("worker", "importer")
    place.wait_until(lambda: place.is_imported(mailbox), IMPORT_SECONDS)
    gate.disturb_walks(None)
    check(place, mailbox)

    for _ in range(2):  # the second time by the other of the ways in which a provider says so, where it has two
        before, fetched = gate.lists(ADDRESS), gate.bodies(ADDRESS)
        with gate.lock:  # what happens here no round sees in part
            change(place, meanwhile=5)
            gate.forget_changes(ADDRESS)
        place.wait_until(lambda: place.is_equal(mailbox), CATCH_UP_SECONDS)
        check(place, mailbox)
        assert gate.lists(ADDRESS) > before
        assert set((gate.bodies(ADDRESS) - fetched).values()) <= {1}
        assert len(gate.bodies(ADDRESS) - fetched) == 5  # the new ones, and none that was stored

    # Pages shift and a page's token is gone in the middle of the round that an expired cursor began.
    with gate.lock:
        change(place, meanwhile=3)
        gate.forget_changes(ADDRESS)
        gate.disturb_walks(shifting(place))
        gate.expire_pages(1)
    place.wait_until(lambda: place.is_equal(mailbox), CATCH_UP_SECONDS)
    gate.disturb_walks(None)
    check(place, mailbox)


def test_changes_that_are_told_again_change_nothing(place: Installation) -> None:
    mailbox = place.connect(ADDRESS, 40)
    place.start("worker", "importer")
    place.wait_until(lambda: place.is_imported(mailbox), IMPORT_SECONDS)
    inbox = Folder.objects.get(mailbox=mailbox, role="inbox")
    before = inbox.cursor
    change(place, meanwhile=6)
    place.wait_until(lambda: place.is_equal(mailbox), CATCH_UP_SECONDS)
    fetched = place.gate.bodies(ADDRESS)
    for _ in range(2):  # as if each time the worker had died before it could commit
        place.end()
        Folder.objects.filter(pk=inbox.pk).update(cursor=before)
        new = place.gate.put(ADDRESS, next(NEW))
        place.start("worker")
        place.wait_until(lambda new=new: new in place.stored(mailbox), CATCH_UP_SECONDS)  # type: ignore[misc]
        check(place, mailbox)
    assert len(place.gate.bodies(ADDRESS) - fetched) == 2  # one new message each time


def change(place: Installation, meanwhile: int) -> None:
    """So many messages come, and as many go."""
    for remote_id in sorted(place.gate.held(ADDRESS))[:meanwhile]:
        place.gate.remove(ADDRESS, remote_id)
    for _ in range(meanwhile):
        place.gate.put(ADDRESS, next(NEW))


def shifting(place: Installation) -> Callable[[], None]:
    """What another device does between two pages: a message comes or goes, which shifts all that follow."""
    left = [6]

    def shift() -> None:
        left[0] -= 1
        if left[0] < 0:
            return
        if left[0] % 2:
            place.gate.put(ADDRESS, next(NEW))
        else:
            place.gate.remove(ADDRESS, max(place.gate.held(ADDRESS)))  # the newest: all others move up

    return shift


def check(place: Installation, mailbox: Mailbox) -> None:
    """Nothing is lost, nothing doubled, no body was fetched twice, nobody is asked anything."""
    assert place.is_equal(mailbox)
    assert set(place.entries().values()) == {1}
    assert set(place.gate.bodies(ADDRESS).values()) == {1}
    mailbox.refresh_from_db()
    assert (mailbox.error_code, mailbox.needs_reconnect) == ("", False)
    assert not Folder.objects.filter(mailbox=mailbox).exclude(held_code="").exists()
