"""What a provider allows a mailbox a minute, shared by everybody who asks for it."""

from __future__ import annotations

import asyncio
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
from django.db.models import F

from postroom.mailboxes import allowance
from postroom.mailboxes.allowance import (
    AT_ONCE_SHARE,
    LONGEST_WAIT_SECONDS,
    LOOKED_SECONDS,
    MailboxUnits,
    allowance_of,
    rest,
    rest_untold,
)
from postroom.mailboxes.health import MailboxHealth
from postroom.mailboxes.models import Mailbox, MailboxAllowance
from postroom.providers.errors import AllowanceUsed, Throttled
from postroom.workspaces.database import in_thread, now
from tests.cast import Cast, make_cast, make_mailbox

pytestmark = pytest.mark.django_db(transaction=True)

UNITS = 6_000.0


@pytest.fixture
def cast(transactional_db: None) -> Cast:
    return make_cast()


@pytest.fixture
def mailbox(cast: Cast) -> Mailbox:
    return make_mailbox(cast.alice, "team@tidewater.example", provider="gmail")


class Sleeps:
    """Waits that are only noted: the mailbox's clock is set forward instead."""

    def __init__(self, mailbox: Mailbox) -> None:
        self.mailbox, self.seconds = mailbox, 0.0

    async def __call__(self, seconds: float) -> None:
        assert seconds <= LONGEST_WAIT_SECONDS
        self.seconds += seconds
        await in_thread(self.pass_time, seconds)

    def pass_time(self, seconds: float) -> None:
        MailboxAllowance.objects.filter(mailbox=self.mailbox).update(
            due_at=F("due_at") - timedelta(seconds=seconds), rests_until=F("rests_until") - timedelta(seconds=seconds)
        )


async def used_in(mailbox: Mailbox, seconds: float, *, use: allowance.Use, units: float) -> float:
    """How many units are had within so many seconds by somebody who asks again as soon as he may."""
    sleeps = Sleeps(mailbox)
    taker = MailboxUnits(mailbox.pk, UNITS, use, sleeps)
    used = 0.0
    while sleeps.seconds < seconds:
        try:
            await taker.take(units)
            used += units
        except AllowanceUsed as error:
            assert error.retry_after_seconds is not None
            sleeps.seconds += error.retry_after_seconds
            await in_thread(sleeps.pass_time, error.retry_after_seconds)
    return used


@pytest.mark.parametrize(("use", "units"), [("session", 500.0), ("session", 1_000.0), ("import", 1_000.0)])
async def test_no_minute_holds_more_than_is_allowed_and_none_is_wasted(
    mailbox: Mailbox, use: allowance.Use, units: float
) -> None:
    started = time.monotonic()
    used = await used_in(mailbox, 60.0, use=use, units=units)
    flowed = 75 * (time.monotonic() - started)  # while this test really ran
    assert used <= UNITS + units + flowed, "the last one begins the next minute"
    assert used >= 0.8 * UNITS


async def test_an_import_leaves_room_for_new_mail_and_for_what_is_sent(mailbox: Mailbox) -> None:
    importing, session = MailboxUnits(mailbox.pk, UNITS, "import"), MailboxUnits(mailbox.pk, UNITS)
    with pytest.raises(AllowanceUsed) as used:
        for _ in range(3):
            await importing.take(1_000)
    assert used.value.retry_after_seconds is not None and 10 < used.value.retry_after_seconds <= 1_000 / 75
    await session.take(110)  # a message that somebody sends
    await session.take(20)


async def test_two_processes_pay_from_one_purse(mailbox: Mailbox) -> None:
    takers = [MailboxUnits(mailbox.pk, UNITS) for _ in range(2)]
    with pytest.raises(AllowanceUsed):
        for _ in range(8):
            await asyncio.gather(*(taker.take(500) for taker in takers))
    held = await in_thread(MailboxAllowance.objects.get, mailbox=mailbox)
    assert (held.due_at - await in_thread(now)).total_seconds() <= 20.0, "a quarter of a minute's units at 75 a second"


async def test_small_requests_are_paid_together_with_the_next_large_one(mailbox: Mailbox) -> None:
    taker = MailboxUnits(mailbox.pk, UNITS)
    for _ in range(5):
        await taker.take(2)
    assert not await in_thread(MailboxAllowance.objects.filter(mailbox=mailbox).exists)
    await taker.take(740)
    held = await in_thread(MailboxAllowance.objects.get, mailbox=mailbox)
    assert 9.0 < (held.due_at - await in_thread(now)).total_seconds() <= 10.0  # 750 units at 75 a second
    for _ in range(20):
        await taker.take(5)
    later = await in_thread(MailboxAllowance.objects.get, mailbox=mailbox)
    assert later.due_at > held.due_at, "not gathered for ever"


async def test_who_waits_long_is_told_when_and_nothing_is_taken(mailbox: Mailbox) -> None:
    taker = MailboxUnits(mailbox.pk, UNITS)
    await taker.take(1_500)
    before = await in_thread(MailboxAllowance.objects.get, mailbox=mailbox)
    with pytest.raises(AllowanceUsed) as used:
        await taker.take(1_000)
    assert used.value.retry_after_seconds is not None and 12 < used.value.retry_after_seconds < 1_000 / 75
    assert (await in_thread(MailboxAllowance.objects.get, mailbox=mailbox)).due_at == before.due_at


