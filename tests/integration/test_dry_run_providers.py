"""The count before an import at Outlook's double, and the one limit for all of it (Gmail: test_dry_run.py)."""

from __future__ import annotations

import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest
from asgiref.sync import async_to_sync

from postroom.correspondence.models import Message, Sighting
from postroom.filing.dry_run import count_all, planned_mailbox
from postroom.filing.people import add_contact
from postroom.mailboxes.models import Folder, Mailbox
from postroom.providers.errors import Unreachable
from tests.cast import Cast
from tests.fakes.microsoft.server import FakeMicrosoft
from tests.integration.google_place import letter
from tests.integration.sign_in_place import connected, microsoft_known_to

ANN, KATRIN = "ann@tidewater.example", "katrin@lagerhaus.example"

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def microsoft(cast: Cast, monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeMicrosoft]:
    with microsoft_known_to(cast.alice, monkeypatch, ANN) as server:
        yield server


@pytest.fixture
def mailbox(cast: Cast, microsoft: FakeMicrosoft) -> Mailbox:
    return connected(
        cast.alice,
        ANN,
        provider="outlook",
        refresh_token=microsoft.refresh_token_for(ANN),
        client_id=microsoft.client_id,
        access_token=microsoft.token_for(ANN),
        seconds=3600,
    )


def deliver(microsoft: FakeMicrosoft, name: str, sender: str, *, folder: str = "inbox", days: int = 1) -> None:
    at = datetime.now(UTC) - timedelta(days=days)
    microsoft.mailbox(ANN).deliver(letter(name, sender, ANN), folder, at)


def test_outlooks_mail_is_counted_by_whom_it_is_with(cast: Cast, microsoft: FakeMicrosoft, mailbox: Mailbox) -> None:
    katrin = add_contact(cast.alice, "Katrin Voss", [KATRIN])
    bikes = microsoft.mailbox(ANN).make_folder("Bikes")
    deliver(microsoft, "offer", KATRIN)
    deliver(microsoft, "colleague", "bob@tidewater.example", folder=bikes)
    deliver(microsoft, "aunt", "aunt@gmail.com")
    deliver(microsoft, "news", "news@shop.example")
    deliver(microsoft, "today", "news@shop.example", days=0)
    deliver(microsoft, "long-ago", KATRIN, days=90)
    deliver(microsoft, "spam", KATRIN, folder="junkemail")
    counts = async_to_sync(count_all)(planned_mailbox(mailbox))
    assert (counts.known, counts.colleagues, counts.private, counts.unknown) == (1, 1, 1, 2)
    assert counts.listed == counts.looked_at == 5 and not counts.is_sample and counts.not_counted == ()
    assert counts.contacts == ((katrin.pk, 1),) and "Bikes" in counts.folders
    for model in (Message, Sighting, Folder):
        assert not model.objects.exists(), model


def test_a_folder_is_not_listed_whole_for_the_days_that_are_counted(microsoft: FakeMicrosoft, mailbox: Mailbox) -> None:
    for number in range(30):
        deliver(microsoft, f"old{number}", KATRIN, days=200)
    deliver(microsoft, "offer", KATRIN)
    assert async_to_sync(count_all)(planned_mailbox(mailbox)).listed == 1
    assert microsoft.walks == [], "a walk over all there is was begun"


def test_folders_that_there_was_no_time_for_are_named(microsoft: FakeMicrosoft, mailbox: Mailbox) -> None:
    names = {f"Project {number}" for number in range(12)}
    for name in names:
        microsoft.mailbox(ANN).make_folder(name)
    deliver(microsoft, "offer", KATRIN)
    microsoft.faults.delay_seconds = 0.2
    began = time.monotonic()
    counts = async_to_sync(count_all)(planned_mailbox(mailbox), 3.0)
    assert time.monotonic() - began < 4
    assert "Inbox" in counts.folders and counts.looked_at == 1, "what was listed is looked at, all the same"
    assert counts.is_done and counts.not_counted and names >= set(counts.not_counted)
    assert names <= {*counts.folders, *counts.not_counted} and not {*counts.folders} & {*counts.not_counted}


def test_a_server_that_lists_no_folder_in_time_is_told_and_not_taken_for_an_empty_one(
    microsoft: FakeMicrosoft, mailbox: Mailbox
) -> None:
    microsoft.faults.delay_seconds = 0.5
    with pytest.raises(Unreachable) as slow:
        async_to_sync(count_all)(planned_mailbox(mailbox), 0.3)
    assert slow.value.code == "counting_slow" and slow.value.facts["host"]
