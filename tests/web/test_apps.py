"""/settings/apps/: what administrators set up at Google and Microsoft."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from postroom.mailboxes.models import OAuthApp
from postroom.mailboxes.oauth_apps import find_app
from postroom.outbox import app_notice
from tests.cast import Cast
from tests.fakes.google import FakeGoogle
from tests.fakes.microsoft import FakeMicrosoft

GMAIL = "/settings/apps/gmail/"
OUTLOOK = "/settings/apps/outlook/"
REFUSES = "Google refuses the Gmail app"


def typed(google: FakeGoogle, **other: str) -> dict[str, str]:
    return {
        "client_id": google.client_id,
        "client_secret": google.client_secret,
        "way": "api",
        "audience": "internal",
        **other,
    }


def text(client: Client, path: str) -> str:
    response = client.get(path)
    assert response.status_code == 200
    return response.content.decode()


def test_only_administrators_see_apps(
    google: FakeGoogle, alice: Client, bob: Client, charlie: Client, guest: Client
) -> None:
    for path in ("/settings/apps/", GMAIL):
        assert bob.get(path).status_code == 403
        assert guest.get(path).status_code == 302
        assert alice.get(path).status_code == 200
    for path in (GMAIL, f"{GMAIL}check/", f"{GMAIL}removal/"):
        assert bob.post(path, typed(google)).status_code == 403
    assert not OAuthApp.objects.exists()
    assert "/settings/apps/" not in text(bob, "/settings/")
    assert "/settings/apps/" in text(alice, "/settings/")


def test_an_unknown_provider_has_no_app(alice: Client) -> None:
    for name in ("imap", "memory", "nobody"):
        assert alice.get(f"/settings/apps/{name}/").status_code == 404


def test_the_steps_name_the_redirect_address_the_scopes_and_the_seven_days(google: FakeGoogle, alice: Client) -> None:
    html = text(alice, GMAIL)
    for said in (
        "http://localhost:8000/settings/mailboxes/connect/gmail/return/",
        "https://www.googleapis.com/auth/gmail.modify",
        "Web application",
        "Enable the Gmail API",
        "7 days after it was given",
        "Internal",
        "Test users",
        "http only for localhost",
    ):
        assert said in html, said
    assert html.count("auth/gmail.modify") == 1, "one scope, though two features need it"


def test_the_steps_at_microsoft_name_both_addresses_and_the_value_of_the_secret(
    microsoft: FakeMicrosoft, alice: Client
) -> None:
    html = text(alice, OUTLOOK)
    for said in (
        "/settings/mailboxes/connect/outlook/return/",
        "/settings/mailboxes/connect/outlook/approval/",
        "single tenant",
        "<code>Mail.ReadWrite</code>",
        "not the Secret ID",
        "30 days before",
        "Grant admin consent",
    ):
        assert said in html, said


def test_what_google_knows_is_kept_and_its_secret_never_shown_again(
    cast: Cast, google: FakeGoogle, alice: Client
) -> None:
    response = alice.post(GMAIL, typed(google), follow=True)
    html = response.content.decode()
    assert "Google knows the app" in html and "Ready" in html
    assert google.client_id in html and google.client_secret not in html
    app = find_app(cast.alice.workspace_id, "gmail")
    assert app is not None and app.client_secret == google.client_secret and app.audience == "internal"
    assert google.client_secret.encode() not in bytes(OAuthApp.objects.get().sealed)
    assert find_app(cast.charlie.workspace_id, "gmail") is None, "an app is one workspace's own"


def test_a_secret_that_google_refuses_is_explained_and_nothing_is_kept(google: FakeGoogle, alice: Client) -> None:
    response = alice.post(GMAIL, typed(google, client_secret="GOCSPX-mistyped"))
    html = response.content.decode()
    assert response.status_code == 422 and "The client id or secret is refused" in html
    assert google.client_id in html and "GOCSPX-mistyped" not in html
    assert not OAuthApp.objects.exclude(client_id="").exists()


def test_an_empty_secret_keeps_the_one_there_is(cast: Cast, google_app: FakeGoogle, alice: Client) -> None:
    assert "One is kept" in text(alice, GMAIL)
    alice.post(GMAIL, typed(google_app, client_secret="", audience="testing"))
    app = find_app(cast.alice.workspace_id, "gmail")
    assert app is not None and app.client_secret == google_app.client_secret and app.audience == "testing"


def test_a_secret_that_the_keys_do_not_open_breaks_no_page(google_app: FakeGoogle, alice: Client, bob: Client) -> None:
    """Another installation's keys, say. What it stops is told; a secret that is typed anew mends it."""
    OAuthApp.objects.update(sealed=b"of another key", secret_expires_on=timezone.now().date())
    app_notice.tell_administrators()
    for path in ("/", "/settings/apps/", GMAIL, "/settings/mailboxes/connect/"):
        assert "The stored secret of the app cannot be read" in text(alice, path) or path.endswith("connect/")
    assert alice.post(f"{GMAIL}check/").status_code == 422
    assert alice.post(GMAIL, typed(google_app, client_secret="")).status_code == 422
    assert alice.post(GMAIL, typed(google_app)).status_code == 302
    assert "cannot be read" not in text(alice, GMAIL)


