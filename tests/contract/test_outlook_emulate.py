"""The provider "outlook" against @inbox-zero/emulate, for the little that both have: a check on our own double.

Its traps, as seen: no delta (a folder called "delta" is looked for: 404 ErrorFolderNotFound), no $value, no POST to a
folder's messages, $batch for a few fixed shapes only (400 in the part), $select and Prefer ignored, messages without
`flag`, folders without counts, no message where $filter names internetMessageId. Folders, whole messages and headers
cannot be read there; tests/fakes/microsoft has all that.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from datetime import UTC, date, datetime, timedelta

import httpx
import pytest

from postroom.providers.base import Credentials
from postroom.providers.errors import FolderGone
from postroom.providers.guard import NetworkPolicy
from postroom.providers.outlook.provider import OutlookProvider
from postroom.providers.outlook.session import OutlookSession
from tests.contract.outlook_place import GivenTokens
from tests.servers.emulate import Emulator


@pytest.fixture
def token(emulated_graph: Emulator) -> str:
    return emulated_graph.token_for(emulated_graph.person())


@pytest.fixture
def other_program(emulated_graph: Emulator, token: str) -> Iterator[httpx.Client]:
    headers = {"Authorization": f"Bearer {token}"}
    with httpx.Client(base_url=emulated_graph.endpoints.api, headers=headers) as client:
        yield client


@pytest.fixture
def provider(emulated_graph: Emulator) -> OutlookProvider:
    return OutlookProvider(NetworkPolicy(), endpoints=emulated_graph.endpoints)


@pytest.fixture
async def session(provider: OutlookProvider, token: str) -> AsyncIterator[OutlookSession]:
    session = await provider.open(Credentials("somebody@example.test", {}, GivenTokens(token)))
    yield session
    await session.close()


async def listed(session: OutlookSession, folder: str) -> list[str]:
    """All of a folder, by the one way to list that the emulator has."""
    window = await session.list_window(folder, None, (datetime.now(UTC) + timedelta(days=2)).date())
    return [one.remote_id for one in window.messages]


async def test_messages_of_some_days_are_listed(session: OutlookSession, other_program: httpx.Client) -> None:
    held = other_program.get("/me/mailFolders/inbox/messages").json()["value"]
    newest_first = sorted(held, key=lambda one: one["receivedDateTime"], reverse=True)
    assert len(held) > 1 and await listed(session, "inbox") == [one["id"] for one in newest_first]
    assert (await session.list_window("inbox", None, date(2020, 1, 1))).messages == ()
    with pytest.raises(FolderGone):
        await session.list_window("nowhere", None, date(2020, 1, 1))


async def test_a_message_keeps_its_id_when_it_is_moved(session: OutlookSession, other_program: httpx.Client) -> None:
    moved, *_ = await listed(session, "inbox")
    before = await listed(session, "archive")
    other_program.post(f"/me/messages/{moved}/move", json={"destinationId": "archive"}).raise_for_status()
    assert moved not in await listed(session, "inbox")
    assert set(await listed(session, "archive")) == {*before, moved}


async def test_a_check_gets_as_far_as_the_emulator_does(provider: OutlookProvider, token: str) -> None:
    credentials = Credentials("somebody@example.test", {}, GivenTokens(token))
    steps = [(step.name, step.ok) async for step in provider.check(credentials)]
    assert steps == [("reach", True), ("sign_in", True), ("mailbox", True), ("folders", False)]
