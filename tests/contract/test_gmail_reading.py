"""What is Gmail's own in reading: labels, searches, batches, units."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import pytest

from postroom.providers.errors import (
    Throttled,
)
from postroom.providers.gmail.session import GmailSession
from postroom.sync.manner import Manner
from postroom.sync.pages import GIANT_OCTETS
from tests.contract.gmail_place import GmailPlace, letter
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

    async def rest(self, seconds: float) -> None:
        raise AssertionError("nobody was told to")


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
    blind = mailbox.deliver(letter(8, "sales@example.test", "friend@home.test", Bcc="katrin@customer.test"), ("SENT",))
    old = mailbox.deliver(letter(7), at=datetime.now(UTC) - timedelta(days=40))
    wanted = ["katrin@customer.test", "@partner.test"]
    month = (datetime.now(UTC) - timedelta(days=30)).date()
    window = await session.list_window("INBOX", month, addresses=wanted)
    assert [message.remote_id for message in window.messages] == [copied, of_domain, inner, asked]
    of_sent = (await session.list_window("SENT", month, addresses=wanted)).messages
    assert [one.remote_id for one in of_sent] == [blind, sent]
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
        large: 5_000_001
    }
    sizes = {one.remote_id: one.size for one in (await session.list_window("INBOX", None)).messages}
    assert sizes == {small: 0, large: 5_000_001}


async def test_what_is_too_large_for_memory_is_listed_as_a_giant(place: GmailPlace, session: GmailSession) -> None:
    one = place.mailbox.deliver(letter(1) + b"x" * GIANT_OCTETS)
    listed = (await session.list_window("INBOX", None)).messages
    assert [(message.remote_id, message.size > GIANT_OCTETS) for message in listed] == [(one, True)]


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
