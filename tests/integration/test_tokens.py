"""Access tokens over threads and processes: one refresh for everybody, a rotated token is never lost."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
from asgiref.sync import async_to_sync
from django.utils import timezone

from postroom.mailboxes.credentials import load_credentials
from postroom.mailboxes.models import Grant, Mailbox, OAuthApp
from postroom.mailboxes.oauth_apps import TypedApp, save_app
from postroom.providers.errors import NeedsAdministrator, NeedsReconnect, Throttled, Unreachable
from postroom.workspaces.database import borrowed_connection
from postroom.workspaces.members import Member
from tests.fakes.google.server import FakeGoogle
from tests.fakes.microsoft.server import FakeMicrosoft
from tests.integration.sign_in_place import connected, fake_google, fake_microsoft, save_google, save_microsoft

ANN = "ann@own.example"


@pytest.fixture
def google(alice: Member, monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeGoogle]:
    with fake_google(monkeypatch) as server:
        server.mailbox(ANN)
        async_to_sync(save_google)(alice, server)
        yield server


@pytest.fixture
def microsoft(alice: Member, monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeMicrosoft]:
    with fake_microsoft(monkeypatch) as server:
        server.mailbox(ANN)
        async_to_sync(save_microsoft)(alice, server)
        yield server


@pytest.fixture
def mailbox(alice: Member, microsoft: FakeMicrosoft) -> Mailbox:
    """Ann's mailbox, whose access token is over."""
    token = microsoft.refresh_token_for(ANN)
    return connected(alice, ANN, provider="outlook", refresh_token=token, client_id=microsoft.client_id)


@borrowed_connection()
def access_token(mailbox: Mailbox, refused: str = "") -> str:
    tokens = load_credentials(mailbox).tokens
    assert tokens is not None
    return asyncio.run(tokens.access_token(refused))


def secrets_of(mailbox: Mailbox) -> dict[str, str]:
    oauth: dict[str, str] = load_credentials(mailbox).secrets["oauth"]
    return oauth


def test_a_token_that_serves_is_used_without_a_word(alice: Member, microsoft: FakeMicrosoft) -> None:
    mailbox = connected(
        alice, ANN, provider="outlook", refresh_token="r", client_id="c", access_token="good", seconds=120
    )
    assert access_token(mailbox) == "good" and microsoft.oauth.refreshes() == 0


def test_a_token_that_ends_within_a_minute_is_refreshed(alice: Member, microsoft: FakeMicrosoft) -> None:
    token = microsoft.refresh_token_for(ANN)
    mailbox = connected(
        alice,
        ANN,
        provider="outlook",
        refresh_token=token,
        client_id=microsoft.client_id,
        access_token="old",
        seconds=55,
    )
    fresh = access_token(mailbox)
    assert fresh != "old" and fresh in microsoft.oauth.access
    assert load_credentials(mailbox).tokens is not None and access_token(mailbox) == fresh
    assert microsoft.oauth.refreshes() == 1


def test_the_rotated_refresh_token_is_kept_and_the_time_of_the_grant_stays(
    mailbox: Mailbox, microsoft: FakeMicrosoft
) -> None:
    before, granted_at = secrets_of(mailbox)["refresh_token"], Grant.objects.get(mailbox=mailbox).updated_at
    access_token(mailbox)
    grant = Grant.objects.get(mailbox=mailbox)
    assert secrets_of(mailbox)["refresh_token"] not in ("", before)
    assert grant.updated_at == granted_at and grant.refreshed_at is not None
    assert grant.expires_at is not None and grant.expires_at > timezone.now() + timedelta(minutes=50)


def test_eight_threads_share_one_refresh(mailbox: Mailbox, microsoft: FakeMicrosoft) -> None:
    microsoft.faults.token_endpoint_delay_seconds = 0.3
    with ThreadPoolExecutor(8) as threads:
        tokens = set(threads.map(access_token, [mailbox] * 8))
    assert len(tokens) == 1 and microsoft.oauth.refreshes() == 1


CHILD = """
import asyncio, sys, django
django.setup()
from postroom.mailboxes.credentials import load_credentials
from postroom.mailboxes.models import Mailbox
mailbox = Mailbox.objects.get(pk=sys.argv[1])
tokens = load_credentials(mailbox).tokens
print("ready", flush=True)
sys.stdin.readline()
print(asyncio.run(tokens.access_token()), flush=True)
"""


def test_three_processes_share_one_refresh(mailbox: Mailbox, microsoft: FakeMicrosoft, database_url: str) -> None:
    microsoft.faults.token_endpoint_delay_seconds = 0.5
    command = [sys.executable, "-c", CHILD, str(mailbox.pk)]
    children = [
        subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, "DATABASE_URL": database_url},
        )
        for _ in range(3)
    ]
    for child in children:
        assert child.stdout is not None and child.stdout.readline() == "ready\n"
    for child in children:
        assert child.stdin is not None
        child.stdin.write("go\n")
        child.stdin.flush()
    answers = {child.communicate(timeout=30)[0].strip() for child in children}
    assert len(answers) == 1 and answers.pop() in microsoft.oauth.access
    assert microsoft.oauth.refreshes() == 1


def test_a_token_that_was_refused_is_replaced_once(mailbox: Mailbox, microsoft: FakeMicrosoft) -> None:
    refused = access_token(mailbox)
    with ThreadPoolExecutor(4) as threads:
        tokens = set(threads.map(access_token, [mailbox] * 4, [refused] * 4))
    assert len(tokens) == 1 and refused not in tokens
    assert microsoft.oauth.refreshes() == 2