def test_the_first_time_a_secret_is_needed(google: FakeGoogle, alice: Client) -> None:
    response = alice.post(GMAIL, typed(google, client_secret=""))
    assert response.status_code == 422 and "Fill this in." in response.content.decode()
    assert not google.requests, "nobody was asked about half an app"


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("client_id", ""),
        ("client_id", "id\r\nX-Evil: 1"),
        ("client_secret", "a\0b"),
        ("way", "pigeon"),
        ("audience", "everybody"),
    ],
)
def test_what_cannot_be_right_is_told_beside_its_field(
    google: FakeGoogle, alice: Client, field: str, value: str
) -> None:
    response = alice.post(GMAIL, typed(google, **{field: value}))
    assert response.status_code == 422 and b"field-error" in response.content
    assert not OAuthApp.objects.exists() and not google.requests


@pytest.mark.parametrize("tenant", ["../evil", "tenant/v2.0", "a b", "{tenant}"])
def test_a_tenant_becomes_no_part_of_another_address(microsoft: FakeMicrosoft, alice: Client, tenant: str) -> None:
    form = {
        "client_id": microsoft.client_id,
        "client_secret": microsoft.client_secret,
        "way": "api",
        "tenant": tenant,
    }
    response = alice.post(OUTLOOK, form)
    assert response.status_code == 422 and b"A tenant is an ID" in response.content
    assert not microsoft.requests


def test_a_secret_that_ends_soon_warns_administrators_on_every_page(
    cast: Cast, microsoft_app: FakeMicrosoft, alice: Client, bob: Client, charlie: Client
) -> None:
    day = timezone.now().date() + timedelta(days=29)
    OAuthApp.objects.update(secret_expires_on=day)
    said = f"Secret expires on {day:%-d %B %Y}"
    assert said in text(alice, "/") and said in text(alice, "/settings/apps/")
    assert said not in text(bob, "/") and said not in text(charlie, "/")
    OAuthApp.objects.update(secret_expires_on=day + timedelta(days=2))
    assert "Secret expires" not in text(alice, "/")


def test_a_refused_secret_is_one_alarm_for_administrators_until_a_check_passes(
    google_app: FakeGoogle, alice: Client, bob: Client
) -> None:
    OAuthApp.objects.update(error_code="app_secret_refused", error_words="invalid_client: Unauthorized")
    assert REFUSES in text(alice, "/contacts/") and REFUSES not in text(bob, "/contacts/")
    assert "invalid_client: Unauthorized" in text(alice, GMAIL)
    alice.post(f"{GMAIL}check/")
    assert REFUSES not in text(alice, "/contacts/")


def test_a_check_says_what_is_wrong_with_what_is_kept(google_app: FakeGoogle, alice: Client) -> None:
    google_app.faults.refuse_client = True
    response = alice.post(f"{GMAIL}check/")
    assert response.status_code == 422 and b"The client id or secret is refused" in response.content


def test_the_environment_sets_an_app_up_for_operators(
    google: FakeGoogle, alice: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("POSTROOM_GOOGLE_CLIENT_ID", google.client_id)
    monkeypatch.setenv("POSTROOM_GOOGLE_CLIENT_SECRET", google.client_secret)
    html = text(alice, GMAIL)
    assert "from the environment" in html and "POSTROOM_GOOGLE_CLIENT_ID" in html
    assert google.client_secret not in html and 'name="client_id"' not in html and "Remove…" not in html
    assert alice.post(f"{GMAIL}check/", follow=True).status_code == 200
    assert alice.post(f"{GMAIL}removal/").status_code == 404


def test_an_app_is_removed_and_its_place_is_empty_again(google_app: FakeGoogle, alice: Client) -> None:
    assert "Remove the Gmail app?" in text(alice, GMAIL)
    html = alice.post(f"{GMAIL}removal/", follow=True).content.decode()
    assert "The Gmail app is removed" in html and "Not set up" in html
    assert not OAuthApp.objects.exists()


def test_an_address_that_google_would_refuse_is_said_before(google: FakeGoogle, alice: Client, settings: Any) -> None:
    settings.BASE_URL = "http://postroom.company.example"
    assert "Google will refuse the redirect address" in text(alice, GMAIL)
    settings.BASE_URL = "https://postroom.company.example"
    assert "Google will refuse the redirect address" not in text(alice, GMAIL)


def test_an_operator_who_names_the_day_in_the_environment_is_warned_too(
    microsoft: FakeMicrosoft, alice: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    day = timezone.now().date() - timedelta(days=1)
    for ending, value in (
        ("CLIENT_ID", microsoft.client_id),
        ("CLIENT_SECRET", microsoft.client_secret),
        ("SECRET_EXPIRES_ON", day.isoformat()),
    ):
        monkeypatch.setenv(f"POSTROOM_MICROSOFT_{ending}", value)
    assert f"Secret expired on {day:%-d %B %Y}" in text(alice, "/")
