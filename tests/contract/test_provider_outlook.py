"""The provider "outlook" against the fake Microsoft, which speaks Graph over real HTTP."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.contract.outlook_place import OutlookPlace
from tests.contract.provider_contract import ProviderContract
from tests.fakes.microsoft.server import FakeMicrosoft


@pytest.fixture(scope="module")
def microsoft() -> Iterator[FakeMicrosoft]:
    with FakeMicrosoft() as microsoft:
        yield microsoft


class TestOutlook(ProviderContract):
    @pytest.fixture
    def place(self, microsoft: FakeMicrosoft) -> OutlookPlace:
        return OutlookPlace(microsoft)


class TestSharedMailbox(ProviderContract):
    @pytest.fixture
    def place(self, microsoft: FakeMicrosoft) -> OutlookPlace:
        return OutlookPlace(microsoft, is_shared=True)
