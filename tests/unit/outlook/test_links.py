"""Only links of the API itself are followed: any other would carry the access token to a stranger."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import date
from typing import Any

import pytest

from postroom.providers.base import Credentials
from postroom.providers.errors import ProtocolViolation
from postroom.providers.guard import NetworkPolicy
from postroom.providers.outlook.graph import Graph
from postroom.providers.outlook.oauth import OUTLOOK
from postroom.providers.outlook.provider import OutlookProvider
from postroom.providers.outlook.switchboard import Switchboard
from tests.contract.outlook_place import GivenTokens
from tests.fakes.microsoft.server import FakeMicrosoft
from tests.fakes.served import Answer, Request, Served, json_answer


async def graph() -> Graph:
    credentials = Credentials("sales@example.test", {}, GivenTokens("t"))
    return Graph(Switchboard(NetworkPolicy()), OUTLOOK.endpoints.api, credentials)


@pytest.mark.parametrize(
    ("link", "path"),
    [
        (
            "https://graph.microsoft.com/v1.0/me/mailFolders('A=')/messages/delta?$deltatoken=a%2Fb",
            "/me/mailFolders('A=')/messages/delta?$deltatoken=a%2Fb",
        ),
        ("https://GRAPH.microsoft.com:443/v1.0/me", "/me"),
    ],
)
async def test_a_link_of_the_api_is_followed_as_it_is(link: str, path: str) -> None:
    assert (await graph()).path_of(link) == path


@pytest.mark.parametrize(
    "link",
    [
        "",
        "/v1.0/me",
        "http://graph.microsoft.com/v1.0/me",
        "https://graph.microsoft.com.evil.test/v1.0/me",
        "https://graph.microsoft.com@evil.test/v1.0/me",
        "https://evil.test@graph.microsoft.com/v1.0/me",
        "https://graph.microsoft.com:8443/v1.0/me",
        "https://graph.microsoft.com:x/v1.0/me",
        "https://graph.microsoft.com/beta/me",
        "https://graph.microsoft.com/v1.0",
        "https://[graph.microsoft.com/v1.0/me",
        "//graph.microsoft.com/v1.0/me",
    ],
)
async def test_any_other_is_refused(link: str) -> None:
    with pytest.raises(ProtocolViolation):
        (await graph()).path_of(link)


class OddGraph(Served):
    """A server whose every delta page has these links."""

    def __init__(self, **links: str) -> None:
        super().__init__()
        self.links = links
        self.paths: list[str] = []

    async def answer(self, request: Request) -> Answer:
        self.paths.append(request.path)
        links = {f"@odata.{name}": value.replace("{url}", self.url) for name, value in self.links.items()}
        body: dict[str, Any] = {"id": "inbox", "value": [], **links}
        return json_answer(200, body)


@pytest.fixture
def stranger() -> Iterator[OddGraph]:
    with OddGraph() as stranger:
        yield stranger


async def _list(odd: OddGraph, microsoft: FakeMicrosoft) -> None:
    endpoints = replace(microsoft.endpoints, api=f"{odd.url}/v1.0")
    provider = OutlookProvider(NetworkPolicy(), endpoints=endpoints)
    session = await provider.open(Credentials("sales@example.test", {}, GivenTokens("secret")))
    try:
        with pytest.raises(ProtocolViolation):
            await session.list_all("inbox")
        with pytest.raises(ProtocolViolation):
            await session.list_folders()
        if odd.links.get("nextLink"):
            with pytest.raises(ProtocolViolation):
                await session.list_window("inbox", None, date(2026, 11, 23))
    finally:
        await session.close()


@pytest.mark.parametrize("name", ["nextLink", "deltaLink"])
async def test_a_page_that_leads_to_a_stranger_is_left_there(
    microsoft: FakeMicrosoft, stranger: OddGraph, name: str
) -> None:
    with OddGraph(**{name: f"{stranger.url}/v1.0/me/steal"}) as odd:
        await _list(odd, microsoft)
    assert stranger.paths == []


async def test_pages_in_a_circle_and_pages_without_an_end_are_left(microsoft: FakeMicrosoft) -> None:
    with OddGraph(nextLink="{url}/v1.0/me/again") as odd:
        await _list(odd, microsoft)
        assert odd.paths.count("/v1.0/me/again") == 3
    with OddGraph() as odd:
        await _list(odd, microsoft)
