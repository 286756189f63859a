"""A check that passes with a warning: nothing is saved before somebody says so. And which user name is stored."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest
from asgiref.sync import async_to_sync

from postroom.mailboxes.connect import ConnectRequest
from postroom.mailboxes.credentials import load_credentials
from postroom.mailboxes.models import Mailbox
from postroom.providers import registry
from postroom.providers.base import CheckStep, Credentials
from postroom.providers.memory.provider import MemoryProvider
from postroom.web import checking
from tests.cast import Cast

ADDRESS = "sales@tidewater.example"
SERVER = {"host": "mail.tidewater.example", "port": 993, "security": "tls", "username": ADDRESS, "password": "x"}


class WarningProvider(MemoryProvider):
    """Lets everybody in by the part before the @, and warns about it."""

    name = "memory"

    async def check(self, credentials: Credentials) -> AsyncIterator[CheckStep]:
        assert credentials.other_usernames == ("sales",)
        facts: dict[str, object] = {"username": "sales", "other": "billing", "address": ADDRESS}
        yield CheckStep("imap", "sign_in", True, 0.1, "sales", facts={"username": "sales"})
        yield CheckStep("smtp", "sign_in", True, 0.1, "sales", "two_accounts", facts=facts)


@pytest.fixture
def warns(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setitem(registry.PROVIDERS, "memory", WarningProvider())
    yield


def check(cast: Cast, *accepted: str) -> list[dict[str, Any]]:
    secrets = {"imap": dict(SERVER), "smtp": dict(SERVER)}
    request = ConnectRequest(provider="memory", address=ADDRESS, kind="shared", secrets=secrets)

    async def all_lines() -> list[bytes]:
        return [line async for line in checking.lines(cast.alice, request, None, frozenset(accepted))]

    return [json.loads(line) for line in async_to_sync(all_lines)()]


def test_a_warning_is_shown_with_a_button_and_nothing_is_saved(cast: Cast, warns: None) -> None:
    last = check(cast)[-1]
    assert last["over"] and "belong to two accounts" in last["html"]
    assert 'name="accepted" value="two_accounts"' in last["html"] and "Connect anyway" in last["html"]
    assert not Mailbox.objects.exists()


def test_another_warning_than_the_accepted_one_stops_too(cast: Cast, warns: None) -> None:
    assert "Connect anyway" in check(cast, "not_encrypted")[-1]["html"]


def test_what_was_accepted_is_saved_with_the_user_names_that_worked(cast: Cast, warns: None) -> None:
    assert check(cast, "two_accounts")[-1]["location"]
    secrets = load_credentials(Mailbox.objects.get(address=ADDRESS)).secrets
    assert [secrets[server]["username"] for server in ("imap", "smtp")] == ["sales", "sales"]
