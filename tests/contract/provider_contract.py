"""What every provider must do. A new one's test is a class of this with one fixture, `place`."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta

import pytest

from postroom.providers.base import Session
from postroom.providers.errors import FolderGone, ListingExpired, MessageGone, SignInRefused
from tests.contract.provider_place import Place, make_mail


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

    async def test_bodies_stay_with_their_ids_while_somebody_deletes(self, place: Place, session: Session) -> None:
        for number in range(16):
            await place.deliver(make_mail(number))
        ids = [message.remote_id for message in (await session.list_window("INBOX", None)).messages]
        letters = {remote_id: f"Letter {number}\r\n".encode() for number, remote_id in enumerate(reversed(ids))}

        async def delete() -> None:
            for remote_id in ids[::3]:
                await place.remove(remote_id)

        kept = [remote_id for remote_id in ids if remote_id not in ids[::3]]
        deleting = asyncio.create_task(delete())
        while not deleting.done():
            fetched = [(one.remote_id, one.raw) for one in await session.fetch("INBOX", ids)]
            fetched += [(one.remote_id, one.block) for one in await session.fetch_headers("INBOX", ids)]
            assert {remote_id for remote_id, _ in fetched} >= set(kept)
            assert all(b"Subject: " + letters[remote_id] in octets for remote_id, octets in fetched)
            assert {one.remote_id for one in (await session.list_all("INBOX")).added} >= set(kept)
            await asyncio.sleep(0)
        await deleting
        assert [one.remote_id for one in (await session.list_all("INBOX")).added] == [
            one for one in ids if one not in ids[::3]
        ]

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

    async def test_a_window_may_end_before_a_day(self, place: Place, session: Session) -> None:
        await place.deliver(make_mail(1))
        today = datetime.now(UTC).date()
        week_ago, next_week = today - timedelta(days=7), today + timedelta(days=7)
        assert len((await session.list_window("INBOX", week_ago, next_week)).messages) == 1
        assert (await session.list_window("INBOX", week_ago, today - timedelta(days=2))).messages == ()
        assert (await session.list_window("INBOX", None, today - timedelta(days=2))).messages == ()

    async def test_all_of_a_folder_is_listed_with_flags_and_the_cursor_of_now(
        self, place: Place, session: Session
    ) -> None:
        for number in range(3):
            await place.deliver(make_mail(number))
        window = await session.list_window("INBOX", None)
        await place.set_flags(window.messages[1].remote_id, ("\\Seen",))
        everything = await session.list_all("INBOX")
        assert everything.is_full and not everything.was_reset and not everything.has_more
        assert [one.remote_id for one in everything.added] == [one.remote_id for one in window.messages]
        assert [one.flags for one in everything.added] == [(), ("\\Seen",), ()]
        assert [one.size for one in everything.added] == [one.size for one in window.messages]
        again = await session.list_changes("INBOX", everything.cursor)
        assert (again.added, again.flagged, again.removed, again.is_full) == ((), (), (), False)
        assert again.tells_flags is everything.tells_flags is place.tells_flags

    async def test_all_of_an_empty_folder_is_nothing(self, session: Session) -> None:
        everything = await session.list_all("INBOX")
        assert everything.is_full and everything.added == ()
        with pytest.raises(FolderGone):
            await session.list_all("No such folder")

    async def test_a_poll_names_the_folders_that_changed(self, place: Place, session: Session) -> None:
        cursors = {name: (await session.list_all(name)).cursor for name in ("Sent", "Trash", "INBOX", "Junk")}
        assert await session.poll(cursors) == frozenset()
        await session.append("Sent", make_mail(1))
        await place.deliver(make_mail(2))
        assert await session.poll(cursors) == {"Sent", "INBOX"}
        for name in ("Sent", "INBOX"):
            cursors[name] = (await session.list_changes(name, cursors[name])).cursor
        assert await session.poll(cursors) == frozenset()
        assert await session.poll({"INBOX": cursors["INBOX"]}) == frozenset()

    async def test_a_poll_by_a_new_session_knows_what_happened_meanwhile(self, place: Place, session: Session) -> None:
        await place.deliver(make_mail(1))
        everything = await session.list_all("INBOX")
        marked = everything.added[0].remote_id
        cursors = {
            "INBOX": everything.cursor,
            "Sent": (await session.list_all("Sent")).cursor,
            "Gone": everything.cursor,
        }
        await place.set_flags(marked, ("\\Seen",))
        other = await place.provider.open(place.credentials)
        assert await other.poll(cursors) == {"INBOX", "Gone"}  # what is gone says so when it is listed
        changes = await other.list_changes("INBOX", everything.cursor)
        assert [(one.remote_id, one.flags) for one in changes.flagged] == [(marked, ("\\Seen",))]
        cursors = {"INBOX": changes.cursor, "Sent": cursors["Sent"]}
        assert await other.poll(cursors) == frozenset()
        await place.remove(marked)
        assert await other.poll(cursors) == {"INBOX"}
        await other.close()

    async def test_a_poll_takes_any_cursor(self, session: Session) -> None:
        assert await session.poll({"INBOX": "nonsense"}) == {"INBOX"}
        assert await session.poll({}) == frozenset()

    async def test_headers_come_without_bodies(self, place: Place, session: Session) -> None:
        for number in range(3):
            await place.deliver(make_mail(number))
        window = await session.list_window("INBOX", None)
        ids = [message.remote_id for message in window.messages]
        headers = {header.remote_id: header for header in await session.fetch_headers("INBOX", [*ids, "77.1", "x"])}
        assert set(headers) == set(ids)
        newest = headers[ids[0]]
        assert b"Subject: Letter 2" in newest.block and b"Message-ID: <letter-2@customer.test>" in newest.block
        assert b"From: Katrin Voss <katrin@customer.test>" in newest.block and b"Hello" not in newest.block
        assert newest.block.endswith(b"\r\n\r\n")
        assert newest.size == window.messages[0].size
        assert abs(newest.received_at - datetime.now(UTC)) < timedelta(minutes=5)
        assert "\\Seen" not in (await session.list_window("INBOX", None)).messages[0].flags
        assert list(await session.fetch_headers("INBOX", [])) == []

    async def test_a_large_message_comes_in_pieces(self, place: Place, session: Session) -> None:
        raw = make_mail(1, body="\r\n".join("x" * 70 + str(line) for line in range(40_000)))
        await session.append("Sent", raw)
        (listed,) = (await session.list_window("Sent", None)).messages
        pieces: list[bytes] = []
        await session.fetch_large("Sent", listed.remote_id, listed.size, pieces.append)
        assert b"".join(pieces) == raw and len(pieces) > 1 and max(map(len, pieces)) <= 1024 * 1024
        for gone in ("77.1", "nonsense"):
            with pytest.raises(MessageGone):
                await session.fetch_large("Sent", gone, 100, pieces.append)

    async def test_a_folder_keeps_its_identity_when_it_is_renamed(self, place: Place, session: Session) -> None:
        await place.make_folder("Customers")
        before = {folder.remote_name: folder.identity for folder in await session.list_folders()}
        await place.rename_folder("Customers", "Clients")
        after = {folder.remote_name: folder.identity for folder in await session.list_folders()}
        assert "Customers" not in after
        assert after["Clients"] == before["Customers"]
        if place.identifies:
            assert after["Clients"]
            assert len(set(after.values())) == len(after)
        await place.make_folder("Customers")
        again = {folder.remote_name: folder.identity for folder in await session.list_folders()}
        assert again["Clients"] == before["Customers"] != again["Customers"]
        await place.remove_folder("Clients")
        with pytest.raises(FolderGone):
            await session.list_all("Clients")

    async def test_a_change_elsewhere_is_told_once_by_wait_and_by_polls_until_it_is_listed(
        self, place: Place, session: Session
    ) -> None:
        if not place.pushes_others:
            return
        cursors = {name: (await session.list_all(name)).cursor for name in ("Sent", "INBOX")}
        waiting = asyncio.create_task(session.wait("INBOX", 20.0))
        await asyncio.sleep(0.3)
        other = await place.provider.open(place.credentials)
        await other.append("Sent", make_mail(1))
        await other.close()
        changed = await asyncio.wait_for(waiting, 15.0)
        assert changed == {"Sent"}
        assert await session.wait("INBOX", 0.5) == frozenset()
        assert await session.poll(cursors) == {"Sent"}
        cursors["Sent"] = (await session.list_changes("Sent", cursors["Sent"])).cursor
        assert await session.poll(cursors) == frozenset()
        assert await session.wait("INBOX", 0.5) == frozenset()

    async def test_a_change_ends_one_wait_and_is_polled_until_listed(self, place: Place, session: Session) -> None:
        cursor = (await session.list_all("INBOX")).cursor
        await place.deliver(make_mail(1))
        assert await session.wait("INBOX", 10.0) == {"INBOX"}
        assert await session.wait("INBOX", 0.3) == frozenset()
        assert await session.poll({"INBOX": cursor}) == {"INBOX"}
        await place.deliver(make_mail(2))
        assert await session.wait("INBOX", 10.0) == {"INBOX"}
        changes = await session.list_changes("INBOX", cursor)
        assert len(changes.added) == 2
        assert await session.poll({"INBOX": changes.cursor}) == frozenset()
        assert await session.wait("INBOX", 0.3) == frozenset()

    async def test_a_cancelled_wait_loses_no_change(self, place: Place, session: Session) -> None:
        cursor = (await session.list_all("INBOX")).cursor
        for _ in range(3):
            waiting = asyncio.create_task(session.wait("INBOX", 20.0))
            await asyncio.sleep(0)
            waiting.cancel()
            with pytest.raises(asyncio.CancelledError):
                await waiting
        await place.deliver(make_mail(1))
        assert await session.wait("INBOX", 10.0) == {"INBOX"}
        assert len((await session.list_changes("INBOX", cursor)).added) == 1

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
