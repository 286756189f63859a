"""Fetching: how many requests it takes, that they never crowd a mailbox, and that patience is obeyed to the second."""

from __future__ import annotations

import asyncio
import time
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from postroom.providers.errors import (
    Throttled,
    Unreachable,
)
from postroom.providers.guard import NetworkPolicy
from postroom.providers.outlook.provider import OutlookProvider
from postroom.providers.outlook.session import OutlookSession
from tests.contract.outlook_place import OutlookPlace
from tests.contract.provider_place import make_mail
from tests.fakes.microsoft.server import FakeMicrosoft
from tests.unit.outlook.letters import deliver


async def test_every_call_asks_for_ids_that_stay(place: OutlookPlace, session: OutlookSession) -> None:
    ids = deliver(place, 4)
    cursor = (await session.list_window(place.inbox, None)).cursor
    await session.list_folders()
    await session.list_changes(place.inbox, cursor)
    await session.poll({place.inbox: cursor})
    await session.fetch(place.inbox, ids)
    await session.fetch_headers(place.inbox, ids)
    await session.find_by_message_id(place.inbox, "<letter-1@customer.test>")
    await session.append(place.sent, make_mail(1))
    heard = [*place.heard(), *place.heard(in_batch=True)]
    assert len(heard) > 20 and all(one.immutable for one in heard)


async def test_a_moved_message_keeps_its_id(place: OutlookPlace, session: OutlookSession) -> None:
    (moved,) = deliver(place, 1)
    inbox = (await session.list_window(place.inbox, None)).cursor
    trash = (await session.list_window(place.trash, None)).cursor
    place.mailbox.move(moved, "deleteditems")
    assert (await session.list_changes(place.inbox, inbox)).removed == (moved,)
    assert [one.remote_id for one in (await session.list_changes(place.trash, trash)).touched] == [moved]
    assert [one.remote_id for one in await session.fetch(place.trash, [moved])] == [moved]


async def test_what_was_just_listed_is_fetched_by_one_call_a_message(
    place: OutlookPlace, session: OutlookSession
) -> None:
    ids = deliver(place, 5)
    await session.list_window(place.inbox, None)
    place.forget_heard()
    assert [one.remote_id for one in await session.fetch(place.inbox, ids)] == ids
    assert len(place.heard()) == 5 and place.heard(in_batch=True) == []


async def test_an_import_asks_for_many_messages_states_by_a_few_pages(
    place: OutlookPlace, session: OutlookSession
) -> None:
    """The importer is another process: it has listed nothing itself."""
    noon = datetime(2026, 11, 1, 12, tzinfo=UTC)
    ids = [place.mailbox.deliver(make_mail(n), at=noon + timedelta(hours=n), is_read=n % 2 == 0) for n in range(30)][
        ::-1
    ]
    place.mailbox.move(ids[4], "archive")
    place.mailbox.delete(ids[5])
    wanted = [*ids[2:14], *ids[20:26]]
    fetched = {one.remote_id: one for one in await session.fetch(place.inbox, wanted)}
    assert list(fetched) == [one for one in wanted if one != ids[5]]
    for number, remote_id in enumerate(reversed(ids)):
        if remote_id in fetched:
            assert fetched[remote_id].received_at == noon + timedelta(hours=number)
            assert fetched[remote_id].flags == (("\\Seen",) if number % 2 == 0 else ())
            assert f"Letter {number}\r\n".encode() in fetched[remote_id].raw
    # What was moved and what is gone is asked for by id, after a sample of three.
    assert len(place.heard(in_batch=True)) == 3 + 2
    pages = [one for one in place.heard() if one.path.endswith("/messages")]
    assert 0 < len(pages) <= 1 + 2 * len(wanted) // 3


async def test_sizes_are_told_of_what_is_large_and_of_what_is_new(place: OutlookPlace, session: OutlookSession) -> None:
    """Graph's delta tells none (quirks.py)."""
    small = place.mailbox.deliver(make_mail(1))
    large = place.mailbox.deliver(raw := make_mail(2, body="x\r\n" * 100_000))
    window = await session.list_window(place.inbox, None)
    assert {one.remote_id: one.size for one in window.messages} == {small: 0, large: len(raw)}
    assert {one.remote_id: one.size for one in (await session.list_all(place.inbox)).added} == {
        small: 0,
        large: len(raw),
    }
    new = place.mailbox.deliver(make_mail(3))
    (touched,) = (await session.list_changes(place.inbox, window.cursor)).touched
    assert (touched.remote_id, touched.size) == (new, len(make_mail(3)))
    (header,) = await session.fetch_headers(place.inbox, [small])
    assert header.size == len(make_mail(1))


