"""Faults 11 to 14 at both providers with an API, with real processes: patience, tokens, revocation, other accounts."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cast import Cast, make_cast
from tests.faults.provider_place import Gate, Google, Installation, Microsoft, Stop, installation

MESSAGES = 160
START_SECONDS = 25.0  # of processes, on a busy machine
IMPORT_SECONDS = 60.0


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


THROTTLES = {
    "gmail": {
        "seconds@own.example": Stop(6, 429, "rateLimitExceeded", 3.0),
        "date@own.example": Stop(6, 429, "userRateLimitExceeded", 3.0, as_date=True),
        "words@own.example": Stop(6, 403, "rateLimitExceeded", 3.0),
        "unavailable@own.example": Stop(6, 503, "backendError"),
    },
    "outlook": {
        "seconds@own.example": Stop(14, 429, "ApplicationThrottled", 3.0),
        "date@own.example": Stop(14, 429, "TooManyRequests", 3.0, as_date=True),
        "busy@own.example": Stop(14, 503, "ServiceUnavailable", 3.0),
        "unavailable@own.example": Stop(14, 503, "ServiceUnavailable"),
    },
}


def test_a_provider_that_asks_for_patience_is_left_alone_and_nobody_else_waits(place: Installation) -> None:
    """Fault 11."""
    gate = place.gate
    gate.stops = dict(THROTTLES[gate.provider])
    well = place.connect("well@own.example", MESSAGES)
    throttled = [place.connect(address, MESSAGES) for address in gate.stops]
    place.start("worker", "importer")
    place.wait_until(lambda: place.is_imported(well), START_SECONDS + IMPORT_SECONDS)
    for mailbox in throttled:
        place.wait_until(lambda mailbox=mailbox: place.is_imported(mailbox), IMPORT_SECONDS)  # type: ignore[misc]
    assert all(stop.met == stop.times for stop in gate.stops.values())
    assert gate.early() == {}
    calls = {mailbox.address: gate.calls(mailbox.address) for mailbox in (well, *throttled)}
    print(calls)
