"""Proof of completeness where a provider is asked by address: what no address finds is left out, not missing."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

import pytest
from django.db import connection
from django.utils import timezone

from postroom.correspondence.models import Placement
from postroom.correspondence.store import PostgresStore
from postroom.engine.round import Round, sign_in
from postroom.engine.stores import InlineStore
from postroom.engine.world import World
from postroom.filing.filer import RecordFiler
from postroom.filing.people import add_contact
from postroom.mailboxes.completeness import MailboxProofs, proofs_of
from postroom.mailboxes.health import MailboxHealth
from postroom.mailboxes.models import FolderMonth, Keep, Mailbox
from postroom.records.models import ContactAddress
from postroom.workspaces.database import in_thread
from tests.cast import Cast, make_cast
from tests.fakes.google import FakeGoogle
from tests.integration.google_place import GooglePlace, google_registered

ANNA, FRIEND = "anna@customer.example", "friend@home.example"


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


async def prove(mailbox: Mailbox) -> None:
    store = PostgresStore(RecordFiler())
    world = World(InlineStore(store), MailboxHealth(), proofs=MailboxProofs())
    provider, _, session = await sign_in(world, mailbox.pk)
    try:
        round_ = Round(world, provider, session, store.load_mailbox(mailbox.pk))
        while await round_.prove(12) == 0:
            pass
    finally:
        await session.close()
        store.close()


def inbox(mailbox: Mailbox) -> tuple[int, int, int, int]:
    [proof] = [proof for proof in proofs_of(mailbox) if proof.folder.role == "inbox"]
    return proof.counts.at_server, proof.counts.here, proof.counts.left_out, proof.counts.missing


@pytest.mark.parametrize("keep", [Keep.RECORDS, Keep.EVERYTHING])
async def test_a_gap_closes_and_private_mail_is_not_read_for_it(cast: Cast, google: FakeGoogle, keep: str) -> None:
    place = await in_thread(lambda: GooglePlace(google, cast.alice, keep=keep))
    for number in range(12):
        place.deliver(f"private-{number}", FRIEND)
    for number in range(4):
        place.deliver(f"offer-{number}", f"Anna <{ANNA}>")
    await place.sync()
    complete = (16, 4, 12, 0) if keep == Keep.RECORDS else (16, 16, 0, 0)
    await prove(place.mailbox)
    assert await in_thread(inbox, place.mailbox) == complete
    before = place.read()

    def lose() -> None:
        lost = Placement.objects.order_by("message_id")[:2]
        Placement.objects.filter(pk__in=[row.pk for row in lost]).delete()
        FolderMonth.objects.update(checked_at=timezone.now() - timedelta(days=2))

    await in_thread(lose)
    await prove(place.mailbox)
    assert await in_thread(inbox, place.mailbox) == complete
    headers, whole = (after - was for after, was in zip(place.read(), before, strict=True))
    assert headers == 0 and whole <= 2
