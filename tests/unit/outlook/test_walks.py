"""Windows, walks through pages, polls and waits: what they cost, and that nothing is missed."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta

import pytest

from postroom.providers.errors import (
    ListingExpired,
)
from postroom.providers.outlook.session import OutlookSession
from tests.contract.outlook_place import OutlookPlace
from tests.contract.provider_place import make_mail
from tests.fakes.microsoft.server import FakeMicrosoft
from tests.unit.outlook.letters import deliver


async def test_days_before_a_window_are_listed_by_their_dates(place: OutlookPlace, session: OutlookSession) -> None:
    noon = datetime(2026, 11, 1, 12, tzinfo=UTC)
    made = [place.mailbox.deliver(make_mail(day), at=noon + timedelta(days=day)) for day in range(12)]
    window = await session.list_window(
        place.inbox, (noon + timedelta(days=2)).date(), (noon + timedelta(days=9)).date()
    )
    assert [one.remote_id for one in window.messages] == made[2:9][::-1]
    with pytest.raises(ListingExpired):
        await session.list_changes(place.inbox, window.cursor)


async def test_days_are_listed_whole_though_mail_is_deleted_between_pages_and_seconds_are_crowded(
    place: OutlookPlace, session: OutlookSession, microsoft: FakeMicrosoft
) -> None:
    noon = datetime(2026, 11, 1, 12, tzinfo=UTC)
    made = [place.mailbox.deliver(make_mail(n), at=noon + timedelta(seconds=n // 5)) for n in range(20)]
    newest = [place.mailbox.deliver(make_mail(99), at=noon + timedelta(minutes=n)) for n in range(1, 4)]
    listing = asyncio.create_task(session.list_window(place.inbox, None, datetime.now(UTC).date() + timedelta(days=1)))
    microsoft.faults.delay_seconds = 0.02
    while len(place.heard()) < 2:
        await asyncio.sleep(0.001)
    for one in newest:
        place.mailbox.delete(one)
    listed = [one.remote_id for one in (await listing).messages]
    assert set(made) <= set(listed) and len(set(listed)) == len(listed)


@pytest.mark.parametrize("times", [1, 2])
async def test_a_page_that_expires_while_walking_begins_the_walk_anew_once(
    place: OutlookPlace, session: OutlookSession, microsoft: FakeMicrosoft, times: int
) -> None:
    ids = deliver(place, 8)
    microsoft.faults.expire_pages = times
    if times == 1:
        assert [one.remote_id for one in (await session.list_window(place.inbox, None)).messages] == ids
    else:
        with pytest.raises(ListingExpired):
            await session.list_all(place.inbox)


@pytest.mark.parametrize("kind", ["410", "syncStateNotFound"])
async def test_a_delta_link_that_expired_is_polled_and_listed_as_expired(
    place: OutlookPlace, session: OutlookSession, microsoft: FakeMicrosoft, kind: str
) -> None:
    cursor = (await session.list_all(place.inbox)).cursor
    microsoft.faults.expire_delta = kind  # type: ignore[assignment]
    assert await session.poll({place.inbox: cursor}) == {place.inbox}
    microsoft.faults.expire_delta = kind  # type: ignore[assignment]
    with pytest.raises(ListingExpired):
        await session.list_changes(place.inbox, cursor)
    microsoft.faults.expire_delta = kind  # type: ignore[assignment]
    assert await session.wait(place.inbox, 5.0) == {place.inbox}


async def test_what_goes_while_its_update_is_completed_is_told_by_the_next_round(
    place: OutlookPlace, session: OutlookSession, microsoft: FakeMicrosoft
) -> None:
    ids = deliver(place, 4)
    cursor = (await session.list_all(place.inbox)).cursor
    for one in ids:
        place.mailbox.update(one, is_read=True)  # told with nothing but this
    microsoft.faults.after_page = lambda: [place.mailbox.delete(one) for one in ids[2:] if one in place.mailbox.by_id]
    changes = await session.list_changes(place.inbox, cursor)
    assert {one.remote_id: one.flags for one in changes.touched} == dict.fromkeys(ids[:2], ("\\Seen",))
    assert set((await session.list_changes(place.inbox, changes.cursor)).removed) == set(ids[2:])


async def test_an_idle_poll_is_one_request_for_twenty_folders(place: OutlookPlace, session: OutlookSession) -> None:
    folders = [place.mailbox.make_folder(f"Folder {number}") for number in range(20)]
    cursors = {folder: (await session.list_all(folder)).cursor for folder in folders}
    place.forget_heard()
    assert await session.poll(cursors) == frozenset()
    assert len(place.heard()) == 1 and len(place.heard(in_batch=True)) == 20
    place.mailbox.deliver(make_mail(1), folders[7])
    assert await session.poll(cursors) == {folders[7]}


async def test_a_cursor_in_which_nothing_happened_stays_and_is_made_anew_after_a_week(
    place: OutlookPlace, session: OutlookSession
) -> None:
    cursor = (await session.list_all(place.inbox)).cursor
    assert (await session.list_changes(place.inbox, cursor)).cursor == cursor
    today = datetime.now(UTC).date()
    old = cursor.replace(today.isoformat(), (today - timedelta(days=8)).isoformat())
    assert await session.poll({place.inbox: old}) == {place.inbox}
    renewed = await session.list_changes(place.inbox, old)
    assert (renewed.touched, renewed.removed) == ((), ()) and renewed.cursor != old
    assert await session.poll({place.inbox: renewed.cursor}) == frozenset()


async def test_a_cursor_that_leads_elsewhere_or_is_another_folders_has_expired(
    place: OutlookPlace, session: OutlookSession
) -> None:
    cursor = (await session.list_all(place.inbox)).cursor
    for other in (cursor.replace("127.0.0.1", "127.0.0.2"), cursor.replace("http:", "https:"), cursor[:-5]):
        with pytest.raises(ListingExpired):
            await session.list_changes(place.inbox, other)
    with pytest.raises(ListingExpired):
        await session.list_changes(place.sent, cursor)


async def test_a_folder_that_was_never_listed_can_be_waited_for(place: OutlookPlace, session: OutlookSession) -> None:
    waiting = asyncio.create_task(session.wait(place.inbox, 5.0))
    while not place.heard():
        await asyncio.sleep(0.01)
    await asyncio.sleep(0.1)
    assert not waiting.done()
    deliver(place, 1)
    assert await waiting == {place.inbox}
    assert await session.wait(place.inbox, 0.3) == frozenset()


async def test_who_polls_and_then_waits_asks_once(place: OutlookPlace, session: OutlookSession) -> None:
    cursor = (await session.list_all(place.inbox)).cursor
    place.forget_heard()
    for _ in range(3):
        assert await session.poll({place.inbox: cursor}) == frozenset()
        assert await session.wait(place.inbox, 0.1) == frozenset()
    assert len(place.heard()) == 3
    assert await session.wait(place.inbox, 0.7) == frozenset()
    assert 2 <= len(place.heard()) - 3 <= 4, "every fifth of a second"


async def test_the_more_sessions_wait_the_seldomer_each_looks(place: OutlookPlace) -> None:
    assert place.provider._pause_seconds() == 0.2
    place.provider._switchboard._places[asyncio.get_running_loop()] = 400
    assert place.provider._pause_seconds() == 20.0
    place.provider._switchboard._places.clear()


async def test_sent_mail_has_a_header_block_too(place: OutlookPlace, session: OutlookSession) -> None:
    await session.append(place.sent, make_mail(7))
    (listed,) = (await session.list_window(place.sent, None)).messages
    (header,) = await session.fetch_headers(place.sent, [listed.remote_id])
    assert b"Message-ID: <letter-7@customer.test>\r\n" in header.block
