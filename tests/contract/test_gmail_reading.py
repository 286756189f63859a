"""What is Gmail's own in reading: labels, searches, batches, units, history that is forgotten."""

from __future__ import annotations

import tracemalloc
from collections.abc import AsyncIterator, Iterator
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from uuid import uuid4

import pytest

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
    Unreachable,
)
from postroom.providers.gmail.cursor import Cursor
from postroom.providers.gmail.provider import GmailProvider
from postroom.providers.gmail.session import GmailSession
from postroom.sync.catching_up import catch_up
from postroom.sync.importing import import_slice, plan_import
from postroom.sync.manner import Manner
from tests.contract.gmail_place import LOOPBACK, FixedTokens, GmailPlace
from tests.contract.provider_place import make_mail
from tests.fakes.google import FakeGoogle

READONLY = "https://www.googleapis.com/auth/gmail.readonly"
EPOCH_START = date(2020, 1, 1)
BY_GMAIL = Manner(ids_are_mailbox_wide=True, fetch_at_once=50)


class Till:
    """An Allowance that lets everything pass and counts."""

    def __init__(self) -> None:
        self.taken = 0.0

    async def take(self, units: float) -> None:
        self.taken += units


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


def letter(number: int, sender: str = "katrin@customer.test", to: str = "sales@example.test", **more: str) -> bytes:
    fields = {"Message_ID": f"<{number}.{uuid4().hex}@x.test>", **more}
    lines = [f"From: {sender}", f"To: {to}", f"Subject: Letter {number}"]
    lines += [f"{name.replace('_', '-')}: {value}" for name, value in fields.items()]
    return ("\r\n".join(lines) + f"\r\n\r\nHello {number}\r\n").encode()


# labels


async def test_labels_are_folders_by_what_people_call_them(place: GmailPlace, session: GmailSession) -> None:
    mine = place.mailbox.make_label("Customers/North")
    folders = {folder.remote_name: folder for folder in await session.list_folders()}
    assert folders[mine].name == "Customers/North" and folders[mine].role == ""
    assert {name: folder.role for name, folder in folders.items() if folder.role} == {
        "INBOX": "inbox", "SENT": "sent", "DRAFT": "drafts", "TRASH": "trash", "SPAM": "junk", "@archive": "archive",
    }  # fmt: skip
    assert {name for name, folder in folders.items() if folder.sorts_inbox} == {
        "CATEGORY_PERSONAL", "CATEGORY_SOCIAL", "CATEGORY_PROMOTIONS", "CATEGORY_UPDATES", "CATEGORY_FORUMS",
    }  # fmt: skip
    assert folders["CATEGORY_PROMOTIONS"].name == "Promotions"
    assert not {"UNREAD", "STARRED", "IMPORTANT", "CHAT"} & folders.keys()
    assert all(folder.is_label and folder.identity == name for name, folder in folders.items())


async def test_a_message_that_is_archived_leaves_the_inbox_and_is_in_the_archive(
    place: GmailPlace, session: GmailSession
) -> None:
    one = place.mailbox.deliver(letter(1))
    place.mailbox.deliver(letter(2), ("CHAT",))
    inbox, archive = await session.list_all("INBOX"), await session.list_all("@archive")
    assert archive.added == ()
    place.mailbox.set_labels(one, ())  # and read: it wears nothing, and history cannot say so
    assert await session.poll({"INBOX": inbox.cursor, "@archive": archive.cursor}) == {"INBOX", "@archive"}
    assert (await session.list_changes("INBOX", inbox.cursor)).removed == (one,)
    (found,) = (await session.list_changes("@archive", archive.cursor)).added
    assert (found.remote_id, found.flags) == (one, ("\\Seen",))
    assert [message.remote_id for message in (await session.list_all("@archive")).added] == [one]


async def test_what_goes_to_trash_leaves_its_labels_and_comes_back(place: GmailPlace, session: GmailSession) -> None:
    mine = place.mailbox.make_label("Customers")
    one = place.mailbox.deliver(letter(1), (mine, "INBOX"))
    before = {name: (await session.list_all(name)).cursor for name in (mine, "TRASH", "@archive")}
    place.mailbox.set_labels(one, (mine, "TRASH"))
    assert await session.poll(before) == {mine, "TRASH"}
    changes = await session.list_changes(mine, before[mine])
    assert changes.removed == (one,)
    assert (await session.list_all(mine)).added == ()
    assert [message.remote_id for message in (await session.list_all("TRASH")).added] == [one]
    place.mailbox.set_labels(one, (mine,))
    assert [message.remote_id for message in (await session.list_changes(mine, changes.cursor)).added] == [one]


