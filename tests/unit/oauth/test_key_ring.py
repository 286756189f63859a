"""A provider's keys: read seldom, and not forgotten when the provider cannot tell them."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from postroom.providers import key_ring
from postroom.providers.guard import NetworkPolicy
from postroom.providers.http import HttpClient
from postroom.providers.key_ring import KeyRing
from tests.fakes.google import FakeGoogle
from tests.fakes.google.pubsub import PushSubscription, push_token

TOKEN = PushSubscription("projects/p/topics/t", "https://here.example/push/gmail/", "https://here.example/push/gmail/")


@pytest.fixture
async def http() -> AsyncIterator[HttpClient]:
    http = HttpClient(NetworkPolicy())
    yield http
    await http.close()


async def test_keys_are_kept_when_the_provider_answers_with_none(
    http: HttpClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    with FakeGoogle() as google:
        ring = KeyRing(http, google.endpoints.keys)
        assert await ring.claims(push_token(TOKEN)) is not None
        monkeypatch.setattr(key_ring, "KEPT_SECONDS", -1.0)
        ring._url = f"{google.url}/nothing/here"
        assert await ring.claims(push_token(TOKEN)) is not None


async def test_without_keys_nobody_s_token_is_a_reason_to_ask_again_at_once(http: HttpClient) -> None:
    with FakeGoogle() as google:
        ring = KeyRing(http, f"{google.url}/nothing/here")
        assert await ring.claims(push_token(TOKEN)) is None
        ring._url = google.endpoints.keys
        assert await ring.claims(push_token(TOKEN)) is None, "not yet"
        ring._asked_at -= key_ring.PATIENCE_SECONDS + 1
        assert await ring.claims(push_token(TOKEN)) is not None
