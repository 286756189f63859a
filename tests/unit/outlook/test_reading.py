"""Fetching: how many requests it takes, that they never crowd a mailbox, and that patience is obeyed to the second."""

from __future__ import annotations

import asyncio
import time
from datetime import UTC, datetime, timedelta

import pytest

from postroom.providers.base import Credentials
from postroom.providers.errors import (
    ListingExpired,
    NeedsAdministrator,
    NeedsReconnect,
    ProviderError,
    Throttled,
    Unreachable,
    WrongSettings,
)
from postroom.providers.outlook.session import OutlookSession
from tests.contract.outlook_place import OutlookPlace
from tests.contract.provider_place import make_mail
from tests.fakes.microsoft.server import FakeMicrosoft


def deliver(place: OutlookPlace, count: int) -> list[str]:
    """So many letters, newest first."""
    return [place.mailbox.deliver(make_mail(number)) for number in range(count)][::-1]


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


async def test_three_calls_at_once_are_made_at_most_by_all_sessions(
    place: OutlookPlace, microsoft: FakeMicrosoft
) -> None:
    ids = deliver(place, 12)
    sessions = [await place.provider.open(place.credentials) for _ in range(3)]
    microsoft.faults.delay_seconds = 0.03
    microsoft.most_at_once.clear()
    await asyncio.gather(*(session.fetch(place.inbox, ids) for session in sessions))
    assert microsoft.most_at_once[place.address] == 3
    assert all(one.status == 200 for one in place.heard())
    for session in sessions:
        await session.close()


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


async def test_a_lost_connection_is_no_empty_page(
    place: OutlookPlace, session: OutlookSession, microsoft: FakeMicrosoft
) -> None:
    ids = deliver(place, 3)
    for fault in ("drop_next", "fail_next"):
        setattr(microsoft.faults, fault, 1)
        with pytest.raises(Unreachable):
            await session.fetch(place.inbox, ids)
        setattr(microsoft.faults, fault, 1)
        with pytest.raises(Unreachable):
            await session.list_window(place.inbox, None)
    assert len(await session.fetch(place.inbox, ids)) == 3


class Renewing:
    """A grant that gives another token once one is refused."""

    def __init__(self, *tokens: str) -> None:
        self.tokens = list(tokens)
        self.refused: list[str] = []

    async def access_token(self, refused: str = "") -> str:
        if refused:
            self.refused.append(refused)
            self.tokens.remove(refused)
        return self.tokens[0]


async def test_a_token_that_ends_is_renewed_once_and_nothing_is_lost(
    place: OutlookPlace, microsoft: FakeMicrosoft
) -> None:
    ids = deliver(place, 4)
    tokens = Renewing("ended", microsoft.token_for(place.address))
    session = await place.provider.open(Credentials(place.address, {}, tokens))
    assert tokens.refused == ["ended"]
    tokens.tokens.insert(0, "ended too")
    assert [one.remote_id for one in await session.fetch_headers(place.inbox, ids)] == ids
    tokens.tokens.insert(0, "and that")
    pieces: list[bytes] = []
    await session.fetch_large(place.inbox, ids[0], 1_000, pieces.append)
    assert b"".join(pieces) == make_mail(3) and tokens.refused == ["ended", "ended too", "and that"]
    await session.close()


async def test_a_token_that_is_refused_twice_needs_its_owner(place: OutlookPlace) -> None:
    tokens = Renewing("one", "two", "three")
    with pytest.raises(NeedsReconnect):
        await place.provider.open(Credentials(place.address, {}, tokens))
    assert tokens.refused == ["one"] and place.provider._switchboard.places == 0


async def test_a_scope_that_was_not_given_is_named(place: OutlookPlace, microsoft: FakeMicrosoft) -> None:
    credentials = place.with_token(microsoft.token_for(place.address, "openid User.Read Mail.Send"))
    with pytest.raises(NeedsReconnect) as missing:
        await place.provider.open(credentials)
    assert missing.value.code == "microsoft_permission_missing"


async def failing(place: OutlookPlace, credentials: Credentials) -> tuple[ProviderError, list[tuple[str, str]]]:
    """The error of opening, and the steps of a check with their codes."""
    with pytest.raises(ProviderError) as raised:
        await place.provider.open(credentials)
    return raised.value, [(step.name, step.code) async for step in place.provider.check(credentials)]


async def test_a_shared_mailbox_without_the_right_says_who_must_act(microsoft: FakeMicrosoft) -> None:
    place = OutlookPlace(microsoft, is_shared=True)
    microsoft.share(place.address, with_=place.user, full_access=False)
    error, steps = await failing(place, place.credentials)
    assert isinstance(error, NeedsAdministrator) and error.code == "microsoft_shared_not_allowed"
    assert error.facts["address"] == place.address and error.facts["username"] == place.user
    assert steps == [("reach", ""), ("sign_in", ""), ("mailbox", "microsoft_shared_not_allowed")]


async def test_a_shared_mailbox_that_is_none_says_so(microsoft: FakeMicrosoft) -> None:
    place = OutlookPlace(microsoft, is_shared=True)
    unknown = Credentials("nobody@example.test", {}, place.credentials.tokens, sign_in_user=place.user)
    error, steps = await failing(place, unknown)
    assert isinstance(error, WrongSettings) and error.code == "microsoft_shared_unknown"
    assert steps[-1] == ("mailbox", "microsoft_shared_unknown")


async def test_an_account_without_a_mailbox_says_so(place: OutlookPlace) -> None:
    place.mailbox.is_enabled = False
    error, steps = await failing(place, place.credentials)
    assert isinstance(error, NeedsAdministrator) and error.code == "microsoft_no_mailbox"
    assert steps[-1] == ("mailbox", "microsoft_no_mailbox")


async def test_a_check_reads_the_folders_and_leaves_nothing_open(place: OutlookPlace) -> None:
    steps = [step async for step in place.provider.check(place.credentials)]
    assert [(step.server, step.name, step.ok) for step in steps] == [
        ("api", name, True) for name in ("reach", "sign_in", "mailbox", "folders")
    ]
    assert "inbox: Inbox" in steps[-1].note and place.provider._switchboard.places == 0


async def test_who_signed_in_by_the_address_of_the_mailbox_opens_their_own(place: OutlookPlace) -> None:
    same = Credentials(place.address, {}, place.credentials.tokens, sign_in_user=place.address.upper())
    session = await place.provider.open(same)
    assert all("/me/" in one.path for one in place.heard())
    await session.close()


# windows and walks


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
