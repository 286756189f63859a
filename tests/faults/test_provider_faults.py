"""Faults 11 to 14 at both providers with an API, with real processes: patience, tokens, revocation, other accounts."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from asgiref.sync import async_to_sync
from django.utils import timezone

from postroom.engine.journal import Kind
from postroom.mailboxes.credentials import load_credentials
from postroom.mailboxes.models import JournalEntry, Mailbox
from postroom.outbox.models import State, Submission
from postroom.outbox.owner_notice import tell_owners
from postroom.outbox.submit import submit
from tests.cast import Cast, make_cast
from tests.faults.provider_gates import Gate, Google, Microsoft, Stop
from tests.faults.provider_place import Installation, installation
from tests.integration.outbox_place import composed

MESSAGES = 240
ONE_PAGE = {"gmail": 50, "outlook": 100}  # that is fetched and stored together
START_SECONDS = 25.0  # of processes, on a busy machine
IMPORT_SECONDS = 120.0  # a processor of one's own needs five


@pytest.fixture
def cast(transactional_db: None) -> Cast:
    return make_cast()


@pytest.fixture(params=[Google, Microsoft])
def place(
    request: pytest.FixtureRequest, cast: Cast, tmp_path: Path, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Installation]:
    gate: Gate = request.param()
    with installation(gate, cast.alice, tmp_path, database_url, monkeypatch) as made:
        yield made


OF_SENDING = 10  # calls for one message
# Graph's states of messages that another process had listed are asked for anew. Which process that is, is chance.
OF_STATES = {"gmail": 0, "outlook": 50}
SOME = 60  # messages, with the second page
LONG = "long@own.example"  # asks for more patience than anybody sits out
THROTTLES = {
    "gmail": {
        "seconds@own.example": Stop(SOME, 429, "rateLimitExceeded", 3.0),
        LONG: Stop(SOME, 429, "rateLimitExceeded", 12.0),
        "date@own.example": Stop(SOME, 429, "userRateLimitExceeded", 3.0, as_date=True),
        "words@own.example": Stop(SOME, 403, "rateLimitExceeded", 3.0, in_words=True),
        "unavailable@own.example": Stop(SOME, 503, "backendError"),
    },
    "outlook": {
        "seconds@own.example": Stop(SOME, 429, "ApplicationThrottled", 3.0),
        LONG: Stop(SOME, 429, "ApplicationThrottled", 12.0),
        "date@own.example": Stop(SOME, 429, "TooManyRequests", 3.0, as_date=True),
        "busy@own.example": Stop(SOME, 503, "ServiceUnavailable", 3.0),
        "unavailable@own.example": Stop(SOME, 503, "ServiceUnavailable"),
    },
}


def test_a_provider_that_asks_for_patience_is_left_alone_and_nobody_else_waits(place: Installation) -> None:
    """Fault 11."""
    gate = place.gate
    gate.stops = dict(THROTTLES[gate.provider])
    well = place.connect("well@own.example", MESSAGES)
    throttled = [place.connect(address, MESSAGES) for address in gate.stops]
    place.start("worker", "importer")
    place.wait_until(lambda: gate.stops[LONG].is_met, START_SECONDS + IMPORT_SECONDS)
    sent = submit(place.alice, composed(mailbox_id=Mailbox.objects.get(address=LONG).pk, subject="Within the wait"))
    place.wait_until(lambda: place.is_imported(well), START_SECONDS + IMPORT_SECONDS)
    for mailbox in throttled:
        place.wait_until(lambda mailbox=mailbox: place.is_imported(mailbox), IMPORT_SECONDS)  # type: ignore[misc]
    assert all(stop.is_met for stop in gate.stops.values())
    ideal = gate.calls(well.address)
    for mailbox in throttled:
        # An importer that reads another mailbox meanwhile drops the page that it had in hand.
        is_dropped = (gate.provider, mailbox.address) == ("outlook", LONG)
        most = 1.1 * ideal + OF_SENDING + OF_STATES[gate.provider] + (ONE_PAGE["outlook"] if is_dropped else 0)
        assert MESSAGES <= gate.calls(mailbox.address) <= most, mailbox.address
        bodies = gate.bodies(mailbox.address)
        assert is_dropped or {bodies[one] for one in gate.held(mailbox.address)} == {1}
        mailbox.refresh_from_db()
        assert not mailbox.needs_reconnect
    assert place.is_equal(well)
    place.wait_until(lambda: has_left(sent), IMPORT_SECONDS)
    assert gate.sent_count(LONG, sent.internet_message_id) == 1
    assert gate.early() == {}


@pytest.mark.parametrize("place", [Microsoft], indirect=True)
def test_a_mailbox_is_asked_for_four_things_at_once_at_most_by_all_processes(place: Installation) -> None:
    """Graph's MailboxConcurrency limit: what is over it is refused, with a wait for everybody."""
    gate, address = place.gate, "busy@own.example"
    assert isinstance(gate, Microsoft)
    mailbox = place.connect(address, MESSAGES)
    gate.faults.delay_seconds = 0.05  # so that requests overlap
    place.start("worker", "importer", "importer")
    place.wait_until(lambda: len(gate.bodies(address)) > 10, START_SECONDS + IMPORT_SECONDS)
    sent = [submit(place.alice, composed(mailbox_id=mailbox.pk, subject=f"Number {n}")) for n in range(5)]
    for number in range(20):
        gate.put(address, MESSAGES + number)
    place.wait_until(lambda: place.is_imported(mailbox), IMPORT_SECONDS)
    for one in sent:
        place.wait_until(lambda one=one: has_left(one), IMPORT_SECONDS)  # type: ignore[misc]
    assert 2 < gate.most_at_once[address] <= 4
    assert not [one for one in gate.heard(mailbox=address) if one.status == 429]


