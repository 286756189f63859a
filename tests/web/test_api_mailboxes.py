"""/mailboxes, against the shipped double and against a port where nobody listens."""

from __future__ import annotations

import json

import pytest
from django.conf import settings

from postroom.api.mailboxes import show_step
from postroom.mailboxes.models import Grant, Mailbox
from postroom.providers.base import CheckStep
from tests.cast import Cast, make_mailbox
from tests.web.api_caller import caller_for, problem

SERVER = {"host": "127.0.0.1", "port": 1, "security": "none", "username": "u", "password": "hunter2-secret"}
REFUSED = {
    "provider": "imap",
    "address": "sales@tidewater.example",
    "kind": "shared",
    "keep": "everything",
    "backfill_days": 30,
    "imap": SERVER,
    "smtp": SERVER,
}
SANDBOX = {"provider": "memory", "address": "sales@tidewater.example", "kind": "shared", "display_name": "Sales"}
MEMBERS = {
    "id", "address", "display_name", "kind", "provider", "owner", "state", "progress", "last_synced_at", "error",
}  # fmt: skip


@pytest.fixture
def demo(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("POSTROOM_DEMO", "1")


def test_a_failed_check_saves_nothing_and_says_which_step(cast: Cast) -> None:
    alice = caller_for(cast.alice)
    found = problem(alice.post("/mailboxes", REFUSED), 422, "check_failed")
    failed = [step for step in found["steps"] if not step["ok"]]
    assert failed
    assert all(step["code"] and step["what"] and step["fix"] and step["who"] for step in failed)
    assert all(step["docs"] == f"{settings.BASE_URL}/help/{step['code']}/" for step in failed)
    assert "hunter2" not in json.dumps(found)
    assert Mailbox.objects.count() == Grant.objects.count() == 0


def test_a_step_that_passed_with_a_warning_says_what_to_think_about() -> None:
    facts: dict[str, object] = {"username": "relay", "other": "sales@tidewater.example"}
    shown = show_step(CheckStep("smtp", "sign_in", True, 0.1, "relay", "two_accounts", facts=facts))
    assert (shown.ok, shown.warning, shown.code) == (True, True, "two_accounts")
    assert shown.what is not None and shown.what.startswith("sales@tidewater.example receives, and relay sends.")
    plain = show_step(CheckStep("smtp", "sign_in", True, 0.1, "relay", facts=facts))
    assert (plain.ok, plain.warning, plain.code) == (True, False, None)


def test_a_check_stores_nothing(cast: Cast, demo: None) -> None:
    alice = caller_for(cast.alice)
    assert alice.post("/mailboxes/check", SANDBOX).json()["ok"] is True
    report = alice.post("/mailboxes/check", REFUSED).json()
    assert report["ok"] is False
    assert all(set(step) >= {"name", "ok", "seconds"} for step in report["steps"])
    assert Mailbox.objects.count() == 0


def test_a_mailbox_is_connected_once_changed_and_disconnected(cast: Cast, demo: None) -> None:
    alice = caller_for(cast.alice)
    made = alice.post("/mailboxes", SANDBOX)
    assert made.status_code == 201, made.content
    mailbox = made.json()
    assert mailbox.keys() >= MEMBERS
    assert (mailbox["state"], mailbox["error"]) == ("connecting", None)
    assert mailbox["progress"].keys() >= {"listed", "kept", "filed", "total"}
    problem(alice.post("/mailboxes", SANDBOX), 409, "already_connected")
    path = f"/mailboxes/{mailbox['id']}"
    assert alice.get(path).json() == mailbox
    assert alice.call("PATCH", path, {"display_name": "Verkauf"}).json() == mailbox | {"display_name": "Verkauf"}
    assert alice.post(f"{path}/sync").status_code == 202
    assert alice.post(f"{path}/backfill", {"days": 90}).status_code == 202
    assert alice.get(path).json()["backfill_days"] == 90
    for days in (0, 366, "x", None):
        assert "days" in problem(alice.post(f"{path}/backfill", {"days": days}), 422, "invalid_fields")["fields"]
    assert alice.call("DELETE", path).status_code == 204
    problem(alice.get(path), 404, "not_found")


def test_the_sandbox_is_for_demos_only(cast: Cast) -> None:
    found = problem(caller_for(cast.alice).post("/mailboxes", SANDBOX), 422, "invalid_fields")
    assert found["fields"].keys() == {"provider"}


def test_missing_servers_are_named(cast: Cast) -> None:
    body = {name: value for name, value in REFUSED.items() if name not in ("imap", "smtp")}
    found = problem(caller_for(cast.alice).post("/mailboxes/check", body), 422, "invalid_fields")
    assert found["fields"].keys() == {"imap", "smtp"}


@pytest.mark.parametrize("provider", ["gmail", "outlook"])
def test_what_is_connected_by_signing_in_is_not_connected_by_the_api(cast: Cast, provider: str) -> None:
    found = problem(caller_for(cast.alice).post("/mailboxes", REFUSED | {"provider": provider}), 422, "invalid_fields")
    assert "in the browser" in found["fields"]["provider"]
    assert not Mailbox.objects.exists()


def test_a_mailbox_says_who_signed_in_and_what_was_not_allowed(cast: Cast) -> None:
    mailbox = make_mailbox(cast.alice, "support@tidewater.example", provider="outlook")
    alice = caller_for(cast.alice)
    assert alice.get(f"/mailboxes/{mailbox.pk}").json()["permission"] is None
    scope = "openid Mail.ReadWrite Mail.Send Mail.ReadWrite.Shared"
    Grant.objects.update(app="outlook", scope=scope, sign_in_user="alice@tidewater.example")
    found = alice.get(f"/mailboxes/{mailbox.pk}").json()["permission"]
    assert found == {
        "provider": "outlook",
        "signed_in_as": "alice@tidewater.example",
        "missing": ["Mail.Send.Shared"],
        "ends_at": None,
    }
