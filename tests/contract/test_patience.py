"""Patience that a provider asks for is told to everybody before the error travels on; every call is paid for first."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from dataclasses import replace

import pytest

from postroom.providers.base import Envelope
from postroom.providers.errors import AllowanceUsed, Throttled, Unreachable
from postroom.providers.gmail.errors import patience_seconds
from tests.contract.gmail_place import GmailPlace
from tests.contract.outlook_place import OutlookPlace
from tests.contract.provider_place import make_mail
from tests.fakes.google import FakeGoogle
from tests.fakes.microsoft import FakeMicrosoft


class Purse:
    """An Allowance that notes what it is told and asked for. `used`: the answers to the next tries, in seconds."""

    def __init__(self) -> None:
        self.taken: list[float] = []
        self.rests: list[float] = []
        self.used: list[float] = []

    async def take(self, units: float) -> None:
        if self.used:
            raise AllowanceUsed(retry_after_seconds=self.used.pop(0))
        self.taken.append(units)

    async def rest(self, seconds: float) -> None:
        self.rests.append(seconds)


@pytest.fixture
def purse() -> Purse:
    return Purse()


@pytest.fixture
def gmail(purse: Purse) -> Iterator[GmailPlace]:
    with FakeGoogle() as google:
        place = GmailPlace(google)
        place.credentials = replace(place.credentials, allowance=purse)
        yield place


@pytest.fixture
def outlook(purse: Purse) -> Iterator[OutlookPlace]:
    with FakeMicrosoft() as microsoft:
        place = OutlookPlace(microsoft)
        place.credentials = replace(place.credentials, allowance=purse)
        yield place


@pytest.mark.parametrize(
    ("status", "reason", "seconds", "told"),
    [
        (429, "rateLimitExceeded", 40.0, 40.0),
        (403, "userRateLimitExceeded", 40.0, 40.0),
        (403, "rateLimitExceeded", None, 60.0),
        (503, "backendError", 40.0, 40.0),
    ],
)
async def test_gmail_asks_for_patience(
    gmail: GmailPlace, purse: Purse, status: int, reason: str, seconds: float | None, told: float
) -> None:
    ids = [gmail.mailbox.deliver(make_mail(number)) for number in range(2)]
    session = await gmail.provider.open(gmail.credentials)
    gmail.google.faults.throttle = replace(gmail.google.faults.throttle, retry_after=seconds)
    for remote_ids in (ids, ids[:1]):
        gmail.google.faults.throttle_next = (status, reason, seconds, 1)
        with pytest.raises((Throttled, Unreachable)):
            await session.fetch("INBOX", remote_ids)
    assert len(purse.rests) >= 2 and purse.rests == pytest.approx([told] * len(purse.rests), abs=1)
    await session.close()


def test_a_limit_of_sending_lets_gmail_be_read() -> None:
    assert patience_seconds(Throttled("google_sending_limit", retry_after_seconds=3_600.0)) == 0
    assert patience_seconds(Throttled("bandwidth_spent", retry_after_seconds=3_600.0)) == 3_600
    assert patience_seconds(Unreachable()) == 0


@pytest.mark.parametrize(("status", "seconds", "told"), [(429, 40.0, 40.0), (503, 40.0, 40.0), (500, 40.0, 40.0)])
async def test_outlook_asks_for_patience(
    outlook: OutlookPlace, purse: Purse, status: int, seconds: float, told: float
) -> None:
    session = await outlook.provider.open(outlook.credentials)
    outlook.microsoft.faults.throttle_next = (status, "ApplicationThrottled", seconds, 1)
    with pytest.raises(Throttled):
        await session.list_folders()
    assert purse.rests == [told]
    await session.close()


async def test_every_call_to_outlook_and_each_part_of_a_batch_is_paid_for(outlook: OutlookPlace, purse: Purse) -> None:
    ids = [outlook.mailbox.deliver(make_mail(number)) for number in range(8)]
    session = await outlook.provider.open(outlook.credentials)
    cursor = (await session.list_window(outlook.inbox, None)).cursor
    await session.list_folders()
    await session.poll({outlook.inbox: cursor})
    await session.fetch(outlook.inbox, ids)
    await session.fetch_headers(outlook.inbox, ids)
    await session.fetch_large(outlook.inbox, ids[0], 0, lambda piece: None)
    await session.append(outlook.sent, make_mail(9))
    await session.close()
    letter = make_mail(10).replace(b"katrin@customer.test", outlook.address.encode())
    sender = await outlook.provider.open_sender(outlook.credentials)

    async def go(_: str) -> None:
        return

    await sender.send(Envelope(outlook.address, ("sales@example.test",)), letter, go)
    await sender.close()
    alone = [one for one in outlook.heard() if not one.path.endswith("/$batch")]
    assert sum(purse.taken) == len(alone) + len(outlook.heard(in_batch=True)) > 20


async def test_a_short_rest_of_another_process_is_sat_out_and_a_long_one_is_for_who_called(
    outlook: OutlookPlace, purse: Purse
) -> None:
    session = await outlook.provider.open(outlook.credentials)
    purse.used = [0.5]
    started = time.monotonic()
    await session.list_folders()
    assert time.monotonic() - started > 0.4
    outlook.forget_heard()
    purse.used = [11.5]
    with pytest.raises(AllowanceUsed) as used:
        await session.list_folders()
    assert used.value.retry_after_seconds == 11.5
    assert outlook.heard() == []
    await session.close()


async def test_what_came_before_a_refusal_is_not_fetched_again(outlook: OutlookPlace, purse: Purse) -> None:
    ids = [outlook.mailbox.deliver(make_mail(number)) for number in range(12)]
    session = await outlook.provider.open(outlook.credentials)
    await session.list_window(outlook.inbox, None)
    outlook.microsoft.faults.delay_seconds = 0.02
    fetching = asyncio.create_task(session.fetch(outlook.inbox, ids))
    while len([one for one in outlook.heard() if one.path.endswith("/$value")]) < 5:
        await asyncio.sleep(0.005)
    purse.used = [100.0] * 100
    with pytest.raises(AllowanceUsed):
        await fetching
    purse.used = []
    assert [one.remote_id for one in await session.fetch(outlook.inbox, ids)] == ids
    bodies = [one.path for one in outlook.heard() if one.path.endswith("/$value")]
    assert len(bodies) == len(set(bodies)) == len(ids)
    await session.close()
