"""What every provider must do when nothing happens, and until something does: waits and polls."""

from __future__ import annotations

import asyncio

import pytest

from postroom.providers.base import Session
from tests.contract.provider_place import Place, is_nothing, make_mail, settled


class WaitingContract:
    """Part of provider_contract.ProviderContract, which has the fixture `session`."""

    async def test_wait_ends_when_mail_arrives(self, place: Place, session: Session) -> None:
        await session.list_window(place.inbox, None)
        waiting = asyncio.create_task(session.wait(place.inbox, 20.0))
        await asyncio.sleep(0.3)
        assert not waiting.done()
        await place.deliver(make_mail(1))
        changed = await asyncio.wait_for(waiting, 15.0)
        assert changed == {place.inbox}

    async def test_wait_ends_when_the_time_is_over(self, place: Place, session: Session) -> None:
        await session.list_window(place.inbox, None)
        assert await session.wait(place.inbox, 0.3) == frozenset()

    async def test_mail_that_came_while_another_folder_was_open_ends_the_wait_at_once(
        self, place: Place, session: Session
    ) -> None:
        await session.list_window(place.inbox, None)
        await session.list_window(place.sent, None)
        await place.deliver(make_mail(1))
        assert place.inbox in await session.wait(place.inbox, 5.0)

    async def test_a_session_goes_on_after_a_cancelled_wait(self, place: Place, session: Session) -> None:
        await session.list_window(place.inbox, None)
        waiting = asyncio.create_task(session.wait(place.inbox, 20.0))
        await asyncio.sleep(0.3)
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting
        await place.deliver(make_mail(1))
        assert len((await session.list_window(place.inbox, None)).messages) == 1

    async def test_listing_and_fetching_do_not_wake_the_next_wait(self, place: Place, session: Session) -> None:
        await place.deliver(make_mail(1))
        window = await session.list_window(place.inbox, None)
        changes = await session.list_changes(place.inbox, window.cursor)
        await session.fetch(place.inbox, [message.remote_id for message in window.messages])
        assert is_nothing(changes)
        assert await session.wait(place.inbox, 0.5) == frozenset()

    async def test_a_poll_names_the_folders_that_changed(self, place: Place, session: Session) -> None:
        cursors = {
            name: (await session.list_all(name)).cursor for name in (place.sent, place.trash, place.inbox, place.junk)
        }
        assert await session.poll(cursors) == frozenset()
        await session.append(place.sent, make_mail(1))
        await place.deliver(make_mail(2))
        assert await session.poll(cursors) == {place.sent, place.inbox}
        for name in (place.sent, place.inbox):
            cursors[name] = (await session.list_changes(name, cursors[name])).cursor
        assert await session.poll(cursors) == frozenset()
        assert await session.poll({place.inbox: cursors[place.inbox]}) == frozenset()

    async def test_a_poll_by_a_new_session_knows_what_happened_meanwhile(self, place: Place, session: Session) -> None:
        await place.deliver(make_mail(1))
        everything = await session.list_all(place.inbox)
        marked = everything.added[0].remote_id
        cursors = {
            place.inbox: everything.cursor,
            place.sent: (await session.list_all(place.sent)).cursor,
            place.nowhere: everything.cursor,
        }
        await place.set_flags(marked, ("\\Seen",))
        other = await place.provider.open(place.credentials)
        assert await other.poll(cursors) == {place.inbox, place.nowhere}  # what is gone says so when it is listed
        changes = settled(place, await other.list_changes(place.inbox, everything.cursor), {marked})
        assert [(one.remote_id, one.flags) for one in changes.flagged] == [(marked, ("\\Seen",))]
        cursors = {place.inbox: changes.cursor, place.sent: cursors[place.sent]}
        assert await other.poll(cursors) == frozenset()
        await place.remove(marked)
        assert await other.poll(cursors) == ({place.inbox} if place.tells_where_removed else {place.inbox, place.sent})
        await other.close()

    async def test_a_poll_takes_any_cursor(self, place: Place, session: Session) -> None:
        assert await session.poll({place.inbox: "nonsense"}) == {place.inbox}
        assert await session.poll({}) == frozenset()

    async def test_a_change_elsewhere_is_told_once_by_wait_and_by_polls_until_it_is_listed(
        self, place: Place, session: Session
    ) -> None:
        if not place.pushes_others:
            return
        cursors = {name: (await session.list_all(name)).cursor for name in (place.sent, place.inbox)}
        waiting = asyncio.create_task(session.wait(place.inbox, 20.0))
        await asyncio.sleep(0.3)
        other = await place.provider.open(place.credentials)
        await other.append(place.sent, make_mail(1))
        await other.close()
        changed = await asyncio.wait_for(waiting, 15.0)
        assert changed == {place.sent}
        assert await session.wait(place.inbox, 0.5) == frozenset()
        assert await session.poll(cursors) == {place.sent}
        cursors[place.sent] = (await session.list_changes(place.sent, cursors[place.sent])).cursor
        assert await session.poll(cursors) == frozenset()
        assert await session.wait(place.inbox, 0.5) == frozenset()

    async def test_a_change_ends_one_wait_and_is_polled_until_listed(self, place: Place, session: Session) -> None:
        cursor = (await session.list_all(place.inbox)).cursor
        await place.deliver(make_mail(1))
        assert await session.wait(place.inbox, 10.0) == {place.inbox}
        assert await session.wait(place.inbox, 0.3) == frozenset()
        assert await session.poll({place.inbox: cursor}) == {place.inbox}
        await place.deliver(make_mail(2))
        assert await session.wait(place.inbox, 10.0) == {place.inbox}
        changes = settled(place, await session.list_changes(place.inbox, cursor))
        assert len(changes.added) == 2
        assert await session.poll({place.inbox: changes.cursor}) == frozenset()
        assert await session.wait(place.inbox, 0.3) == frozenset()

    async def test_a_cancelled_wait_loses_no_change(self, place: Place, session: Session) -> None:
        cursor = (await session.list_all(place.inbox)).cursor
        for _ in range(3):
            waiting = asyncio.create_task(session.wait(place.inbox, 20.0))
            await asyncio.sleep(0)
            waiting.cancel()
            with pytest.raises(asyncio.CancelledError):
                await waiting
        await place.deliver(make_mail(1))
        assert await session.wait(place.inbox, 10.0) == {place.inbox}
        assert len(settled(place, await session.list_changes(place.inbox, cursor)).added) == 1
