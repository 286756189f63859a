"""Fault 27: pushes that are lost, repeated, out of order, forged, or come by the hundred, at a session that works."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, suppress
from datetime import timedelta
from typing import Any

import httpx
import psycopg
import pytest
from django.utils import timezone

from postroom.correspondence.models import Message
from postroom.engine.joints import joints
from postroom.engine.mailbox_session import MailboxSession, World
from postroom.engine.stores import StoreThreads
from postroom.mailboxes.connect import ConnectRequest, store_mailbox
from postroom.mailboxes.health import MailboxHealth
from postroom.mailboxes.models import Grant, Keep, Mailbox
from postroom.mailboxes.watches import keep_watches, living_watches, push_address
from postroom.providers import registry
from postroom.providers.gmail.provider import GmailProvider
from postroom.workspaces.database import connection_parameters, in_thread
from postroom.workspaces.events import ARRIVED
from tests.cast import make_cast
from tests.fakes.google import FakeGoogle
from tests.fakes.google.pubsub import PushSubscription, envelope, push_token
from tests.integration.google_place import LOOPBACK, letter
from tests.integration.push_place import listening, web_process

ADA, TOPIC = "ada@gmail.test", "projects/postroom-test/topics/gmail"
NEVER_SECONDS = 3_600.0  # a session that polls so seldom sees new mail by pushes alone
FLOOR_SECONDS = 300.0  # what a lost push may cost at most


@pytest.fixture
def google(monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeGoogle]:
    with FakeGoogle() as google:
        monkeypatch.setenv("POSTROOM_GOOGLE_CLIENT_ID", google.client_id)
        monkeypatch.setenv("POSTROOM_GOOGLE_PUSH_TOPIC", TOPIC)
        yield google


@pytest.fixture
def mailbox(transactional_db: None, google: FakeGoogle) -> Mailbox:
    secrets = {"oauth": {"access_token": google.token_for(ADA), "refresh_token": "none"}}
    request = ConnectRequest("gmail", ADA, "personal", keep=Keep.EVERYTHING, secrets=secrets, sign_in_user=ADA)
    mailbox = store_mailbox(make_cast().alice, request)
    Grant.objects.filter(mailbox=mailbox).update(app="gmail", expires_at=timezone.now() + timedelta(days=1))
    return mailbox


@pytest.fixture
def web(settings: Any, mailbox: Mailbox) -> Iterator[str]:
    with web_process(settings) as url:
        yield url


@asynccontextmanager
async def watched_session(mailbox: Mailbox) -> AsyncIterator[None]:
    """The mailbox's session as a worker runs it, when it has looked at everything and Google watches."""
    stores = StoreThreads(joints().store)
    session = MailboxSession(World(stores, MailboxHealth()), mailbox.pk, 0)
    running = [asyncio.create_task(session.run()), asyncio.create_task(listen(session))]
    try:
        await until(lambda: Mailbox.objects.filter(pk=mailbox.pk).exclude(last_synced_at=None).exists())
        await keep_watches()
        await until(lambda: living_watches(timezone.now()).filter(mailbox=mailbox).exists())
        yield
    finally:
        for task in running:
            task.cancel()
        for task in running:
            with suppress(asyncio.CancelledError):
                await task
        stores.close()


async def listen(session: MailboxSession) -> None:
    connection = await psycopg.AsyncConnection.connect(**connection_parameters(), autocommit=True)
    async with connection:
        await connection.execute(f"LISTEN {ARRIVED}")
        async for _ in connection.notifies():
            session.tell_arrived()


async def until(is_so: Callable[[], bool], seconds: float = 30.0) -> float:
    """Seconds until the database says so."""
    started = time.monotonic()
    while not await in_thread(is_so):
        assert time.monotonic() - started < seconds, "it never came"
        await asyncio.sleep(0.02)
    return time.monotonic() - started


def stored(*names: str) -> Callable[[], bool]:
    wanted = {f"<{name}@x>" for name in names}
    return lambda: set(Message.objects.values_list("internet_message_id", flat=True)) == wanted


def looks(google: FakeGoogle) -> int:
    """How often the session asked what changed."""
    with google.lock:
        return [one.name for one in google.requests].count("history.list")


def subscribed(google: FakeGoogle) -> PushSubscription:
    address = push_address("gmail")
    subscription = PushSubscription(TOPIC, address, address, issuer=google.url)
    google.pubsub.subscribe(subscription)
    return subscription


def poll_every(monkeypatch: pytest.MonkeyPatch, google: FakeGoogle, seconds: float) -> None:
    provider = GmailProvider(LOOPBACK, endpoints=google.endpoints, poll_seconds=seconds)
    monkeypatch.setitem(registry.PROVIDERS, "gmail", provider)


async def test_pushed_mail_is_stored_once_though_pushes_repeat(
    google: FakeGoogle, mailbox: Mailbox, web: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    poll_every(monkeypatch, google, NEVER_SECONDS)
    google.pubsub.repeats = 3
    async with watched_session(mailbox):
        subscribed(google)
        google.mailbox(ADA).deliver(letter("one", "carol@customer.test", ADA))
        await until(stored("one"))
        google.mailbox(ADA).deliver(letter("two", "carol@customer.test", ADA))
        await until(stored("one", "two"))


async def test_lost_pushes_are_made_good_by_the_poll(
    google: FakeGoogle, mailbox: Mailbox, web: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    poll_every(monkeypatch, google, 0.2)
    google.pubsub.loses = True
    async with watched_session(mailbox):
        subscribed(google)
        google.mailbox(ADA).deliver(letter("one", "carol@customer.test", ADA))
        assert await until(stored("one")) < FLOOR_SECONDS
    assert google.pubsub.answers == []


async def test_hundreds_of_pushes_are_a_look_a_second_one_after_the_other(
    google: FakeGoogle, mailbox: Mailbox, web: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    poll_every(monkeypatch, google, NEVER_SECONDS)
    with listening() as wakes:
        async with watched_session(mailbox):
            await asyncio.sleep(0.5)
            wakes.heard(seconds=0.1)
            before, started = looks(google), time.monotonic()
            token = push_token(PushSubscription(TOPIC, "", push_address("gmail"), issuer=google.url))
            body = envelope({"emailAddress": ADA, "historyId": 1})  # of long ago: the number is not looked at
            async with httpx.AsyncClient(headers={"Authorization": f"Bearer {token}"}) as client:
                for number in range(300):
                    if number == 200:
                        google.mailbox(ADA).deliver(letter("one", "carol@customer.test", ADA))
                    assert (await client.post(push_address("gmail"), json=body)).status_code == 202
            await until(stored("one"))
            await asyncio.sleep(1.5)
            heard, seconds = len(wakes.heard()), time.monotonic() - started
            assert 2 <= heard <= seconds + 3
            assert looks(google) - before <= 2 * heard + 2  # once to see that there is news, once to read it


async def test_forged_pushes_make_nobody_look(
    google: FakeGoogle, mailbox: Mailbox, web: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    poll_every(monkeypatch, google, NEVER_SECONDS)
    async with watched_session(mailbox):
        await asyncio.sleep(0.5)
        before = looks(google)
        forged = push_token(PushSubscription(TOPIC, "", push_address("gmail"), issuer="https://evil.example"))
        body = envelope({"emailAddress": ADA, "historyId": 1})
        async with httpx.AsyncClient(headers={"Authorization": f"Bearer {forged}"}) as client:
            for _ in range(20):
                assert (await client.post(push_address("gmail"), json=body)).status_code == 202
        await asyncio.sleep(0.5)
        assert looks(google) == before