async def test_stars_and_drafts_are_flags(place: GmailPlace, session: GmailSession) -> None:
    mine = place.mailbox.make_label("Customers")
    place.mailbox.deliver(letter(1), (mine, "STARRED", "UNREAD"))
    place.mailbox.deliver(letter(2), (mine, "DRAFT"))
    assert [message.flags for message in (await session.list_all(mine)).added] == [
        ("\\Seen", "\\Draft"),
        ("\\Flagged",),
    ]
    assert [message.flags for message in (await session.list_window("DRAFT", None)).messages] == [("\\Seen", "\\Draft")]


async def test_a_label_made_meanwhile_is_told_by_wait(place: GmailPlace, session: GmailSession) -> None:
    await session.list_window("INBOX", None)
    mine = place.mailbox.make_label("Customers")
    place.mailbox.deliver(letter(1), (mine,))
    assert await session.wait("INBOX", 5.0) == {mine}


async def test_what_wore_a_label_that_is_deleted_is_in_the_archive(place: GmailPlace, session: GmailSession) -> None:
    mine = place.mailbox.make_label("Customers")
    one = place.mailbox.deliver(letter(1), (mine,))
    archive = (await session.list_all("@archive")).cursor
    place.mailbox.delete_label(mine)
    assert await session.poll({"@archive": archive}) == {"@archive"}
    assert [message.remote_id for message in (await session.list_changes("@archive", archive)).added] == [one]


async def test_what_is_followed_goes_on_after_google_forgot_it(place: GmailPlace, session: GmailSession) -> None:
    cursor = (await session.list_all("INBOX")).cursor
    assert await session.poll({"INBOX": cursor}) == frozenset()
    place.google.faults.expire_history(place.address)
    again = (await session.list_all("INBOX")).cursor
    assert await session.poll({"INBOX": again}) == frozenset()


async def test_a_label_of_google_s_own_that_no_list_names_is_asked_about_once(
    place: GmailPlace, session: GmailSession
) -> None:
    cursor = (await session.list_all("INBOX")).cursor
    place.mailbox.deliver(letter(1), ("INBOX", "YELLOW_STAR"))
    await session.list_changes("INBOX", cursor)
    place.google.requests.clear()
    for _ in range(3):
        await session.list_changes("INBOX", cursor)
    assert "labels.list" not in [one.name for one in place.google.requests]


# searches


async def test_by_address_lists_what_is_from_or_to_them_and_the_rest_of_those_conversations(
    place: GmailPlace, session: GmailSession
) -> None:
    mailbox = place.mailbox
    asked = mailbox.deliver(letter(1, Message_ID="<question@customer.test>"))
    inner = mailbox.deliver(
        letter(1, "bob@example.test", "alice@example.test", In_Reply_To="<question@customer.test>",
               References="<question@customer.test>")
    )  # fmt: skip
    mailbox.deliver(letter(3, "friend@home.test"))
    of_domain = mailbox.deliver(letter(4, "anybody@north.partner.test"))
    copied = mailbox.deliver(letter(5, "friend@home.test", Cc="Katrin <KATRIN@customer.test>"))
    sent = mailbox.deliver(letter(6, "sales@example.test", "katrin@customer.test"), ("SENT",))
    old = mailbox.deliver(letter(7), at=datetime.now(UTC) - timedelta(days=40))
    wanted = ["katrin@customer.test", "@partner.test"]
    month = (datetime.now(UTC) - timedelta(days=30)).date()
    window = await session.list_window("INBOX", month, addresses=wanted)
    assert [message.remote_id for message in window.messages] == [copied, of_domain, inner, asked]
    assert [one.remote_id for one in (await session.list_window("SENT", month, addresses=wanted)).messages] == [sent]
    everything = await session.list_window("INBOX", None, addresses=wanted)
    assert old in [message.remote_id for message in everything.messages]
    assert (await session.list_window("INBOX", month, addresses=[])).messages == ()
    assert len((await session.list_changes("INBOX", window.cursor)).added) == 0


async def test_addresses_are_searched_once_for_all_folders(place: GmailPlace, session: GmailSession) -> None:
    place.mailbox.deliver(letter(1))
    place.mailbox.deliver(letter(2), ("SENT",))
    addresses = [f"customer-{number}@company-{number}.test" for number in range(100)]
    before = place.google.units(place.address)
    await session.list_window("INBOX", None, addresses=addresses)
    first = place.google.units(place.address) - before
    await session.list_window("SENT", None, addresses=addresses)
    assert place.google.units(place.address) - before - first < first / 3
    assert not [one for one in place.google.requests if one.status >= 400]


