"""Proof of completeness on real servers: a gap shows, and closes itself."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from datetime import date, timedelta
from typing import Any

import pytest
from django.utils import timezone

from postroom.correspondence.models import Placement, Sighting
from postroom.engine.journal import Kind
from postroom.engine.proofs import Due
from postroom.filing.people import add_contact
from postroom.mailboxes.completeness import MailboxProofs, count_again, proofs_of
from postroom.mailboxes.models import Folder, FolderMonth, JournalEntry, Keep
from postroom.providers.base import FetchedMessage, Session
from postroom.providers.guard import NetworkPolicy
from postroom.sync.completeness import Tally, months_of
from postroom.workspaces.members import Member
from tests.integration.folder_place import ANNA, TODAY, FolderPlace, letter, letters
from tests.servers.dovecot import Dovecot

pytestmark = pytest.mark.django_db(transaction=True)

Open = Callable[..., FolderPlace]


@pytest.fixture
def opened(dovecot: Dovecot, policy: NetworkPolicy, alice: Member) -> Iterator[Open]:
    places: list[FolderPlace] = []

    def open_(keep: str = Keep.EVERYTHING) -> FolderPlace:
        places.append(FolderPlace(dovecot, policy, alice, keep=keep))
        return places[-1]

    yield open_
    for place in places:
        place.close()


@pytest.fixture
def place(opened: Open) -> FolderPlace:
    return opened()


def counts(place: FolderPlace, name: str = "INBOX") -> tuple[int, int, int, int]:
    """At the server, here, left out, missing."""
    [proof] = [proof for proof in proofs_of(place.mailbox) if proof.folder.remote_name == name]
    return proof.counts.at_server, proof.counts.here, proof.counts.left_out, proof.counts.missing


def due(place: FolderPlace) -> Sequence[Due] | None:
    """What is to be counted of all folders."""
    return MailboxProofs().due(place.mailbox.pk, [folder.id for folder in place.folders()], 100)


def test_each_month_of_a_folder_counts_what_the_server_has(place: FolderPlace) -> None:
    place.put(*letters(7))
    place.put(*letters(5, 100), days_ago=40)
    place.sync(days=60)
    place.prove()
    assert counts(place) == (12, 12, 0, 0)
    months = FolderMonth.objects.filter(folder=place.row()).order_by("-month")
    assert sum(month.at_server for month in months) == 12
    assert [month.month for month in months] == list(months_of(TODAY.date() - timedelta(days=60), TODAY.date()))
    assert [month.at_server for month in months][:2] != [12, 0], "they lie in different months"


def test_rows_that_were_lost_show_as_a_gap_and_are_fetched_again(place: FolderPlace) -> None:
    place.put(*letters(20))
    place.sync()
    place.prove()
    before = place.placed()
    lost = Placement.objects.filter(mailbox_id=place.mailbox.pk).order_by("pk")[:6]
    Placement.objects.filter(pk__in=[row.pk for row in lost]).delete()
    FolderMonth.objects.update(checked_at=timezone.now() - timedelta(days=2))
    place.counted.clear()
    place.prove()
    assert place.placed() == before == place.truth()
    assert counts(place) == (20, 20, 0, 0)
    [entry] = JournalEntry.objects.filter(mailbox=place.mailbox, kind=Kind.GAP_FILLED)
    assert entry.facts["count"] == 6 and entry.facts["folder"] == "INBOX"
    assert place.counted["announced"] == 0
    assert FolderMonth.objects.exclude(repaired_at=None).count() == 1


class Withholding:
    """A session whose server lists some messages and never gives them; `asked` counts how often it was asked to."""

    session: Session

    def __init__(self, remote_ids: set[str]) -> None:
        self._withheld, self.asked = remote_ids, 0

    def __getattr__(self, name: str) -> Any:
        return getattr(self.session, name)

    async def fetch(self, remote_name: str, remote_ids: Sequence[str]) -> Sequence[FetchedMessage]:
        self.asked += bool(self._withheld.intersection(remote_ids))
        return await self.session.fetch(remote_name, [one for one in remote_ids if one not in self._withheld])

    def relent(self) -> None:
        self._withheld.clear()


def test_a_server_that_lists_what_it_does_not_give_is_asked_seldomer_and_seldomer(place: FolderPlace) -> None:
    def after(**passed: float) -> int:
        FolderMonth.objects.update(checked_at=timezone.now() - timedelta(**passed))
        place.prove()
        return server.asked

    place.put(*letters(20))
    place.sync()
    lost = Placement.objects.filter(mailbox_id=place.mailbox.pk)[:5]
    server = Withholding({row.remote_id for row in lost})
    place.pass_through(server)
    Placement.objects.filter(pk__in=[row.pk for row in lost]).delete()
    place.prove()
    assert server.asked == 1 and counts(place) == (20, 15, 0, 5)
    assert after(minutes=11) == 1 and after(minutes=21) == 2
    assert after(minutes=31) == 2 and after(minutes=41) == 3
    server.relent()
    assert after(minutes=81) == 3 and counts(place) == (20, 20, 0, 0)
    assert set(FolderMonth.objects.values_list("fruitless", flat=True)) == {0}


def test_what_arrives_while_it_is_counted_is_no_gap(place: FolderPlace) -> None:
    place.put(*letters(3))
    place.sync()
    place.put(letter("late"))
    place.prove()
    assert counts(place) == (4, 4, 0, 0)
    assert not JournalEntry.objects.filter(kind=Kind.GAP_FILLED).exists()


def test_what_arrives_while_another_month_is_counted_does_not_wait_for_the_next_poll(place: FolderPlace) -> None:
    """To list a folder uses up what the server pushed about it."""
    place.put(*letters(3), days_ago=40)
    place.sync(days=60)
    place.prove()
    FolderMonth.objects.filter(at_server=3).update(is_asked=True)
    place.put(letter("new"))
    place.prove()
    assert place.placed() == place.truth() and len(place.placed()) == 4


def test_what_no_record_wants_counts_as_left_out(opened: Open, alice: Member) -> None:
    add_contact(alice, "Anna", [ANNA])
    place = opened(Keep.RECORDS)
    place.put(*letters(4), *(letter(f"private-{number}", sender="friend@home.example") for number in range(9)))
    place.sync()
    place.prove()
    assert counts(place) == (13, 4, 9, 0)
    Sighting.objects.filter(mailbox_id=place.mailbox.pk).delete()
    FolderMonth.objects.update(checked_at=timezone.now() - timedelta(days=2))
    place.prove()
    assert counts(place) == (13, 4, 9, 0), "what was passed over is passed over again, and nothing of it is kept"
    assert Placement.objects.count() == 4


def test_a_renumbered_folder_is_no_gap(place: FolderPlace) -> None:
    place.put(*letters(10))
    place.sync()
    place.renumber(2_000_000_000)
    place.counted.clear()
    place.prove()
    assert counts(place) == (10, 10, 0, 0)
    assert place.counted["bodies"] == 0 and not JournalEntry.objects.filter(kind=Kind.GAP_FILLED).exists()


def test_a_folder_that_cannot_be_counted_now_keeps_nobody_from_counting_the_others(place: FolderPlace) -> None:
    place.put(*letters(3))
    place.command("create", "Orders")
    place.sync(days=600)
    Folder.objects.filter(remote_name="INBOX").update(held_code="mass_deletion")
    place.prove()
    assert not FolderMonth.objects.filter(folder=place.row()).exists()
    assert FolderMonth.objects.filter(folder=place.row("Orders")).count() >= 20


def test_a_count_waits_for_the_import_unless_somebody_asks(place: FolderPlace) -> None:
    place.put(*letters(3))
    place.plan(days=30)
    assert due(place) is None
    place.import_open()
    place.prove()
    assert due(place) == []
    count_again(place.mailbox)
    asked = due(place)
    assert asked is not None and len(asked) == FolderMonth.objects.count() > 0
    place.put(letter("new"))
    place.prove()
    assert counts(place) == (4, 4, 0, 0) and not FolderMonth.objects.filter(is_asked=True).exists()


def test_a_worker_that_lost_the_mailbox_keeps_no_count(place: FolderPlace) -> None:
    place.put(*letters(3))
    place.sync()
    proofs, counted = MailboxProofs(), Tally(date(2026, 11, 1), 3, 3, 0)
    proofs.save(place.mailbox.pk, place.epoch - 1, place.folder().id, counted, 0)
    assert not FolderMonth.objects.exists()
    proofs.save(place.mailbox.pk, place.epoch, place.folder().id, counted, 0)
    assert FolderMonth.objects.count() == 1
