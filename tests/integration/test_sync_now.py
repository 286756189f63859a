"""A session that is woken by "Sync now" looks at all that somebody may have changed at the provider meanwhile."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterator
from contextlib import suppress

import pytest

from postroom.engine.joints import joints
from postroom.engine.mailbox_session import MailboxSession, World
from postroom.engine.stores import StoreThreads
from postroom.mailboxes.health import MailboxHealth
from postroom.mailboxes.models import Identity, Mailbox
from postroom.workspaces.database import in_thread
from tests.cast import make_cast
from tests.fakes.google import FakeGoogle
from tests.integration.google_place import GooglePlace, google_registered


@pytest.fixture
def google(transactional_db: None) -> Iterator[FakeGoogle]:
    with google_registered() as google:
        yield google


async def until(is_so: Callable[[], bool]) -> None:
    started = time.monotonic()
    while not await in_thread(is_so):
        assert time.monotonic() - started < 10, "it never came"
        await asyncio.sleep(0.05)


async def test_an_alias_that_was_made_meanwhile_can_be_chosen_after_sync_now(google: FakeGoogle) -> None:
    place = await in_thread(lambda: GooglePlace(google, make_cast().alice))
    stores = StoreThreads(joints().store)
    session = MailboxSession(World(stores, MailboxHealth()), place.mailbox.pk, 0)
    running = asyncio.create_task(session.run())
    try:
        await until(lambda: Mailbox.objects.exclude(identities_listed_at=None).exists())
        place.remote.add_send_as("offers@tidewater.test", "Offers")
        session.wake()
        await until(lambda: Identity.objects.filter(address="offers@tidewater.test").exists())
    finally:
        running.cancel()
        with suppress(asyncio.CancelledError):
            await running
        stores.close()
