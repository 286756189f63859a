"""The provider "gmail" against the fake Google, which speaks the Gmail API over real HTTP."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.contract.gmail_place import GmailPlace
from tests.contract.provider_contract import ProviderContract
from tests.fakes.google import FakeGoogle


@pytest.fixture(scope="module")
def shared_google() -> Iterator[FakeGoogle]:
    with FakeGoogle() as google:
        yield google


class TestGmail(ProviderContract):
    @pytest.fixture
    def place(self, shared_google: FakeGoogle) -> GmailPlace:
        return GmailPlace(shared_google)


class TestGmailThatTellsNoLabels(ProviderContract):
    """Google does not promise that history tells what a message wears."""

    @pytest.fixture
    def place(self, shared_google: FakeGoogle) -> Iterator[GmailPlace]:
        shared_google.faults.history_tells_labels = False
        place = GmailPlace(shared_google)
        place.tells_where_removed = False
        yield place
        shared_google.faults.history_tells_labels = True
