"""A mailbox that is asked by address, through the engine: little is asked for, and history is complete all the same."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

import pytest
from django.db import connection
from django.utils import timezone

from postroom.correspondence.models import Sighting
from postroom.filing.people import add_contact, delete_contact
from postroom.mailboxes.models import ImportSlice, Keep, Mailbox
from postroom.records.models import Contact, ContactAddress
from postroom.workspaces.database import in_thread
from tests.cast import Cast, make_cast
from tests.fakes.google import FakeGoogle
from tests.integration.google_place import GooglePlace, google_registered

ANNA, FRIEND, LATER = "anna@customer.example", "friend@home.example", "later@customer.example"


@pytest.fixture(scope="module")
def google() -> Iterator[FakeGoogle]:
    with google_registered() as google:
        yield google


@pytest.fixture
def cast(transactional_db: None) -> Iterator[Cast]:
    cast = make_cast()
    add_contact(cast.alice, "Anna", [ANNA])
    ContactAddress.objects.update(created_at=timezone.now() - timedelta(hours=1))
    yield cast
    with connection.cursor() as cursor:
        cursor.execute("DELETE FROM procrastinate_jobs")  # a table Django does not flush


@pytest.fixture
def place(cast: Cast, google: FakeGoogle) -> GooglePlace:
    return GooglePlace(google, cast.alice)


async def test_an_import_asks_for_records_mail_and_reads_nothing_else(place: GooglePlace) -> None:
    for number in range(380):
        place.deliver(f"private-{number}", FRIEND)
    for number in range(20):
        place.deliver(f"offer-{number}", f"Anna <{ANNA}>")
    place.deliver("colleague", "colleague@customer.example", answers="offer-3")  # in the same conversation
    await place.sync()
    names = {f"offer-{number}" for number in range(20)} | {"colleague"}
    assert await in_thread(place.places) == {("INBOX", name) for name in names}
    assert place.read() == (0, 21)
    assert place.units < 21 * 20 + 250, "listings, and the count of months, cost little beside what was read"
    assert place.units < (400 * 20) / 10, "against a header of everything"
    assert await in_thread(Sighting.objects.count) == 0


async def test_a_message_that_wears_several_labels_is_fetched_once(place: GooglePlace) -> None:
    label, other = place.remote.make_label("Offers"), place.remote.make_label("Offers/2026")
    place.deliver("one", ANNA, labels=("INBOX", "UNREAD", label, other))
    await place.sync()
    assert await in_thread(place.places) == {("INBOX", "one"), (label, "one"), (other, "one")}
    assert place.read() == (0, 1)
    late = place.deliver("two", ANNA, labels=("INBOX", label), days=0)
    await place.sync()
    assert place.read() == (1, 2), "its header, and then the whole of it"
    place.remote.set_labels(late, {other})
    await place.sync()
    assert (other, "two") in await in_thread(place.places)
    assert place.read() == (1, 2)


async def test_what_is_archived_and_brought_back_is_not_fetched_again(place: GooglePlace) -> None:
    remote_id = place.deliver("one", ANNA)
    await place.sync()
    for labels, folder in ((set[str](), "@archive"), ({"INBOX"}, "INBOX"), ({"TRASH"}, ""), ({"INBOX"}, "INBOX")):
        place.remote.set_labels(remote_id, labels)
        await place.sync()
        assert await in_thread(place.places) == ({(folder, "one")} if folder else set())
    assert place.read() == (0, 1)


async def test_private_mail_that_arrives_is_decided_on_by_its_header(place: GooglePlace) -> None:
    await place.sync()
    place.deliver("hello", FRIEND, days=0)
    await place.sync()
    assert await in_thread(place.places) == set()
    assert await in_thread(Sighting.objects.count) == 1
    await place.sync()
    assert place.read() == (1, 0), "and only once"


async def test_the_mail_of_an_address_that_comes_later_is_asked_for_once(cast: Cast, place: GooglePlace) -> None:
    place.deliver("early", LATER)
    place.deliver("answer", "office@customer.example", answers="early")
    await place.sync()
    first = (await in_thread(place.reloaded)).asked_until
    place.deliver("arrived", LATER, days=0)  # seen by its header before anybody wanted it
    await place.sync()
    assert await in_thread(place.places) == set()
    await in_thread(add_contact, cast.alice, "Lena", [LATER])
    await place.sync()
    assert await in_thread(place.places) == {("INBOX", "early"), ("INBOX", "answer"), ("INBOX", "arrived")}
    then = (await in_thread(place.reloaded)).asked_until
    assert first is not None and then is not None and first < then
    assert await in_thread(ImportSlice.objects.filter(is_done=False).count) == 0


async def test_what_a_record_let_go_of_is_had_again_by_its_next(cast: Cast, place: GooglePlace) -> None:
    place.deliver("one", ANNA)
    await place.sync()
    await in_thread(lambda: delete_contact(cast.alice, Contact.objects.get(name="Anna")))
    assert await in_thread(place.places) == set()
    await in_thread(add_contact, cast.alice, "Anna again", [ANNA])
    await place.sync()
    assert await in_thread(place.places) == {("INBOX", "one")}


async def test_a_history_that_is_too_old_is_made_good_by_a_search(google: FakeGoogle, place: GooglePlace) -> None:
    """Fault 26: history.list says 404."""
    gone = place.deliver("gone", ANNA)
    place.deliver("stays", ANNA)
    await place.sync()
    place.remote.delete(gone)
    place.deliver("missed", ANNA, days=0)
    place.deliver("private", FRIEND, days=0)
    google.faults.expire_history(place.address)
    await place.sync()
    assert await in_thread(place.places) == {("INBOX", "stays"), ("INBOX", "missed")}
    assert len(await in_thread(place.subjects)) == 3, "what is deleted there stays on its record"
    assert place.read() == (0, 3), "two of the import, one that was missed"


async def test_where_everything_is_kept_customers_mail_comes_first(cast: Cast, google: FakeGoogle) -> None:
    place = await in_thread(lambda: GooglePlace(google, cast.alice, keep=Keep.EVERYTHING))
    for number in range(3):
        place.deliver(f"offer-{number}", ANNA, days=20)
    for number in range(60):
        place.deliver(f"other-{number}", FRIEND)
    await place.sync()
    pieces = await in_thread(lambda: list(ImportSlice.objects.filter(mailbox=place.mailbox).order_by("position")))
    assert [len(piece.remote_ids) for piece in pieces] == [3, 60]
    assert len(await in_thread(place.subjects)) == 63
    assert not await in_thread(Mailbox.objects.filter(asked_until__isnull=False).exists)
