"""What goes wrong at Gmail, and what is said of it: refusals, forgotten history, lists that shift, checks; sessions."""

from __future__ import annotations

import tracemalloc
from collections.abc import AsyncIterator, Iterator
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from uuid import uuid4

import pytest

from postroom.engine import joints
from postroom.engine.driver import Driver
from postroom.engine.memory_store import Memory, MemoryStore
from postroom.engine.stores import InlineStore
from postroom.providers.base import Credentials
from postroom.providers.errors import (
    ListingExpired,
    NeedsAdministrator,
    NeedsReconnect,
    ProtocolViolation,
    Throttled,
    TooMuch,
    Unreachable,
)
from postroom.providers.gmail.cursor import Cursor
from postroom.providers.gmail.provider import GmailProvider
from postroom.providers.gmail.session import GmailSession
from postroom.sync.catching_up import catch_up
from postroom.sync.importing import import_slice, plan_import
from postroom.sync.manner import Manner
from postroom.sync.reading import read
from tests.contract.gmail_place import LOOPBACK, FixedTokens, GmailPlace, letter
from tests.contract.provider_place import make_mail
from tests.fakes.google import FakeGoogle

READONLY = "https://www.googleapis.com/auth/gmail.readonly"
EPOCH_START = date(2020, 1, 1)
BY_GMAIL = Manner(ids_are_mailbox_wide=True, fetch_at_once=50)


@pytest.fixture
def google() -> Iterator[FakeGoogle]:
    with FakeGoogle() as google:
        yield google


@pytest.fixture
def place(google: FakeGoogle) -> GmailPlace:
    return GmailPlace(google)


@pytest.fixture
async def session(place: GmailPlace) -> AsyncIterator[GmailSession]:
    session = await place.provider.open(place.credentials)
    yield session
    await session.close()


# what goes wrong


async def test_a_token_that_expires_is_replaced_once(google: FakeGoogle) -> None:
    place = GmailPlace(google)
    ids = [place.mailbox.deliver(letter(number)) for number in range(3)]
    first, second = google.token_for(place.address), google.token_for(place.address)
    tokens = FixedTokens(first, second)
    session = await place.provider.open(replace(place.credentials, tokens=tokens))
    google.oauth.access_tokens.pop(first)
    assert len(await session.list_folders()) > 5
    assert tokens.refused == [first]
    google.oauth.access_tokens.pop(second)
    third = google.token_for(place.address)
    tokens._tokens.append(third)
    assert len(await session.fetch("INBOX", ids)) == 3  # within a batch each part says it
    google.oauth.access_tokens.pop(third)
    for asked in (ids, ids[:1]):
        with pytest.raises(NeedsReconnect):
            await session.fetch("INBOX", asked)
    await session.close()


@pytest.mark.parametrize(
    ("fault", "kind", "code"),
    [
        ({"fail_next": 9}, Unreachable, "server_unavailable"),
        ({"drop_next": 9}, Unreachable, "connection_lost"),
        ({"throttle_next": (429, "rateLimitExceeded", 30.0, 1)}, Throttled, "throttled"),
        ({"throttle_next": (403, "userRateLimitExceeded", 30.0, 1)}, Throttled, "throttled"),
        ({"throttle_next": (403, "dailyLimitExceeded", None, 1)}, Throttled, "google_daily_limit"),
        ({"api_off": True}, NeedsAdministrator, "gmail_api_off"),
    ],
)
async def test_what_google_says_has_its_class(
    place: GmailPlace, session: GmailSession, fault: dict[str, object], kind: type[Exception], code: str
) -> None:
    cursor = (await session.list_all("INBOX")).cursor
    for name, value in fault.items():
        setattr(place.google.faults, name, value)
    with pytest.raises(kind) as raised:
        await session.list_changes("INBOX", cursor)
    assert raised.value.code == code  # type: ignore[attr-defined]
    if fault.get("throttle_next", (0, "", None))[2]:  # type: ignore[index]
        assert raised.value.retry_after_seconds == pytest.approx(30, abs=2)  # type: ignore[attr-defined]


@pytest.mark.parametrize("fault", ["fail_next", "drop_next"])
async def test_a_read_that_meets_a_passing_fault_is_made_again(
    place: GmailPlace, session: GmailSession, fault: str
) -> None:
    ids = [place.mailbox.deliver(letter(number)) for number in range(3)]
    for asked in (ids, ids[:1]):
        setattr(place.google.faults, fault, 1)
        assert [one.remote_id for one in await session.fetch("INBOX", asked)] == asked
    setattr(place.google.faults, fault, 2)
    assert len((await session.list_all("INBOX")).added) == 3


@pytest.mark.parametrize("fault", ["fail_next", "drop_next"])
async def test_a_write_that_meets_a_fault_is_not_made_again(
    place: GmailPlace, session: GmailSession, fault: str
) -> None:
    setattr(place.google.faults, fault, 1)
    place.google.requests.clear()
    with pytest.raises(Unreachable):
        await session.append("SENT", letter(1))
    assert len(place.google.requests) <= 1 and not getattr(place.google.faults, fault)