async def test_many_changes_are_completed_by_pages_and_not_one_by_one(
    place: OutlookPlace, session: OutlookSession
) -> None:
    ids = deliver(place, 40)
    cursor = (await session.list_all(place.inbox)).cursor
    for one in ids:
        place.mailbox.update(one, is_read=True)
    place.forget_heard()
    changes = await session.list_changes(place.inbox, cursor)
    assert {one.remote_id: one.flags for one in changes.touched} == dict.fromkeys(ids, ("\\Seen",))
    assert len(place.heard(in_batch=True)) == 3, "a sample, to know between which moments they arrived"


async def test_messages_that_lie_far_apart_are_not_looked_for_through_all_pages(
    place: OutlookPlace, session: OutlookSession
) -> None:
    noon = datetime(2026, 11, 1, 12, tzinfo=UTC)
    ids = [place.mailbox.deliver(make_mail(n), at=noon + timedelta(hours=n)) for n in range(60)][::-1]
    wanted = ids[::6]
    assert [one.remote_id for one in await session.fetch_headers(place.inbox, wanted)] == wanted
    pages = [one for one in place.heard() if one.path.endswith("/messages")]
    assert len(pages) == 1 + 2 * len(wanted) // 3, "twice as many as they would fill, and one"
    assert 3 < len(place.heard(in_batch=True)) < 3 + len(wanted)


async def test_an_import_a_session_and_a_sender_make_four_calls_at_once_at_most(
    place: OutlookPlace, microsoft: FakeMicrosoft
) -> None:
    """Each in a process of its own: nothing is shared between them but the mailbox."""
    ids = deliver(place, 12)
    importing = replace(place.credentials, is_for_import=True)
    parties = [OutlookProvider(NetworkPolicy(), endpoints=microsoft.endpoints) for _ in range(3)]
    imports = [await parties[0].open(importing) for _ in range(2)]
    sessions = [*imports, *[await parties[1].open(place.credentials) for _ in range(2)]]
    senders = [await parties[2].open_sender(place.credentials) for _ in range(2)]
    microsoft.faults.delay_seconds = 0.03
    microsoft.most_at_once.clear()
    await imports[0].fetch(place.inbox, ids)
    assert microsoft.most_at_once[place.address] == 2
    reading = [session.fetch(place.inbox, ids) for session in sessions]
    await asyncio.gather(*reading, *[sender.drop_uploads("<none@x.test>") for sender in senders for _ in range(9)])
    assert microsoft.most_at_once[place.address] == 4
    assert all(one.status == 200 for one in place.heard())
    for one in (*sessions, *senders):
        await one.close()


@pytest.mark.parametrize("as_date", [False, True])
async def test_a_short_retry_after_is_sat_out_and_nobody_asks_meanwhile(
    place: OutlookPlace, session: OutlookSession, microsoft: FakeMicrosoft, as_date: bool
) -> None:
    ids = deliver(place, 6)
    await session.list_window(place.inbox, None)
    microsoft.faults.retry_after_as_date = as_date
    microsoft.faults.throttle_next = (429, "ApplicationThrottled", 1.0, 1)
    microsoft.faults.delay_seconds = 0.05
    started = time.monotonic()
    assert [one.remote_id for one in await session.fetch(place.inbox, ids)] == ids
    assert time.monotonic() - started > 0.9
    # Two were under way with the one that was refused; none was made after the refusal was read.
    assert sum(one.status == 429 for one in place.heard()) == 1
    early = [one for one in microsoft.early_calls(place.address) if one.status != 429]
    assert len(early) <= 2


async def test_a_long_retry_after_is_for_who_called_and_stops_every_session(
    place: OutlookPlace, session: OutlookSession, microsoft: FakeMicrosoft
) -> None:
    other = await place.provider.open(place.credentials)
    microsoft.faults.throttle_next = (429, "ApplicationThrottled", 120.0, 1)
    with pytest.raises(Throttled) as throttled:
        await session.list_window(place.inbox, None)
    assert throttled.value.retry_after_seconds == 120.0
    place.forget_heard()
    for one in (session, other):
        with pytest.raises(Throttled) as again:
            await one.poll({place.inbox: "", place.sent: (await _cursor(place))})
        assert again.value.retry_after_seconds is not None and 110 < again.value.retry_after_seconds <= 120
    assert place.heard() == []
    await other.close()