async def test_large_messages_are_known_before_they_are_fetched(place: GmailPlace, session: GmailSession) -> None:
    small = place.mailbox.deliver(letter(1))
    cursor = (await session.list_window("INBOX", None)).cursor
    large = place.mailbox.deliver(letter(2) + b"x" * 6_000_000)
    assert {one.remote_id: one.size for one in (await session.list_changes("INBOX", cursor)).added} == {
        large: 5_000_000
    }
    sizes = {one.remote_id: one.size for one in (await session.list_window("INBOX", None)).messages}
    assert sizes == {small: 0, large: 5_000_000}


async def test_a_large_message_comes_in_small_pieces(place: GmailPlace, session: GmailSession) -> None:
    octets = 24_000_000
    one = place.mailbox.deliver(letter(1) + b"x" * octets)
    pieces: list[int] = []
    await session.fetch_large("INBOX", one, 0, lambda piece: pieces.append(len(piece)))
    assert sum(pieces) > octets and max(pieces) <= 1024 * 1024 and len(pieces) > 20


# batches and units


async def test_bodies_come_in_batches_of_fifty(place: GmailPlace, session: GmailSession) -> None:
    ids = [place.mailbox.deliver(letter(number)) for number in range(120)]
    place.google.requests.clear()
    before = place.google.units(place.address)
    fetched = await session.fetch("INBOX", [*ids, ids[0]])
    assert [one.remote_id for one in fetched] == ids
    assert all(f"Hello {number}".encode() in one.raw for number, one in enumerate(fetched))
    assert place.google.units(place.address) - before == 120 * 20
    assert [one.name for one in place.google.requests].count("batch") == 3


async def test_parts_that_google_has_no_room_for_are_asked_again(place: GmailPlace, session: GmailSession) -> None:
    ids = [place.mailbox.deliver(letter(number)) for number in range(20)]
    place.google.faults.throttle_batch_parts = 7
    assert [one.remote_id for one in await session.fetch("INBOX", ids)] == ids
    assert [one.name for one in place.google.requests].count("batch") == 2


async def test_a_mailbox_whose_units_are_spent_is_throttled(
    place: GmailPlace, session: GmailSession, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("postroom.providers.gmail.fetching.FIRST_PAUSE_SECONDS", 0.01)
    ids = [place.mailbox.deliver(letter(number)) for number in range(20)]
    place.google.faults.enforces_quota, place.google.faults.units_a_minute = True, 200
    with pytest.raises(Throttled):
        await session.fetch("INBOX", ids)
    place.google.faults.throttle = replace(place.google.faults.throttle, retry_after=40)
    with pytest.raises(Throttled) as throttled:
        await session.fetch("INBOX", ids)
    assert throttled.value.retry_after_seconds == 40


async def test_every_call_is_paid_for_before_it_is_made(google: FakeGoogle) -> None:
    place, till = GmailPlace(google), Till()
    ids = [place.mailbox.deliver(letter(number)) for number in range(3)]
    session = await place.provider.open(replace(place.credentials, allowance=till))
    window = await session.list_window("INBOX", None, addresses=["katrin@customer.test"])
    place.mailbox.deliver(letter(4))
    await session.list_folders()
    await session.list_all("INBOX")
    await session.list_changes("INBOX", window.cursor)
    await session.poll({"INBOX": window.cursor})
    await session.wait("INBOX", 0.2)
    await session.fetch("INBOX", ids)
    await session.fetch("INBOX", ids[:1])
    await session.fetch_headers("INBOX", ids)
    await session.fetch_large("INBOX", ids[0], 0, lambda piece: None)
    await session.find_by_message_id("INBOX", "<none@x.test>")
    await session.append("SENT", letter(5))
    await session.list_identities()
    await session.close()
    assert till.taken == google.units(place.address) > 0


async def test_a_session_that_waits_costs_two_units_a_look(google: FakeGoogle) -> None:
    place = GmailPlace(google, poll_seconds=0.2)
    session = await place.provider.open(place.credentials)
    await session.list_window("INBOX", None)
    before = google.units(place.address)
    assert await session.wait("INBOX", 0.5) == frozenset()
    await session.close()
    assert google.units(place.address) - before <= 4 * 2


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
        ({"fail_next": 1}, Unreachable, "server_unavailable"),
        ({"drop_next": 1}, Unreachable, "connection_lost"),
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