async def test_a_page_of_giants_whose_sizes_nobody_told_goes_by_way_of_the_disk(
    place: GmailPlace, session: GmailSession, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr("postroom.providers.gmail.fetching.MOST_OCTETS_AT_ONCE", 3_000_000)
    ids = [place.mailbox.deliver(letter(number) + b"x" * 1_000_000) for number in range(5)]
    with pytest.raises(TooMuch):
        await session.fetch("INBOX", ids)
    before = list(joints._installed)
    joints.install(joints.Joints(MemoryStore, lambda mailbox_id, keep_history: None, tmp_path))
    try:
        read_all = await Driver(session, InlineStore(MemoryStore()), uuid4(), 0).run(read("INBOX", ids))
    finally:
        joints._installed[:] = before
    assert [message.remote_id for message in read_all.messages] == ids
    assert all(message.parsed.is_readable for message in read_all.messages)


async def test_an_old_cursor_is_renewed_before_google_forgets_it(place: GmailPlace, session: GmailSession) -> None:
    cursor = Cursor.parse((await session.list_all("INBOX")).cursor)
    idle = str(Cursor(cursor.history, cursor.day - timedelta(days=2)))
    assert await session.poll({"INBOX": idle, "SENT": str(cursor)}) == {"INBOX"}
    renewed = await session.list_changes("INBOX", idle)
    assert Cursor.parse(renewed.cursor).day == datetime.now(UTC).date()
    assert await session.poll({"INBOX": renewed.cursor, "SENT": str(cursor)}) == frozenset()


async def test_poll_reads_what_happened_once(place: GmailPlace, session: GmailSession) -> None:
    cursors = {name: (await session.list_all(name)).cursor for name in ("INBOX", "SENT", "@archive")}
    for number in range(600):
        place.mailbox.deliver(letter(number), ("SENT",))
    assert await session.poll(cursors) == {"SENT"}
    before = place.google.units(place.address)
    assert await session.poll(cursors) == {"SENT"}
    assert place.google.units(place.address) - before == 1 + 2


async def test_forgotten_history_names_every_folder_and_has_expired(place: GmailPlace, session: GmailSession) -> None:
    cursors = {name: (await session.list_all(name)).cursor for name in ("INBOX", "SENT")}
    place.google.faults.expire_history(place.address)
    assert await session.poll(cursors) == {"INBOX", "SENT"}
    with pytest.raises(ListingExpired):
        await session.list_changes("INBOX", cursors["INBOX"])
    assert await session.wait("INBOX", 5.0) == {"INBOX"}
    place.mailbox.deliver(letter(1))
    assert await session.wait("INBOX", 5.0) == {"INBOX"}


async def test_forgotten_history_compares_by_ids_and_fetches_what_is_new(
    place: GmailPlace, session: GmailSession
) -> None:
    """Fault 11 (reliability-security.md 2.4): nothing is lost, and no body is fetched twice."""
    ids = [place.mailbox.deliver(letter(number)) for number in range(60)]
    memory = Memory()
    mailbox = memory.add_mailbox(uuid4(), place.address)
    driver = Driver(session, InlineStore(MemoryStore(memory)), mailbox.id, mailbox.epoch)
    for slice_id in await driver.run(plan_import(EPOCH_START, BY_GMAIL)):
        piece = MemoryStore(memory).find_slice(slice_id)
        assert piece is not None
        await driver.run(import_slice(piece, BY_GMAIL))
    inbox = next(one for one in MemoryStore(memory).load_mailbox(mailbox.id).folders if one.role == "inbox")
    place.mailbox.delete(ids[0])
    place.mailbox.set_labels(ids[1], ("INBOX",))
    new = place.mailbox.deliver(letter(99))
    place.google.faults.expire_history(place.address)
    place.google.requests.clear()
    await driver.run(catch_up(inbox, mailbox.id, mailbox.epoch, EPOCH_START, BY_GMAIL))
    known = {one.remote_id: one.flags for one in MemoryStore(memory).known_messages(inbox.id).messages}
    assert known.keys() == {*ids[1:], new} and known[ids[1]] == ("\\Seen",)
    assert [one.name for one in place.google.requests if one.name == "messages.get"] == ["messages.get"]
    again = next(one for one in MemoryStore(memory).load_mailbox(mailbox.id).folders if one.role == "inbox")
    place.mailbox.delete(new)
    await driver.run(catch_up(again, mailbox.id, mailbox.epoch, EPOCH_START, BY_GMAIL))
    assert {one.remote_id for one in MemoryStore(memory).known_messages(inbox.id).messages} == {*ids[1:]}


async def test_a_listing_whose_pages_shift_misses_nothing_that_stays(place: GmailPlace, session: GmailSession) -> None:
    ids = [place.mailbox.deliver(letter(number)) for number in range(1_200)]
    gone = ids[-3:]
    faults = place.google.faults

    def delete() -> None:
        faults.after_page = None
        for remote_id in gone:
            place.mailbox.delete(remote_id)

    faults.pages_shift, faults.after_page = True, delete
    listed = {one.remote_id for one in (await session.list_all("INBOX")).added}
    assert listed >= set(ids[:-3])


async def test_much_history_is_not_replayed(place: GmailPlace, session: GmailSession) -> None:
    cursor = (await session.list_all("SENT")).cursor
    one = place.mailbox.deliver(letter(1))
    for _ in range(5_100):
        place.mailbox.set_labels(one, ("INBOX", "STARRED"))
        place.mailbox.set_labels(one, ("INBOX",))
    with pytest.raises(ListingExpired):
        await session.list_changes("SENT", cursor)
    assert await session.poll({"SENT": cursor}) == {"SENT"}


async def test_a_list_without_an_end_is_no_list(
    place: GmailPlace, session: GmailSession, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("postroom.providers.gmail.listing.MOST_PAGES", 3)
    monkeypatch.setattr("postroom.providers.gmail.listing.AT_ONCE", 2)
    for number in range(9):
        place.mailbox.deliver(letter(number))
    with pytest.raises(ProtocolViolation):
        await session.list_window("INBOX", None)


# check


async def checked(place: GmailPlace, credentials: Credentials | None = None) -> list[tuple[str, bool, str]]:
    steps = [step async for step in place.provider.check(credentials or place.credentials)]
    return [(step.name, step.ok, step.code) for step in steps]


async def test_a_check_says_what_works(place: GmailPlace) -> None:
    assert await checked(place) == [("sign_in", True, ""), ("folders", True, ""), ("receiving", True, "")]


@pytest.mark.parametrize(
    ("fault", "code"),
    [
        ("mail_service_off", "gmail_not_enabled"),
        ("domain_refuses", "google_domain_policy"),
        ("api_off", "gmail_api_off"),
    ],
)
async def test_a_check_says_who_has_to_act(place: GmailPlace, fault: str, code: str) -> None:
    setattr(place.google.faults, fault, True if fault == "api_off" else {place.address})
    assert await checked(place) == [("sign_in", False, code)]


async def test_a_check_says_that_a_permission_is_missing(place: GmailPlace) -> None:
    token = place.google.token_for(place.address, "https://www.googleapis.com/auth/gmail.compose")
    assert await checked(place, replace(place.credentials, tokens=FixedTokens(token))) == [
        ("sign_in", True, ""),
        ("folders", False, "google_permission_missing"),
    ]
    reading = FixedTokens(place.google.token_for(place.address, READONLY))
    assert all(ok for _, ok, _ in await checked(place, replace(place.credentials, tokens=reading)))


async def test_a_check_says_whose_mailbox_it_is_instead(place: GmailPlace) -> None:
    other = Credentials("boss@gmail.test", {}, tokens=place.credentials.tokens)
    assert await checked(place, other) == [("sign_in", False, "google_other_address")]


async def test_a_mailbox_without_a_grant_has_to_be_connected_anew(place: GmailPlace) -> None:
    bare = Credentials(place.address, {})
    with pytest.raises(NeedsReconnect):
        await place.provider.open(bare)
    assert await checked(place, bare) == [("sign_in", False, "needs_reconnect")]


# sessions


async def test_many_sessions_ask_more_slowly(google: FakeGoogle) -> None:
    provider = GmailProvider(LOOPBACK, endpoints=google.endpoints, poll_seconds=1.0)
    place = GmailPlace(google)
    sessions = [await provider.open(place.credentials) for _ in range(40)]
    assert provider._pace.seconds == 2.0
    for session in sessions:
        await session.close()
        await session.close()
    assert provider._pace.seconds == 1.0


async def test_a_session_that_waits_holds_next_to_nothing(google: FakeGoogle) -> None:
    provider = GmailProvider(LOOPBACK, endpoints=google.endpoints)
    place = GmailPlace(google)
    first = await provider.open(place.credentials)
    tracemalloc.start()
    sessions = []
    for _ in range(50):
        session = await provider.open(place.credentials)
        await session.wait("INBOX", 0)
        sessions.append(session)
    held = tracemalloc.take_snapshot().filter_traces([tracemalloc.Filter(True, "*/postroom/*")])
    tracemalloc.stop()
    assert sum(one.size for one in held.statistics("filename")) / 50 < 8_000
    for session in [first, *sessions]:
        await session.close()


async def test_what_no_folder_can_be_searched_for_is_not_found(place: GmailPlace, session: GmailSession) -> None:
    await place.deliver(make_mail(1))
    for nonsense in ('<" OR in:inbox>', "", "<>", "{"):
        assert list(await session.find_by_message_id("INBOX", nonsense)) == []