async def _cursor(place: OutlookPlace) -> str:
    day = datetime.now(UTC).date().isoformat()
    link = f"{place.microsoft.api}/me/mailFolders/{place.sent}/messages/delta?$deltatoken=x"
    return f'{{"folder": "{place.sent}", "delta": "{link}", "day": "{day}"}}'


async def test_parts_of_a_batch_that_are_put_off_come_again_alone(
    place: OutlookPlace, session: OutlookSession, microsoft: FakeMicrosoft
) -> None:
    ids = deliver(place, 30)
    microsoft.faults.throttle_batch_parts = 3
    place.forget_heard()
    headers = await session.fetch_headers(place.inbox, [*ids, "nonsense"])
    assert [one.remote_id for one in headers] == ids
    # A sample of three is put off and comes again; then pages, and the one that no page has.
    assert len(place.heard(in_batch=True)) == 3 + 1 and len(place.heard()) > 10
    assert microsoft.early_calls(place.address) == []


async def test_headers_of_many_messages_cost_a_sample_and_a_page(microsoft: FakeMicrosoft) -> None:
    place = OutlookPlace(microsoft)
    ids = deliver(place, 60)
    session = await place.provider.open(place.credentials)
    place.forget_heard()
    headers = await session.fetch_headers(place.inbox, ids)
    assert [one.remote_id for one in headers] == ids
    assert all(f"Subject: Letter {59 - place_}\r\n".encode() in one.block for place_, one in enumerate(headers))
    assert len(place.heard()) == 2 and len(place.heard(in_batch=True)) == 3
    place.forget_heard()
    few = await session.fetch_headers(place.inbox, ids[:5])
    assert [one.remote_id for one in few] == ids[:5]
    assert len(place.heard()) == 1 and len(place.heard(in_batch=True)) == 5
    await session.close()


async def test_messages_of_a_folder_that_is_gone_are_found_where_they_are(
    place: OutlookPlace, session: OutlookSession
) -> None:
    customers = place.mailbox.make_folder("Customers")
    ids = [place.mailbox.deliver(make_mail(number), customers) for number in range(12)]
    for one in ids[:4]:
        place.mailbox.move(one, "archive")
    place.mailbox.delete_folder(customers)
    assert [one.remote_id for one in await session.fetch_headers(customers, ids)] == ids[:4]


async def test_parts_that_are_put_off_for_ever_are_throttling(
    place: OutlookPlace, session: OutlookSession, microsoft: FakeMicrosoft
) -> None:
    ids = deliver(place, 2)
    microsoft.faults.throttle_batch_parts, microsoft.faults.retry_after_of_parts = 1_000, 0.0
    with pytest.raises(Throttled):
        await session.fetch_headers(place.inbox, ids)
    microsoft.faults.throttle_batch_parts = 0
    assert len(await session.fetch_headers(place.inbox, ids)) == 2


@pytest.mark.parametrize("fault", ["fail_next", "drop_next"])
async def test_a_lost_connection_is_no_empty_page(
    place: OutlookPlace, session: OutlookSession, microsoft: FakeMicrosoft, fault: str
) -> None:
    ids = deliver(place, 3)
    setattr(microsoft.faults, fault, 100)
    with pytest.raises(Unreachable):
        await session.fetch(place.inbox, ids)
    with pytest.raises(Unreachable):
        await session.list_window(place.inbox, None)
    setattr(microsoft.faults, fault, 0)
    assert len(await session.fetch(place.inbox, ids)) == 3


@pytest.mark.parametrize("fault", ["fail_next", "drop_next"])
async def test_a_read_that_meets_a_passing_fault_is_made_again_and_a_write_is_not(
    place: OutlookPlace, session: OutlookSession, microsoft: FakeMicrosoft, fault: str
) -> None:
    ids = deliver(place, 3)
    for reading in (session.fetch, session.fetch_headers):
        setattr(microsoft.faults, fault, 1)
        assert sorted(one.remote_id for one in await reading(place.inbox, ids)) == sorted(ids)
    setattr(microsoft.faults, fault, 1)
    with pytest.raises(Unreachable):
        await session.append(place.inbox, make_mail(7))
    assert len((await session.list_all(place.inbox)).added) == 3
