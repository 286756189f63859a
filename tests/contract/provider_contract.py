"""What every provider must do. A new one's test is a class of this with one fixture, `place`."""

from __future__ import annotations

import asyncio
from abc import ABC, abstractmethod
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta

import pytest

from postroom.providers.base import Credentials, Provider, Session
from postroom.providers.errors import FolderGone, ListingExpired, SignInRefused


def make_mail(number: int, *, body: str = "Hello", message_id: str | None = None) -> bytes:
    return (
        f"From: Katrin Voss <katrin@customer.test>\r\nTo: sales@example.test\r\nSubject: Letter {number}\r\n"
        f"Message-ID: {message_id or f'<letter-{number}@customer.test>'}\r\nDate: Mon, 23 Nov 2026 09:00:00 +0000\r\n"
        f"\r\n{body} {number}\r\n"
    ).encode()


class Place(ABC):
    """A mailbox of its own for one test, with somebody at the server who can change things there."""

    provider: Provider
    credentials: Credentials

    @abstractmethod
    async def deliver(self, raw: bytes) -> None:
        """Let a message arrive in the inbox."""

    @abstractmethod
    async def set_flags(self, remote_id: str, flags: tuple[str, ...]) -> None:
        """Change the flags of a message of the inbox, as another mail program would."""

    @abstractmethod
    async def remove(self, remote_id: str) -> None:
        """Delete a message of the inbox for good, as another mail program would."""

    @abstractmethod
    def wrong_credentials(self) -> Credentials:
        """The same mailbox with a password that is wrong."""

    tells_flags = True  # whether list_changes tells of flags that changed
    renumber = None  # async: give the inbox another UIDVALIDITY, where the test can do that


