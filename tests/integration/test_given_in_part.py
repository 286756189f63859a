"""A mailbox whose permission was given in part: what was not allowed is off, and that is no failure."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

import pytest
from asgiref.sync import async_to_sync
from django.utils import timezone

from postroom.mailboxes.access import sendable_mailboxes
from postroom.mailboxes.arrivals import Arrival, arrive
from postroom.mailboxes.connect import ConnectRequest
from postroom.mailboxes.health import MailboxHealth
from postroom.mailboxes.journeys import begin
from postroom.mailboxes.models import DirectionState, Mailbox
from postroom.mailboxes.ownership import PostgresOwnership
from postroom.web.failing import banners
from tests.cast import Cast
from tests.fakes import person
from tests.fakes.microsoft.server import FakeMicrosoft
from tests.integration.sign_in_place import let_sending_need_less, microsoft_known_to

pytestmark = pytest.mark.django_db(transaction=True)

ANN, HERE = "ann@tidewater.example", "the session of this browser"


@pytest.fixture
def microsoft(cast: Cast, monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeMicrosoft]:
    with microsoft_known_to(cast.alice, monkeypatch, ANN) as server:
        yield server


def sign_in(cast: Cast, mailbox: Mailbox | None = None) -> Arrival:
    wanted = ConnectRequest(provider="", address="", kind="personal")
    departure = begin(cast.bob, HERE, "outlook", wanted, mailbox)
    return async_to_sync(arrive)(cast.bob, HERE, "outlook", person.at_microsoft(departure.url, ANN))


def test_only_what_needs_the_missing_permission_is_off(cast: Cast, microsoft: FakeMicrosoft) -> None:
    microsoft.faults.withheld_scopes = {"Mail.Send"}
    arrival = sign_in(cast)
    mailbox = arrival.mailbox
    assert arrival.code == "connected" and mailbox is not None
    assert [one.name for one in arrival.missing] == ["Mail.Send"]
    assert (mailbox.receiving_state, mailbox.sending_state) == (DirectionState.OK, DirectionState.OFF)
    assert (mailbox.state, mailbox.error) == ("connecting", None), "it is no failure"
    assert not sendable_mailboxes(cast.bob).exists()
    MailboxHealth().synced(mailbox.pk, mailbox.epoch)
    mailbox.refresh_from_db()
    assert mailbox.sending_state == DirectionState.OFF, "that it can be read says nothing about sending"
    microsoft.faults.withheld_scopes = set()
    assert sign_in(cast, mailbox).code == "reconnected"
    mailbox.refresh_from_db()
    assert (mailbox.sending_state, mailbox.error_code) == (DirectionState.OK, "")
    assert sendable_mailboxes(cast.bob).exists()


def test_a_mailbox_whose_drafts_may_not_be_written_cannot_send_either(cast: Cast, microsoft: FakeMicrosoft) -> None:
    microsoft.faults.withheld_scopes = {"Mail.ReadWrite"}
    arrival = sign_in(cast)
    assert (arrival.code, arrival.mailbox) == ("permission_missing", None)


def test_a_mailbox_that_may_only_send_has_no_session_until_it_may_be_read(
    cast: Cast, microsoft: FakeMicrosoft, monkeypatch: pytest.MonkeyPatch
) -> None:
    let_sending_need_less(monkeypatch)
    microsoft.faults.withheld_scopes = {"Mail.ReadWrite"}
    mailbox = sign_in(cast).mailbox
    assert mailbox is not None and mailbox.receiving_state == DirectionState.OFF
    assert mailbox.state == "connected" and sendable_mailboxes(cast.bob).exists()
    worker = PostgresOwnership()
    worker.join()
    assert (worker.beat(), worker.claim(1)) == (0, []), "nobody asks for what was not allowed"
    microsoft.faults.withheld_scopes = set()
    assert sign_in(cast, mailbox).code == "reconnected"
    assert (worker.beat(), len(worker.claim(1))) == (1, 1)
    failing = {"failures": 3, "failing_since": timezone.now() - timedelta(days=2), "error_code": "timed_out"}
    Mailbox.objects.filter(pk=mailbox.pk).update(receiving_state=DirectionState.FAILING, **failing)
    assert [banner.mailbox for banner in banners(cast.bob)] == [mailbox]
    microsoft.faults.withheld_scopes = {"Mail.ReadWrite"}
    assert sign_in(cast, mailbox).code == "reconnected"
    assert worker.lost([mailbox.pk]) == [mailbox.pk], "its session ends"
    assert banners(cast.bob) == [], "and what failed before is over"
    worker.leave()
