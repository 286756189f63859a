"""Google and Microsoft on loopback, with an app of Alice's workspace at each."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from asgiref.sync import async_to_sync

from postroom.mailboxes.oauth_apps import TypedApp, save_app
from postroom.providers import registry
from postroom.providers.gmail.provider import GmailProvider
from postroom.providers.guard import NetworkPolicy
from postroom.providers.outlook.provider import OutlookProvider
from tests.cast import Cast
from tests.fakes.environment import endpoint_variables
from tests.fakes.google import FakeGoogle
from tests.fakes.microsoft import FakeMicrosoft


@pytest.fixture
def google(monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeGoogle]:
    """A Google that Postroom takes for the real one; no workspace has an app there yet."""
    with FakeGoogle() as google:
        for name, value in endpoint_variables("GOOGLE", google.endpoints).items():
            monkeypatch.setenv(name, value)
        policy = NetworkPolicy.from_environment({"POSTROOM_ALLOWED_NETWORKS": "127.0.0.0/8"})
        monkeypatch.setitem(registry.PROVIDERS, "gmail", GmailProvider(policy, endpoints=google.endpoints))
        monkeypatch.setenv("POSTROOM_ALLOWED_NETWORKS", "127.0.0.0/8")
        yield google


@pytest.fixture
def microsoft(monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeMicrosoft]:
    """A Microsoft, likewise."""
    with FakeMicrosoft() as microsoft:
        for name, value in endpoint_variables("MICROSOFT", microsoft.endpoints).items():
            monkeypatch.setenv(name, value)
        policy = NetworkPolicy.from_environment({"POSTROOM_ALLOWED_NETWORKS": "127.0.0.0/8"})
        monkeypatch.setitem(registry.PROVIDERS, "outlook", OutlookProvider(policy, endpoints=microsoft.endpoints))
        monkeypatch.setenv("POSTROOM_ALLOWED_NETWORKS", "127.0.0.0/8")
        yield microsoft


@pytest.fixture
def google_app(cast: Cast, google: FakeGoogle) -> FakeGoogle:
    """The same with Alice's app."""
    async_to_sync(save_app)(cast.alice, "gmail", TypedApp(google.client_id, google.client_secret))
    return google


@pytest.fixture
def microsoft_app(cast: Cast, microsoft: FakeMicrosoft) -> FakeMicrosoft:
    """The same with Alice's app."""
    async_to_sync(save_app)(cast.alice, "outlook", TypedApp(microsoft.client_id, microsoft.client_secret))
    return microsoft
