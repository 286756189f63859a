"""When a mailbox last got a message: with the last one that left it makes the mailbox Ready (Mailbox.is_proven)."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta

import pytest
from django.utils import timezone

from postroom.mailboxes.models import Folder, Mailbox
from tests.cast import Cast
from tests.integration.mailroom import NOON, Mailroom, open_mailroom, write

pytestmark = pytest.mark.django_db(transaction=True)
KATRIN, SALES = "katrin@lagerhaus.example", "sales@tidewater.example"


@pytest.fixture
def room() -> Iterator[Mailroom]:
    with open_mailroom() as room:
        yield room


@pytest.fixture
def sales(cast: Cast, room: Mailroom) -> Mailbox:
    """Connected at noon of the day that the letters are from."""
    mailbox = room.connect(cast.alice, SALES)
    Mailbox.objects.update(created_at=NOON)
    return mailbox


def last(mailbox: Mailbox) -> datetime | None:
    return Mailbox.objects.get(pk=mailbox.pk).last_received_at


def test_what_arrives_after_the_connection_counts_and_history_does_not(room: Mailroom, sales: Mailbox) -> None:
    room.deliver(sales, write("Imported", KATRIN, SALES, hours=-0.01))
    room.deliver(sales, write("Old", KATRIN, SALES, hours=-3), is_live=True)
    assert last(sales) is None
    room.deliver(sales, write("New", KATRIN, SALES, hours=1), is_live=True)
    assert last(sales) == NOON + timedelta(hours=1)
    room.deliver(sales, write("Before it", KATRIN, SALES, hours=0), is_live=True)
    assert last(sales) == NOON + timedelta(hours=1)


def test_what_came_while_the_import_waited_for_a_yes_counts_when_it_is_imported(room: Mailroom, sales: Mailbox) -> None:
    room.deliver(sales, write("The test", SALES, SALES, hours=2))
    assert last(sales) == NOON + timedelta(hours=2)


def test_a_message_from_tomorrow_came_now(room: Mailroom, sales: Mailbox) -> None:
    """Whoever puts a message into a folder chooses its INTERNALDATE."""
    began = timezone.now()
    room.deliver(sales, write("Tomorrow", KATRIN, SALES, hours=24 * 365 * 5), is_live=True)
    assert (at := last(sales)) is not None and began - timedelta(minutes=1) < at <= timezone.now()


def test_what_is_put_into_sent_or_drafts_is_nothing_received(room: Mailroom, sales: Mailbox) -> None:
    room.deliver(sales, write("Copy", SALES, KATRIN, hours=1), is_live=True, folder="Sent")
    Folder.objects.filter(remote_name="INBOX").update(role="drafts")
    room.deliver(sales, write("Draft", SALES, KATRIN, hours=1), is_live=True)
    assert last(sales) is None


def test_a_message_to_itself_counts_though_its_copy_is_known(room: Mailroom, sales: Mailbox) -> None:
    letter = write("Test", SALES, SALES, hours=1)
    room.deliver(sales, letter, is_live=True, folder="Sent")
    room.deliver(sales, letter, is_live=True)
    assert last(sales) == NOON + timedelta(hours=1)