def test_a_session_that_is_cancelled_loses_no_rotated_token(mailbox: Mailbox, microsoft: FakeMicrosoft) -> None:
    microsoft.faults.token_endpoint_delay_seconds = 0.4
    before = secrets_of(mailbox)["refresh_token"]
    tokens = load_credentials(mailbox).tokens
    assert tokens is not None

    async def cancelled() -> None:
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(tokens.access_token(), 0.1)

    asyncio.run(cancelled())
    for _ in range(50):
        if secrets_of(mailbox)["refresh_token"] != before:
            break
        time.sleep(0.05)
    kept = secrets_of(mailbox)
    assert kept["refresh_token"] != before and access_token(mailbox) == kept["access_token"]
    assert microsoft.oauth.refreshes() == 1


def test_a_dead_grant_is_asked_for_once_an_hour(mailbox: Mailbox, microsoft: FakeMicrosoft) -> None:
    microsoft.oauth.revoke(ANN, number=50173)
    for _ in range(3):
        with pytest.raises(NeedsReconnect) as dead:
            access_token(mailbox)
        assert dead.value.code == "grant_revoked" and dead.value.facts["provider"] == "Microsoft"
    assert microsoft.oauth.refreshes() == 1
    Grant.objects.filter(mailbox=mailbox).update(refused_at=timezone.now() - timedelta(hours=1, seconds=1))
    with pytest.raises(NeedsReconnect):
        access_token(mailbox)
    assert microsoft.oauth.refreshes() == 2


def test_a_busy_sign_in_service_is_no_fault_of_the_grant(mailbox: Mailbox, microsoft: FakeMicrosoft) -> None:
    for status, expected in ((503, Unreachable), (429, Throttled)):
        microsoft.faults.token_endpoint_status = status
        with pytest.raises(expected):
            access_token(mailbox)
    microsoft.faults.token_endpoint_status = 0
    assert access_token(mailbox) and not Grant.objects.get(mailbox=mailbox).refused_code


def test_an_answer_that_is_lost_costs_one_more_refresh(mailbox: Mailbox, microsoft: FakeMicrosoft) -> None:
    microsoft.faults.drop_token_answers = 1
    with pytest.raises(Unreachable):
        access_token(mailbox)
    assert access_token(mailbox) in microsoft.oauth.access


def test_a_refused_secret_is_one_alarm_and_no_mailbox_is_asked_to_reconnect(
    alice: Member, mailbox: Mailbox, microsoft: FakeMicrosoft
) -> None:
    microsoft.faults.refuse_client = "expired secret"
    others = [
        connected(
            alice,
            f"m{number}@own.example",
            provider="outlook",
            refresh_token=microsoft.refresh_token_for(ANN),
            client_id=microsoft.client_id,
        )
        for number in range(3)
    ]
    for one in (mailbox, *others):
        with pytest.raises(NeedsAdministrator) as refused:
            access_token(one)
        assert refused.value.code == "app_secret_expired"
    app = OAuthApp.objects.get(provider="outlook")
    assert app.error_code == "app_secret_expired" and app.error_at is not None
    assert not Grant.objects.exclude(refused_code="").exists()


def test_a_mended_registration_wakes_its_mailboxes(alice: Member, mailbox: Mailbox, microsoft: FakeMicrosoft) -> None:
    microsoft.faults.refuse_client = "wrong secret"
    with pytest.raises(NeedsAdministrator):
        access_token(mailbox)
    later = timezone.now() + timedelta(hours=1)
    Mailbox.objects.filter(pk=mailbox.pk).update(not_before=later, error_code="app_secret_refused")
    microsoft.faults.refuse_client = ""
    async_to_sync(save_app)(alice, "outlook", TypedApp(microsoft.client_id, microsoft.client_secret))
    mailbox.refresh_from_db()
    assert mailbox.not_before is None and not OAuthApp.objects.get(provider="outlook").error_code
    assert access_token(mailbox)


def test_an_alarm_ends_when_the_registration_works_again_by_itself(mailbox: Mailbox, microsoft: FakeMicrosoft) -> None:
    microsoft.faults.refuse_client = "wrong secret"
    with pytest.raises(NeedsAdministrator):
        access_token(mailbox)
    microsoft.faults.refuse_client = ""
    assert access_token(mailbox) and not OAuthApp.objects.get(provider="outlook").error_code


def test_a_grant_of_another_registration_is_not_tried(alice: Member, microsoft: FakeMicrosoft) -> None:
    mailbox = connected(alice, ANN, provider="outlook", refresh_token="r", client_id="the app of before")
    with pytest.raises(NeedsReconnect) as refused:
        access_token(mailbox)
    assert refused.value.code == "app_changed" and microsoft.oauth.refreshes() == 0


def test_a_provider_that_keeps_its_refresh_token_keeps_ours(alice: Member, google: FakeGoogle) -> None:
    token = google.refresh_token_for(ANN)
    mailbox = connected(alice, ANN, provider="gmail", refresh_token=token, client_id=google.client_id)
    assert access_token(mailbox) in google.oauth.access_tokens
    assert secrets_of(mailbox)["refresh_token"] == token


def test_no_secret_is_in_a_repr(mailbox: Mailbox, microsoft: FakeMicrosoft) -> None:
    token = access_token(mailbox)
    credentials = load_credentials(mailbox)
    kept = json.dumps(credentials.secrets)
    shown = f"{credentials!r} {credentials.tokens!r} {Grant.objects.get(mailbox=mailbox)!r}"
    assert token in kept and token not in shown and secrets_of(mailbox)["refresh_token"] not in shown