def has_left(submission: Submission) -> bool:
    submission.refresh_from_db()
    return submission.state == State.SENT


def test_a_token_that_ends_in_the_middle_of_a_page_is_refreshed_once(place: Installation) -> None:
    """Fault 12."""
    gate, address = place.gate, "ends@own.example"
    mailbox = place.connect(address, MESSAGES)
    once_given_out(place, address, 0, lambda: gate.spoil(address, revoked=False))
    place.start("worker", "importer", "importer")
    place.wait_until(lambda: place.is_imported(mailbox), START_SECONDS + IMPORT_SECONDS)
    assert gate.refreshes(address) == 2  # the token it was connected with was over, too
    assert all(count == 1 for count in gate.bodies(address).values())
    assert len(gate.bodies(address)) == MESSAGES
    mailbox.refresh_from_db()
    assert (mailbox.error_code, mailbox.needs_reconnect) == ("", False)


def test_eight_processes_refresh_a_token_once_and_lose_none(place: Installation) -> None:
    """Fault 12."""
    gate, address = place.gate, "race@own.example"
    mailbox = place.connect(address)
    gate.delay_tokens(0.5)
    program = [sys.executable, str(Path(__file__).with_name("token_racers.py")), str(mailbox.pk), "8"]
    told = subprocess.run(program, env=place.environment, capture_output=True, text=True, timeout=60, check=True)
    tokens = told.stdout.split()
    assert (len(tokens), len(set(tokens))) == (8, 1), told.stderr
    assert gate.refreshes(address) == 1
    kept = load_credentials(mailbox)
    assert kept.secrets["oauth"]["access_token"] == tokens[0]
    assert kept.tokens is not None
    fresh = async_to_sync(kept.tokens.access_token)(tokens[0])  # the refresh token that was kept is good
    assert fresh not in ("", tokens[0])


def test_a_grant_taken_back_in_the_middle_asks_once_holds_mail_and_goes_on_where_it_was(place: Installation) -> None:
    """Fault 13."""
    gate, address = place.gate, "revoked@own.example"
    for number in range(MESSAGES):
        gate.put(address, number)
    arrived = place.sign_in(address)
    mailbox = arrived.mailbox
    assert mailbox is not None
    other = place.connect("other@own.example")
    revoked_at: list[float] = []

    def take_back() -> None:
        revoked_at.append(time.monotonic())
        gate.spoil(address, revoked=True)

    once_given_out(place, address, ONE_PAGE[gate.provider], take_back)
    place.start("worker", "importer")
    place.wait_until(lambda: needs_reconnect(mailbox), START_SECONDS + IMPORT_SECONDS)
    assert time.monotonic() - revoked_at[0] < 60
    assert 0 < sum(place.stored(mailbox).values()) < MESSAGES

    submission = submit(place.alice, composed(mailbox_id=mailbox.pk, subject="Held"))
    time.sleep(1.0)  # what the other process had begun when this one learnt of it
    refreshes, asked = gate.refreshes(address), gate.asked(address)
    place.gate.put(other.address, 1)
    place.wait_until(lambda: place.is_imported(other), IMPORT_SECONDS)  # nobody else is kept waiting
    time.sleep(3.0)
    assert gate.refreshes(address) == refreshes
    assert gate.asked(address) - asked <= 1
    submission.refresh_from_db()
    assert submission.state == State.QUEUED
    Mailbox.objects.filter(pk=mailbox.pk).update(failing_since=timezone.now() - timedelta(hours=25))
    assert (tell_owners(), tell_owners()) == (1, 0)
    told = JournalEntry.objects.filter(mailbox=mailbox, kind=Kind.FAILED)
    assert told.count() == 1

    assert place.sign_in(address, mailbox).code == "reconnected"
    place.wait_until(lambda: place.is_imported(mailbox), IMPORT_SECONDS)
    place.wait_until(lambda: Submission.objects.get(pk=submission.pk).state == State.SENT, IMPORT_SECONDS)
    assert gate.sent_count(address, submission.internet_message_id) == 1
    again = sum(gate.bodies(address).values()) - MESSAGES
    assert again <= ONE_PAGE[gate.provider], "what was stored is not fetched again"
    mailbox.refresh_from_db()
    assert (mailbox.needs_reconnect, mailbox.error_code) == (False, "")


def test_a_mailbox_is_not_reconnected_with_another_account(place: Installation) -> None:
    """Fault 14."""
    mailbox = place.sign_in("ann@own.example").mailbox
    assert mailbox is not None
    before = load_credentials(mailbox).secrets
    refused = place.sign_in("ben@own.example", mailbox)
    assert (refused.code, refused.facts["expected"], refused.facts["address"]) == (
        "wrong_account",
        "ann@own.example",
        "ben@own.example",
    )
    assert load_credentials(mailbox).secrets == before
    assert Mailbox.objects.get() == mailbox
    assert place.sign_in("ann@own.example", mailbox).code == "reconnected"


def once_given_out(place: Installation, address: str, bodies: int, act: Callable[[], None]) -> None:
    """Do something before the first request for a mailbox of which more bodies than that were given out."""
    is_done = False

    def look(one: str) -> None:
        nonlocal is_done
        if one == address and not is_done and len(place.gate.bodies(address)) > bodies:
            is_done = True
            act()

    place.gate.before = look


def needs_reconnect(mailbox: Mailbox) -> bool:
    mailbox.refresh_from_db()
    return mailbox.needs_reconnect
