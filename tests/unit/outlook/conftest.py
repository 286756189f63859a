"""A fake Microsoft for all tests of a file; each test has a mailbox of its own in it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator

import pytest

from postroom.providers.outlook.session import OutlookSession
from tests.contract.outlook_place import OutlookPlace
from tests.fakes.microsoft.faults import Faults
from tests.fakes.microsoft.server import FakeMicrosoft


@pytest.fixture(scope="module")
def server() -> Iterator[FakeMicrosoft]:
    with FakeMicrosoft() as server:
        yield server


@pytest.fixture
def microsoft(server: FakeMicrosoft) -> FakeMicrosoft:
    """The server, with nothing wrong."""
    server.faults = Faults(server)
    return server


@pytest.fixture
def place(microsoft: FakeMicrosoft) -> OutlookPlace:
    return OutlookPlace(microsoft, page_items=3)


@pytest.fixture
async def session(place: OutlookPlace) -> AsyncIterator[OutlookSession]:
    session = await place.provider.open(place.credentials)
    place.forget_heard()
    yield session
    await session.close()
