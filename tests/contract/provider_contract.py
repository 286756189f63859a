"""What every provider must do. A new one's test is a class of this with one fixture, `place`."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta

import pytest

from postroom.providers.base import Session
from postroom.providers.errors import FolderGone, ListingExpired, MessageGone
from tests.contract.provider_place import Place, by_name, ids_of, is_nothing, make_mail, settled
from tests.contract.searching_contract import SearchingContract
from tests.contract.waiting_contract import WaitingContract


class ProviderContract(WaitingContract, SearchingContract):
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
        window = await session.list_window(place.inbox, None)
        assert len(window.messages) == 3
        fetched = await session.fetch(place.inbox, [message.remote_id for message in window.messages])
        by_id = {message.remote_id: message for message in fetched}
        subjects = [by_id[message.remote_id].raw for message in window.messages]
        assert [b"Letter 2" in subjects[0], b"Letter 1" in subjects[1], b"Letter 0" in subjects[2]] == [True] * 3
        assert not place.tells_sizes or all(message.size > 100 for message in window.messages)

    async def test_a_window_holds_only_what_arrived_since_that_day(self, place: Place, session: Session) -> None:
        await place.deliver(make_mail(1))
        now = datetime.now(UTC)
        yesterday, next_week = (now - timedelta(days=1)).date(), (now + timedelta(days=7)).date()
        assert len((await session.list_window(place.inbox, yesterday)).messages) == 1
        assert (await session.list_window(place.inbox, next_week)).messages == ()

    async def test_an_empty_folder_lists_nothing_and_still_has_a_cursor(self, place: Place, session: Session) -> None:
        window = await session.list_window(place.inbox, None)
        assert window.messages == ()
        await place.deliver(make_mail(1))
        assert len(settled(place, await session.list_changes(place.inbox, window.cursor)).added) == 1

    async def test_changes_tell_what_arrived_since_the_cursor_and_nothing_else(
        self, place: Place, session: Session
    ) -> None:
        await place.deliver(make_mail(1))
        window = await session.list_window(place.inbox, None)
        await place.deliver(make_mail(2))
        changes = await session.list_changes(place.inbox, window.cursor)
        changes = settled(place, changes, ids_of(window.messages))
        assert len(changes.added) == 1
        assert not changes.is_full and not changes.was_reset and not changes.removed
        assert changes.added[0].remote_id not in {message.remote_id for message in window.messages}
        assert is_nothing(await session.list_changes(place.inbox, changes.cursor))

    async def test_mail_outside_the_window_is_no_change_later(self, place: Place, session: Session) -> None:
        await place.deliver(make_mail(1))
        window = await session.list_window(place.inbox, (datetime.now(UTC) + timedelta(days=7)).date())
        changes = await session.list_changes(place.inbox, window.cursor)
        assert settled(place, changes).added == () and not changes.is_full

    async def test_a_deleted_message_is_told_or_missing_from_a_full_listing(
        self, place: Place, session: Session
    ) -> None:
        for number in range(3):
            await place.deliver(make_mail(number))
        window = await session.list_window(place.inbox, None)
        gone, kept = window.messages[0].remote_id, {message.remote_id for message in window.messages[1:]}
        await place.remove(gone)
        changes = settled(place, await session.list_changes(place.inbox, window.cursor), ids_of(window.messages))
        if changes.is_full:
            assert {message.remote_id for message in changes.added} == kept
        else:
            assert (set(changes.removed), changes.added) == ({gone}, ())
        assert is_nothing(await session.list_changes(place.inbox, changes.cursor))

    async def test_changed_flags_are_told(self, place: Place, session: Session) -> None:
        await place.deliver(make_mail(1))
        await place.deliver(make_mail(2))
        window = await session.list_window(place.inbox, None)
        marked = window.messages[0].remote_id
        await place.set_flags(marked, ("\\Seen",))
        changes = settled(place, await session.list_changes(place.inbox, window.cursor), ids_of(window.messages))
        assert changes.added == ()
        if place.tells_flags:
            assert [(message.remote_id, message.flags) for message in changes.flagged] == [(marked, ("\\Seen",))]

    async def test_a_message_comes_back_as_it_was(self, place: Place, session: Session) -> None:
        raw = make_mail(1, body="Grüße, 8 Bit: äöü €\r\n.\r\nA line with a dot before")
        await place.deliver(raw)
        window = await session.list_window(place.inbox, None)
        (fetched,) = await session.fetch(place.inbox, [window.messages[0].remote_id])
        assert fetched.raw.endswith(raw[-200:])  # a server may put its own header lines before
        assert fetched.received_at.tzinfo is not None
        assert abs(fetched.received_at - datetime.now(UTC)) < timedelta(minutes=5)

    async def test_fetching_leaves_no_mark(self, place: Place, session: Session) -> None:
        await place.deliver(make_mail(1))
        window = await session.list_window(place.inbox, None)
        await session.fetch(place.inbox, [window.messages[0].remote_id])
        assert "\\Seen" not in (await session.list_window(place.inbox, None)).messages[0].flags

    async def test_messages_that_are_gone_are_left_out(self, place: Place, session: Session) -> None:
        await place.deliver(make_mail(1))
        await place.deliver(make_mail(2))
        window = await session.list_window(place.inbox, None)
        newer, older = (message.remote_id for message in window.messages)
        await place.remove(newer)
        fetched = await session.fetch(place.inbox, [newer, older, *place.no_ids])
        # A server may still show what another client deleted a moment ago (RFC 2180 section 4.1): Dovecot does.
        assert [message.remote_id for message in fetched if message.remote_id != newer] == [older]
        await session.list_window(place.inbox, None)
        fetched = await session.fetch(place.inbox, [newer, older])
        assert [message.remote_id for message in fetched] == [older]

    async def test_bodies_stay_with_their_ids_while_somebody_deletes(self, place: Place, session: Session) -> None:
        for number in range(16):
            await place.deliver(make_mail(number))
        ids = [message.remote_id for message in (await session.list_window(place.inbox, None)).messages]
        letters = {remote_id: f"Letter {number}\r\n".encode() for number, remote_id in enumerate(reversed(ids))}

        async def delete() -> None:
            for remote_id in ids[::3]:
                await place.remove(remote_id)

        kept = [remote_id for remote_id in ids if remote_id not in ids[::3]]
        deleting = asyncio.create_task(delete())
        while not deleting.done():
            fetched = [(one.remote_id, one.raw) for one in await session.fetch(place.inbox, ids)]
            fetched += [(one.remote_id, one.block) for one in await session.fetch_headers(place.inbox, ids)]
            assert {remote_id for remote_id, _ in fetched} >= set(kept)
            assert all(b"Subject: " + letters[remote_id] in octets for remote_id, octets in fetched)
            assert {one.remote_id for one in (await session.list_all(place.inbox)).added} >= set(kept)
            await asyncio.sleep(0)
        await deleting
        assert [one.remote_id for one in (await session.list_all(place.inbox)).added] == [
            one for one in ids if one not in ids[::3]
        ]

    async def test_fetching_nothing_returns_nothing(self, place: Place, session: Session) -> None:
        assert list(await session.fetch(place.inbox, [])) == []

    async def test_a_cursor_that_means_nothing_has_expired(self, place: Place, session: Session) -> None:
        for nonsense in ("", "{}", "[]", '"x"', '{"uidvalidity": "a"}', "\0"):
            with pytest.raises(ListingExpired):
                await session.list_changes(place.inbox, nonsense)

    async def test_a_folder_that_is_gone_says_so(self, place: Place, session: Session) -> None:
        with pytest.raises(FolderGone):
            await session.list_window(place.nowhere, None)
        assert await session.list_folders()  # and the session goes on

    async def test_a_window_may_end_before_a_day(self, place: Place, session: Session) -> None:
        await place.deliver(make_mail(1))
        today = datetime.now(UTC).date()
        week_ago, next_week = today - timedelta(days=7), today + timedelta(days=7)
        assert len((await session.list_window(place.inbox, week_ago, next_week)).messages) == 1
        assert (await session.list_window(place.inbox, week_ago, today - timedelta(days=2))).messages == ()
        assert (await session.list_window(place.inbox, None, today - timedelta(days=2))).messages == ()

    async def test_all_of_a_folder_is_listed_with_flags_and_the_cursor_of_now(
        self, place: Place, session: Session
    ) -> None:
        for number in range(3):
            await place.deliver(make_mail(number))
        window = await session.list_window(place.inbox, None)
        await place.set_flags(window.messages[1].remote_id, ("\\Seen",))
        everything = await session.list_all(place.inbox)
        assert everything.is_full and not everything.was_reset and not everything.has_more
        assert [one.remote_id for one in everything.added] == [one.remote_id for one in window.messages]
        assert [one.flags for one in everything.added] == [(), ("\\Seen",), ()]
        assert [one.size for one in everything.added] == [one.size for one in window.messages]
        again = await session.list_changes(place.inbox, everything.cursor)
        assert is_nothing(again)
        assert again.tells_flags is everything.tells_flags is place.tells_flags

    async def test_all_of_an_empty_folder_is_nothing(self, place: Place, session: Session) -> None:
        everything = await session.list_all(place.inbox)
        assert everything.is_full and everything.added == ()
        with pytest.raises(FolderGone):
            await session.list_all(place.nowhere)

    async def test_headers_come_without_bodies(self, place: Place, session: Session) -> None:
        for number in range(3):
            await place.deliver(make_mail(number))
        window = await session.list_window(place.inbox, None)
        ids = [message.remote_id for message in window.messages]
        asked = [*ids, *place.no_ids]
        headers = {header.remote_id: header for header in await session.fetch_headers(place.inbox, asked)}
        assert set(headers) == set(ids)
        newest = headers[ids[0]]
        assert b"Subject: Letter 2" in newest.block and b"Message-ID: <letter-2@customer.test>" in newest.block
        assert b"From: Katrin Voss <katrin@customer.test>" in newest.block and b"Hello" not in newest.block
        assert newest.block.endswith(b"\r\n\r\n")
        assert newest.size == window.messages[0].size if place.tells_sizes else newest.size > 100
        assert abs(newest.received_at - datetime.now(UTC)) < timedelta(minutes=5)
        assert "\\Seen" not in (await session.list_window(place.inbox, None)).messages[0].flags
        assert list(await session.fetch_headers(place.inbox, [])) == []

    async def test_a_large_message_comes_in_pieces(self, place: Place, session: Session) -> None:
        raw = make_mail(1, body="\r\n".join("x" * 70 + str(line) for line in range(40_000)))
        await session.append(place.sent, raw)
        (listed,) = (await session.list_window(place.sent, None)).messages
        pieces: list[bytes] = []
        await session.fetch_large(place.sent, listed.remote_id, listed.size, pieces.append)
        assert b"".join(pieces) == raw and len(pieces) > 1 and max(map(len, pieces)) <= 1024 * 1024
        for gone in place.no_ids:
            with pytest.raises(MessageGone):
                await session.fetch_large(place.sent, gone, 100, pieces.append)

    async def test_a_folder_keeps_its_identity_when_it_is_renamed(self, place: Place, session: Session) -> None:
        await place.make_folder("Customers")
        before = (await by_name(session))["Customers"]
        await place.rename_folder("Customers", "Clients")
        after = await by_name(session)
        assert "Customers" not in after
        clients = after["Clients"]
        assert clients.identity == before.identity
        assert (clients.remote_name == before.remote_name) == place.names_stay
        if place.identifies:
            assert clients.identity
            assert len({folder.identity for folder in after.values()}) == len(after)
        await place.make_folder("Customers")
        again = await by_name(session)
        assert again["Clients"] == clients
        assert again["Customers"].identity != clients.identity
        await place.remove_folder("Clients")
        with pytest.raises(FolderGone):
            await session.list_all(clients.remote_name)
        assert clients.remote_name not in {folder.remote_name for folder in await session.list_folders()}

    async def test_a_message_is_found_by_its_whole_id(self, place: Place, session: Session) -> None:
        await place.deliver(make_mail(1, message_id="<a.b+c@customer.test>"))
        await place.deliver(make_mail(2, message_id="<a.b+c@customer.test.more>"))
        window = await session.list_window(place.inbox, None)
        found = await session.find_by_message_id(place.inbox, "<a.b+c@customer.test>")
        assert list(found) == [window.messages[1].remote_id]
        assert list(await session.find_by_message_id(place.inbox, "<nobody@customer.test>")) == []

    async def test_what_left_under_another_message_id_is_found_by_its_submission(
        self, place: Place, session: Session
    ) -> None:
        submission = "0198f3a2-5b7c-7def-8123-456789abcdef"
        raw = b"X-Postroom-Submission: %s\r\n" % submission.encode() + make_mail(7)
        for one in (make_mail(6), raw):
            await session.append(place.sent, one, ("\\Seen",))
        found = list(await session.find_by_message_id(place.sent, "<ours@example.test>", submission))
        if place.provider.capabilities.upload_settles_seconds is not None:
            assert found == []  # what was handed over is known by the provider's own name (find_upload)
            return
        assert [one.raw for one in await session.fetch(place.sent, found)] == [raw]
        for other in ("0198f3a2-5b7c-7def-8123-456789abcdee", "0198f3a2-5b7c", "* :", ""):
            assert list(await session.find_by_message_id(place.sent, "<ours@example.test>", other)) == []

    async def test_an_appended_message_is_in_its_folder(self, place: Place, session: Session) -> None:
        raw = make_mail(7, body="Ünlaut")
        await session.append(place.sent, raw, ("\\Seen",))
        (listed,) = (await session.list_window(place.sent, None)).messages
        assert listed.flags == (("\\Seen", "\\Draft") if place.appends_drafts else ("\\Seen",))
        assert (await session.fetch(place.sent, [listed.remote_id]))[0].raw == raw
        with pytest.raises(FolderGone):
            await session.append(place.nowhere, raw)

    async def test_a_new_numbering_resets_the_folder(self, place: Place, session: Session) -> None:
        if place.renumber is None:
            return  # this server offers no way to do it; the memory provider and the stub servers cover the rule
        await place.deliver(make_mail(1))
        window = await session.list_window(place.inbox, None)
        await place.renumber()
        changes = await session.list_changes(place.inbox, window.cursor)
        assert changes.was_reset and changes.is_full and len(changes.added) == 1
        assert list(await session.fetch(place.inbox, [window.messages[0].remote_id])) == []

    async def test_a_wrong_password_or_grant_is_refused(self, place: Place) -> None:
        with pytest.raises(place.refusal) as refused:
            await place.provider.open(place.wrong_credentials())
        assert refused.value.code == place.refusal_code
        steps = [step async for step in place.provider.check(place.wrong_credentials())]
        failed = [step for step in steps if not step.ok]
        assert failed[0].name == "sign_in" and failed[0].code == place.refusal_code
