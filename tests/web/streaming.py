"""Reading what a page with script is told line by line."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from typing import Any

import pytest
from asgiref.sync import sync_to_async
from django.db import connections
from django.test import AsyncClient, Client


@pytest.fixture
async def closed_threads() -> AsyncIterator[None]:
    """Django's thread for sync code keeps its database connection, which would hold up the end of the run."""
    yield
    await sync_to_async(connections.close_all)()


async def stream(signed_in: Client, path: str, typed: dict[str, str]) -> list[dict[str, Any]]:
    """The lines that a browser which is signed in gets for what was typed."""
    client = AsyncClient()
    client.cookies = signed_in.cookies
    response = await client.post(path, typed, headers={"Postroom-Stream": "1"})
    content = b"".join([chunk async for chunk in response.streaming_content])  # type: ignore[union-attr]
    return [json.loads(line) for line in content.splitlines()]
