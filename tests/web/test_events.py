"""/events: who may listen, and that a NOTIFY arrives."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any
from uuid import uuid4

import psycopg
import pytest
from django.core import signing
from django.test import Client

from postroom.records.models import Contact
from postroom.web.events.hub import DRAWING_SECONDS, REMEMBERED_SECONDS, Hub
from postroom.web.events.stream import EventStreams
from postroom.web.events.topics import read_token, stream_url
from tests.cast import Cast


class Browser:
    """One request to the streams: what was sent to it, and a way to hang up."""

    def __init__(self, url: str) -> None:
        path, _, query = url.partition("?")
        self.scope = {"type": "http", "method": "GET", "path": path, "query_string": query.encode()}
        self.status = 0
        self.text = ""
        self.changed = asyncio.Event()
        self.gone = asyncio.Event()

    async def receive(self) -> dict[str, Any]:
        await self.gone.wait()
        return {"type": "http.disconnect"}

    async def send(self, message: Any) -> None:
        self.status = message.get("status", self.status)
        self.text += message.get("body", b"").decode()
        self.changed.set()

    async def wait_for(self, words: str) -> None:
        async with asyncio.timeout(10):
            while words not in self.text:
                await self.changed.wait()
                self.changed.clear()


async def not_ours(scope: Any, receive: Callable[[], Awaitable[Any]], send: Any) -> None:
    await send({"type": "http.response.start", "status": 418})


@pytest.fixture
async def events(database_url: str) -> Any:
    hub = Hub()
    yield EventStreams(not_ours, hub)
    await hub.close()


async def test_a_notification_arrives_at_those_who_listen_to_its_topic(
    database_url: str, cast: Cast, events: EventStreams
) -> None:
    topic = f"record:{uuid4()}"
    ours, other = Browser(stream_url(cast.alice, [topic])), Browser(stream_url(cast.alice, ["record:other"]))
    running = [asyncio.create_task(events(one.scope, one.receive, one.send)) for one in (ours, other)]
    await ours.wait_for(f'"{topic}"')  # told once when listening begins: something may have been missed
    before = ours.text.count("event: changed")
    async with await psycopg.AsyncConnection.connect(database_url, autocommit=True) as connection:
        await connection.execute("SELECT pg_notify('postroom_events', %s)", [topic])
        while ours.text.count("event: changed") == before:
            await asyncio.sleep(0.01)
    assert topic not in other.text
    for one in (ours, other):
        one.gone.set()
    async with asyncio.timeout(5):
        await asyncio.gather(*running)
    assert not events._hub._waiters


async def test_what_changed_while_the_page_was_on_its_way_is_told_when_it_listens(
    database_url: str, cast: Cast, events: EventStreams
) -> None:
    """A new contact's history comes within half a second, often before its page has loaded its scripts."""
    topic, quiet = f"record:{uuid4()}", f"record:{uuid4()}"
    early, late = Browser(stream_url(cast.alice, ["record:other"])), Browser(stream_url(cast.alice, [topic, quiet]))
    running = [asyncio.create_task(events(early.scope, early.receive, early.send))]
    await early.wait_for("record:other")  # listening
    async with await psycopg.AsyncConnection.connect(database_url, autocommit=True) as connection:
        await connection.execute("SELECT pg_notify('postroom_events', %s)", [topic])
        await connection.execute("SELECT pg_notify('postroom_events', 'record:other')")
    while early.text.count("record:other") == 1:
        await asyncio.sleep(0.01)
    running.append(asyncio.create_task(events(late.scope, late.receive, late.send)))
    await late.wait_for(f'"{topic}"')
    assert quiet not in late.text
    for one in (early, late):
        one.gone.set()
    async with asyncio.timeout(5):
        await asyncio.gather(*running)


def test_old_changes_are_forgotten() -> None:
    hub = Hub()
    hub._remember("record:x")
    assert hub._heard.keys() == {"record:x"}
    hub._heard["record:x"] -= DRAWING_SECONDS + REMEMBERED_SECONDS
    hub._remember("record:y")
    assert hub._heard.keys() == {"record:y"}, "forgotten"


async def test_closing_ends_open_streams(cast: Cast, events: EventStreams) -> None:
    browser = Browser(stream_url(cast.alice, ["record:x"]))
    running = asyncio.create_task(events(browser.scope, browser.receive, browser.send))
    await browser.wait_for("retry: 500")
    await events.close()
    async with asyncio.timeout(5):
        await running


@pytest.mark.parametrize("url", ["/events", "/events?token=", "/events?token=nonsense", "/events?token=a:b:c"])
async def test_a_stream_takes_a_signed_token(url: str, events: EventStreams) -> None:
    browser = Browser(url)
    await events(browser.scope, browser.receive, browser.send)
    assert browser.status == 403


async def test_every_other_address_is_the_applications(events: EventStreams) -> None:
    browser = Browser("/contacts/")
    await events(browser.scope, browser.receive, browser.send)
    assert browser.status == 418


def test_a_token_of_another_purpose_is_refused() -> None:
    assert read_token(signing.dumps({"topics": ["record:x"]}, salt="other")) is None


def test_a_page_listens_to_its_own_record(alice: Client, katrin: Contact) -> None:
    html = alice.get(f"/contacts/{katrin.pk}/emails/").content.decode()
    assert 'data-events="/events?token=' in html and f'data-topic="record:{katrin.pk}"' in html