async def seconds_of_rest(taker: MailboxUnits, units: float) -> float:
    with pytest.raises(AllowanceUsed) as used:
        await taker.take(units)
    assert used.value.retry_after_seconds is not None
    return used.value.retry_after_seconds


@pytest.mark.parametrize("has_asked", [False, True])
async def test_when_one_is_asked_for_patience_nobody_asks_for_anything(mailbox: Mailbox, has_asked: bool) -> None:
    told, session, importing = (MailboxUnits(mailbox.pk, UNITS, use) for use in ("session", "session", "import"))
    if has_asked:  # what was looked at a moment ago is not looked at again for a moment
        await told.take(20)
        await session.take(1)
        await asyncio.sleep(LOOKED_SECONDS)
    await told.rest(30.0)
    for taker in (told, session, importing):
        for units in (0, 1, 20):
            assert 29.0 < await seconds_of_rest(taker, units) <= 30.0


async def test_what_was_told_is_known_though_who_heard_it_is_cancelled_while_every_thread_is_busy(
    mailbox: Mailbox,
) -> None:
    """A fetch asks for two things at once: the second is refused by our own patience, and that cancels the first."""
    busy, threads = threading.Event(), ThreadPoolExecutor(1)
    asyncio.get_running_loop().set_default_executor(threads)
    threads.submit(busy.wait)
    hearing = asyncio.create_task(MailboxUnits(mailbox.pk, UNITS).rest(30.0))
    await asyncio.sleep(0)
    hearing.cancel()
    asyncio.get_running_loop().call_later(0.05, busy.set)
    with pytest.raises(asyncio.CancelledError):
        await hearing
    assert await seconds_of_rest(MailboxUnits(mailbox.pk, UNITS), 1) > 29.0


async def test_after_a_rest_as_much_may_be_used_as_before_it(mailbox: Mailbox) -> None:
    sleeps = Sleeps(mailbox)
    taker = MailboxUnits(mailbox.pk, UNITS, sleep=sleeps)
    await MailboxUnits(mailbox.pk, UNITS).rest(1.5)
    await taker.take(1_500)
    assert 1.0 < sleeps.seconds <= 1.5
    await MailboxUnits(mailbox.pk, UNITS).rest(3.0)
    await in_thread(sleeps.pass_time, 3.0)
    await taker.take(20 * 75 - 1_500 + 3 * 75)


async def test_a_shorter_rest_does_not_end_a_longer_one(mailbox: Mailbox) -> None:
    taker = MailboxUnits(mailbox.pk, UNITS)
    await in_thread(rest, mailbox.pk, 30.0)
    await in_thread(rest, mailbox.pk, 3.0)
    assert await seconds_of_rest(taker, 1) > 29.0


async def test_where_no_time_is_said_all_wait_as_long_as_who_was_refused(mailbox: Mailbox) -> None:
    health = MailboxHealth()
    await in_thread(health.failed, mailbox.pk, mailbox.epoch, Throttled(retry_after_seconds=300.0), 310.0)
    taker = MailboxUnits(mailbox.pk, UNITS)
    await taker.take(1)  # who heard of a time has told it before
    await asyncio.sleep(LOOKED_SECONDS)
    await in_thread(health.failed, mailbox.pk, mailbox.epoch, Throttled(), 64.0)
    assert 63.0 < await seconds_of_rest(taker, 1) <= 64.0


async def test_our_own_refusal_is_not_taken_for_the_providers(mailbox: Mailbox) -> None:
    await in_thread(rest_untold, mailbox.pk, AllowanceUsed(), 60.0)
    await MailboxUnits(mailbox.pk, UNITS).take(1)


def test_providers_that_count_nothing_have_no_rest(cast: Cast, mailbox: Mailbox) -> None:
    rest(make_mailbox(cast.alice, "imap@tidewater.example", provider="imap").pk, 60.0)
    assert not MailboxAllowance.objects.exists()


async def test_small_requests_look_and_change_no_row(mailbox: Mailbox) -> None:
    await in_thread(rest, mailbox.pk, 0.0)
    before = await in_thread(MailboxAllowance.objects.values().get, mailbox=mailbox)
    taker = MailboxUnits(mailbox.pk, UNITS)
    for _ in range(5):
        await taker.take(1)
    assert await in_thread(MailboxAllowance.objects.values().get, mailbox=mailbox) == before


def test_only_providers_that_count_have_an_allowance(cast: Cast, mailbox: Mailbox) -> None:
    counted = allowance_of(mailbox, "import")
    assert counted is not None and (counted.units_a_minute, counted.use) == (6_000, "import")
    assert allowance_of(make_mailbox(cast.alice, "imap@tidewater.example", provider="imap")) is None
    assert allowance_of(make_mailbox(cast.alice, "old@tidewater.example", provider="carrier-pigeon")) is None


async def test_a_mailbox_that_is_gone_stops_nobody(mailbox: Mailbox) -> None:
    taker = MailboxUnits(mailbox.pk, UNITS)
    await in_thread(mailbox.delete)
    await taker.take(1_000)


def test_what_may_be_used_at_once_fits_beside_the_steady_flow() -> None:
    assert max(AT_ONCE_SHARE.values()) + allowance.STEADY_SHARE <= 1
    assert AT_ONCE_SHARE["import"] < AT_ONCE_SHARE["session"]
