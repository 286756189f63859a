"""A place to sign in at: the product's providers look for Google and Microsoft at the fakes."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from asgiref.sync import async_to_sync
from django.db import connection

from postroom.mailboxes.connect import ConnectRequest, store_mailbox
from postroom.mailboxes.credentials import Granted
from postroom.mailboxes.models import Mailbox
from postroom.mailboxes.oauth_apps import TypedApp, save_app
from postroom.providers import registry
from postroom.providers.guard import NetworkPolicy
from postroom.providers.oauth import Endpoints
from postroom.providers.outlook.oauth import OUTLOOK
from postroom.workspaces.members import Member
from tests.fakes.google.server import FakeGoogle
from tests.fakes.microsoft.server import FakeMicrosoft

MODIFY = "https://www.googleapis.com/auth/gmail.modify"


def environment(name: str, endpoints: Endpoints) -> dict[str, str]:
    """What an operator sets to have the product look there."""
    return {
        f"POSTROOM_{name}_AUTHORIZE_URL": endpoints.authorize,
        f"POSTROOM_{name}_TOKEN_URL": endpoints.token,
        f"POSTROOM_{name}_KEYS_URL": endpoints.keys,
        f"POSTROOM_{name}_ISSUERS": ",".join(endpoints.issuers),
        f"POSTROOM_{name}_API_URL": endpoints.api,
        f"POSTROOM_{name}_REVOKE_URL": endpoints.revoke,
        f"POSTROOM_{name}_ADMIN_CONSENT_URL": endpoints.admin_consent,
    }


@contextmanager
def look_there(monkeypatch: pytest.MonkeyPatch, environ: dict[str, str]) -> Iterator[None]:
    """Until the block ends; child processes inherit it."""
    for name, value in environ.items():
        monkeypatch.setenv(name, value)
    registry.configure(NetworkPolicy(), environ)
    try:
        yield
    finally:
        registry.configure(NetworkPolicy(), {})


def let_sending_need_less(monkeypatch: pytest.MonkeyPatch) -> None:
    """Outlook's sending needs nothing of what reading needs from now on, as SMTP does beside IMAP."""
    less = tuple(one for one in OUTLOOK.scopes["api"] if one.feature != "sending" or "ReadWrite" not in one.name)
    monkeypatch.setattr(registry.PROVIDERS["outlook"], "oauth", replace(OUTLOOK, scopes={"api": less}))


@contextmanager
def fake_google(monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeGoogle]:
    with FakeGoogle() as google, look_there(monkeypatch, environment("GOOGLE", google.endpoints)):
        yield google


@contextmanager
def fake_microsoft(monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeMicrosoft]:
    with FakeMicrosoft() as microsoft, look_there(monkeypatch, environment("MICROSOFT", microsoft.endpoints)):
        yield microsoft


async def save_google(member: Member, google: FakeGoogle, **more: Any) -> None:
    await save_app(member, "gmail", TypedApp(google.client_id, google.client_secret, **more))


async def save_microsoft(member: Member, microsoft: FakeMicrosoft, **more: Any) -> None:
    await save_app(member, "outlook", TypedApp(microsoft.client_id, microsoft.client_secret, **more))


@contextmanager
def microsoft_known_to(member: Member, monkeypatch: pytest.MonkeyPatch, *addresses: str) -> Iterator[FakeMicrosoft]:
    """Microsoft with these mailboxes, and the registration of the member's workspace."""
    with fake_microsoft(monkeypatch) as microsoft:
        for address in addresses:
            microsoft.mailbox(address)
        async_to_sync(save_microsoft)(member, microsoft)
        yield microsoft


def revocations() -> list[dict[str, str]]:
    """The arguments of the jobs that wait; they are taken away, from a table that Django does not flush."""
    with connection.cursor() as cursor:
        cursor.execute("DELETE FROM procrastinate_jobs WHERE task_name = 'revoke_permission' RETURNING args")
        return [args if isinstance(args, dict) else json.loads(args) for (args,) in cursor.fetchall()]


def connected(
    member: Member,
    address: str,
    *,
    provider: str,
    refresh_token: str,
    client_id: str,
    access_token: str = "",
    seconds: float = -1,
) -> Mailbox:
    """A mailbox by OAuth as an arrival saves it; its access token is good for so long."""
    oauth = {"access_token": access_token, "refresh_token": refresh_token, "client_id": client_id}
    expires_at = datetime.now(UTC) + timedelta(seconds=seconds)
    granted = Granted(app=provider, subject=f"subject of {address}", scope=MODIFY, expires_at=expires_at)
    request = ConnectRequest(
        provider=provider, address=address, kind="shared", secrets={"oauth": oauth}, granted=granted
    )
    return store_mailbox(member, request)
