"""Requests to providers: how long one is waited for, and which are made again."""

from __future__ import annotations

import pytest

from postroom.providers import http
from postroom.providers.errors import ProviderError, Throttled, Unreachable
from postroom.providers.guard import NetworkPolicy
from postroom.providers.http import HttpClient, again
from tests.fakes.google import FakeGoogle


async def test_a_long_answer_is_waited_for_and_a_connection_is_not() -> None:
    client = HttpClient(NetworkPolicy())
    with FakeGoogle() as google:
        async with client.stream("GET", google.endpoints.keys, timeout_seconds=300.0) as response:
            assert response.request.extensions["timeout"] == {
                "connect": 10.0,
                "read": 300.0,
                "write": 300.0,
                "pool": 30.0,
            }
        async with client.stream("GET", google.endpoints.keys, timeout_seconds=5.0) as response:
            assert set(response.request.extensions["timeout"].values()) == {5.0}
        await client.close()


@pytest.mark.parametrize(
    ("error", "tries"),
    [
        (Unreachable("connection_lost"), 3),
        (Unreachable("server_unavailable"), 3),
        (Unreachable("server_unavailable", retry_after_seconds=5.0), 1),
        (Unreachable("timed_out"), 1),
        (Unreachable("unreachable"), 1),
        (Throttled(), 1),
    ],
)
async def test_only_what_passes_and_fails_fast_is_tried_again(
    error: ProviderError, tries: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(http, "PAUSES_SECONDS", (0.0, 0.0))
    asked = []

    async def ask() -> None:
        asked.append(1)
        raise error

    with pytest.raises(type(error)):
        await again(ask)
    assert len(asked) == tries