class ProviderContract:
    """Subclasses define the fixture `place`."""

    @pytest.fixture
    async def session(self, place: Place) -> AsyncIterator[Session]:
        session = await place.provider.open(place.credentials)
        yield session
        await session.close()

    async def test_a_mailbox_has_one_inbox_and_folders_with_roles(self, session: Session) -> None:
        folders = await session.list_folders()
        roles = [folder.role for folder in folders if folder.role]
        assert roles.count("inbox") == 1
        assert {"inbox", "sent", "trash"} <= set(roles)
        assert len(roles) == len(set(roles))

    async def test_a_window_lists_newest_first_with_sizes(self, place: Place, session: Session) -> None:
        for number in range(3):
            await place.deliver(make_mail(number))
        window = await session.list_window("INBOX", None)
        assert len(window.messages) == 3
        fetched = await session.fetch("INBOX", [message.remote_id for message in window.messages])
        by_id = {message.remote_id: message for message in fetched}
        subjects = [by_id[message.remote_id].raw for message in window.messages]
        assert [b"Letter 2" in subjects[0], b"Letter 1" in subjects[1], b"Letter 0" in subjects[2]] == [True] * 3
        assert all(message.size > 100 for message in window.messages)

    async def test_a_window_holds_only_what_arrived_since_that_day(self, place: Place, session: Session) -> None:
        await place.deliver(make_mail(1))
        now = datetime.now(UTC)
        yesterday, next_week = (now - timedelta(days=1)).date(), (now + timedelta(days=7)).date()
        assert len((await session.list_window("INBOX", yesterday)).messages) == 1
        assert (await session.list_window("INBOX", next_week)).messages == ()

    async def test_an_empty_folder_lists_nothing_and_still_has_a_cursor(self, place: Place, session: Session) -> None:
        window = await session.list_window("INBOX", None)
        assert window.messages == ()
        await place.deliver(make_mail(1))
        assert len((await session.list_changes("INBOX", window.cursor)).added) == 1

    async def test_changes_tell_what_arrived_since_the_cursor_and_nothing_else(
        self, place: Place, session: Session
    ) -> None:
        await place.deliver(make_mail(1))
        window = await session.list_window("INBOX", None)
        await place.deliver(make_mail(2))
        changes = await session.list_changes("INBOX", window.cursor)
        assert len(changes.added) == 1
        assert not changes.is_full and not changes.was_reset and not changes.removed
        assert changes.added[0].remote_id not in {message.remote_id for message in window.messages}
        again = await session.list_changes("INBOX", changes.cursor)
        assert (again.added, again.flagged, again.removed, again.is_full) == ((), (), (), False)

    async def test_mail_outside_the_window_is_no_change_later(self, place: Place, session: Session) -> None:
        await place.deliver(make_mail(1))
        window = await session.list_window("INBOX", (datetime.now(UTC) + timedelta(days=7)).date())
        changes = await session.list_changes("INBOX", window.cursor)
        assert changes.added == () and not changes.is_full

    async def test_a_deleted_message_is_told_or_missing_from_a_full_listing(
        self, place: Place, session: Session
    ) -> None:
        for number in range(3):
            await place.deliver(make_mail(number))
        window = await session.list_window("INBOX", None)
        gone, kept = window.messages[0].remote_id, {message.remote_id for message in window.messages[1:]}
        await place.remove(gone)
        changes = await session.list_changes("INBOX", window.cursor)
        if changes.is_full:
            assert {message.remote_id for message in changes.added} == kept
        else:
            assert (set(changes.removed), changes.added) == ({gone}, ())
        settled = await session.list_changes("INBOX", changes.cursor)
        assert not settled.is_full and settled.removed == ()

    async def test_changed_flags_are_told(self, place: Place, session: Session) -> None:
        await place.deliver(make_mail(1))
        await place.deliver(make_mail(2))
        window = await session.list_window("INBOX", None)
        marked = window.messages[0].remote_id
        await place.set_flags(marked, ("\\Seen",))
        changes = await session.list_changes("INBOX", window.cursor)
        assert changes.added == ()
        if place.tells_flags:
            assert [(message.remote_id, message.flags) for message in changes.flagged] == [(marked, ("\\Seen",))]

    async def test_a_message_comes_back_as_it_was(self, place: Place, session: Session) -> None:
        raw = make_mail(1, body="Grüße, 8 Bit: äöü €\r\n.\r\nA line with a dot before")
        await place.deliver(raw)
        window = await session.list_window("INBOX", None)
        (fetched,) = await session.fetch("INBOX", [window.messages[0].remote_id])
        assert fetched.raw.endswith(raw[-200:])  # a server may put its own header lines before
        assert fetched.received_at.tzinfo is not None
        assert abs(fetched.received_at - datetime.now(UTC)) < timedelta(minutes=5)

    async def test_fetching_leaves_no_mark(self, place: Place, session: Session) -> None:
        await place.deliver(make_mail(1))
        window = await session.list_window("INBOX", None)
        await session.fetch("INBOX", [window.messages[0].remote_id])
        assert "\\Seen" not in (await session.list_window("INBOX", None)).messages[0].flags

    async def test_messages_that_are_gone_are_left_out(self, place: Place, session: Session) -> None:
        await place.deliver(make_mail(1))
        await place.deliver(make_mail(2))
        window = await session.list_window("INBOX", None)
        newer, older = (message.remote_id for message in window.messages)
        await place.remove(newer)
        fetched = await session.fetch("INBOX", [newer, older, "77.1", "nonsense"])
        # A server may still show what another client deleted a moment ago (RFC 2180 section 4.1): Dovecot does.
        assert [message.remote_id for message in fetched if message.remote_id != newer] == [older]
        await session.list_window("INBOX", None)
        fetched = await session.fetch("INBOX", [newer, older])
        assert [message.remote_id for message in fetched] == [older]

    async def test_fetching_nothing_returns_nothing(self, session: Session) -> None:
        assert list(await session.fetch("INBOX", [])) == []

    async def test_a_cursor_that_means_nothing_has_expired(self, session: Session) -> None:
        for nonsense in ("", "{}", "[]", '"x"', '{"uidvalidity": "a"}', "\0"):
            with pytest.raises(ListingExpired):
                await session.list_changes("INBOX", nonsense)

    async def test_a_folder_that_is_gone_says_so(self, session: Session) -> None:
        with pytest.raises(FolderGone):
            await session.list_window("No such folder", None)
        assert await session.list_folders()  # and the session goes on

    async def test_wait_ends_when_mail_arrives(self, place: Place, session: Session) -> None:
        await session.list_window("INBOX", None)
        waiting = asyncio.create_task(session.wait("INBOX", 20.0))
        await asyncio.sleep(0.3)
        assert not waiting.done()
        await place.deliver(make_mail(1))
        changed = await asyncio.wait_for(waiting, 15.0)
        assert changed == {"INBOX"}

    async def test_wait_ends_when_the_time_is_over(self, session: Session) -> None:
        await session.list_window("INBOX", None)
        assert await session.wait("INBOX", 0.3) == frozenset()

    async def test_mail_that_came_while_another_folder_was_open_ends_the_wait_at_once(
        self, place: Place, session: Session
    ) -> None:
        await session.list_window("INBOX", None)
        await session.list_window("Sent", None)
        await place.deliver(make_mail(1))
        assert "INBOX" in await session.wait("INBOX", 5.0)

    async def test_a_session_goes_on_after_a_cancelled_wait(self, place: Place, session: Session) -> None:
        await session.list_window("INBOX", None)
        waiting = asyncio.create_task(session.wait("INBOX", 20.0))
        await asyncio.sleep(0.3)
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting
        await place.deliver(make_mail(1))
        assert len((await session.list_window("INBOX", None)).messages) == 1

    async def test_listing_and_fetching_do_not_wake_the_next_wait(self, place: Place, session: Session) -> None:
        await place.deliver(make_mail(1))
        window = await session.list_window("INBOX", None)
        changes = await session.list_changes("INBOX", window.cursor)
        await session.fetch("INBOX", [message.remote_id for message in window.messages])
        assert changes.added == ()
        assert await session.wait("INBOX", 0.5) == frozenset()

    async def test_a_message_is_found_by_its_whole_id(self, place: Place, session: Session) -> None:
        await place.deliver(make_mail(1, message_id="<a.b+c@customer.test>"))
        await place.deliver(make_mail(2, message_id="<a.b+c@customer.test.more>"))
        window = await session.list_window("INBOX", None)
        found = await session.find_by_message_id("INBOX", "<a.b+c@customer.test>")
        assert list(found) == [window.messages[1].remote_id]
        assert list(await session.find_by_message_id("INBOX", "<nobody@customer.test>")) == []

    async def test_an_appended_message_is_in_its_folder(self, session: Session) -> None:
        raw = make_mail(7, body="Ünlaut")
        await session.append("Sent", raw, ("\\Seen",))
        (listed,) = (await session.list_window("Sent", None)).messages
        assert listed.flags == ("\\Seen",)
        assert (await session.fetch("Sent", [listed.remote_id]))[0].raw == raw
        with pytest.raises(FolderGone):
            await session.append("No such folder", raw)

    async def test_a_new_numbering_resets_the_folder(self, place: Place, session: Session) -> None:
        if place.renumber is None:
            return  # this server offers no way to do it; the memory provider and the stub servers cover the rule
        await place.deliver(make_mail(1))
        window = await session.list_window("INBOX", None)
        await place.renumber()
        changes = await session.list_changes("INBOX", window.cursor)
        assert changes.was_reset and changes.is_full and len(changes.added) == 1
        assert list(await session.fetch("INBOX", [window.messages[0].remote_id])) == []

    async def test_a_wrong_password_is_refused(self, place: Place) -> None:
        with pytest.raises(SignInRefused):
            await place.provider.open(place.wrong_credentials())
        steps = [step async for step in place.provider.check(place.wrong_credentials())]
        failed = [step for step in steps if not step.ok]
        assert failed[0].name == "sign_in" and failed[0].code == "sign_in_refused"
