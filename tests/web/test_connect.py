"""/settings/mailboxes/connect/ and the check, live and whole."""

from __future__ import annotations

from typing import Any

import pytest
from django.test import Client

from postroom.mailboxes.connect import ConnectRequest, reconnect, store_mailbox
from postroom.mailboxes.credentials import load_credentials
from postroom.mailboxes.models import Mailbox
from postroom.providers.base import CheckStep
from postroom.web.checking import verdict_html
from tests.cast import Cast, make_mailbox
from tests.web.streaming import closed_threads, stream

__all__ = ["closed_threads"]  # a fixture

CHECK = "/settings/mailboxes/checks/"
DISCOVER = "/settings/mailboxes/discoveries/"
TYPED = {
    "address": "sales@tidewater.example",
    "kind": "shared",
    "usage": "sales",
    "backfill_days": "30",
    "imap_host": "imap.tidewater.invalid",
    "imap_port": "993",
    "imap_security": "tls",
    "imap_username": "sales",
    "imap_password": "a very secret password",
    "smtp_host": "smtp.tidewater.invalid",
    "smtp_port": "465",
    "smtp_security": "tls",
    "same_login": "on",
}


def test_at_first_only_the_address_is_asked(alice: Client) -> None:
    html = alice.get("/settings/mailboxes/connect/?address=sales@tidewater.example").content.decode()
    assert 'name="address" value="sales@tidewater.example"' in html
    assert 'type="password"' not in html and 'name="imap_host"' not in html


def by_hand(client: Client, address: str = "sales@tidewater.example") -> str:
    return client.post(DISCOVER, {"address": address, "by": "hand"}).content.decode()


def test_the_form_defaults_to_30_days(alice: Client) -> None:
    html = by_hand(alice)
    assert 'name="backfill_days" value="30"' in html and 'max="365"' in html


def test_colleagues_see_nothing_of_a_personal_mailbox_until_its_owner_says_so(alice: Client) -> None:
    html = by_hand(alice)
    assert '<option value="nothing" selected>' in html and '<option value="everything" selected>' not in html


def test_a_failed_check_is_explained_and_nothing_is_saved(alice: Client) -> None:
    response = alice.post(CHECK, TYPED)
    html = response.content.decode()
    assert "There is no such host" in html and 'class="verdict"' in html
    assert "a very secret password" not in html
    assert not Mailbox.objects.exists()


def refused(server: str, username: str, words: str) -> CheckStep:
    facts: dict[str, object] = {"host": f"{server}.example", "port": 1, "username": username}
    return CheckStep(server, "sign_in", False, 0.1, "", "sign_in_refused", words, facts)


def test_what_both_servers_refuse_is_told_once() -> None:
    html = verdict_html([refused("imap", "sales", "NO wrong"), refused("smtp", "sales", "535 wrong")])
    assert html.count('class="verdict"') == 1 and "Both servers: The user name or password was refused" in html
    for said in ("imap.example refused", "smtp.example refused", "for sales", "NO wrong", "535 wrong"):
        assert said in html
    assert "The receiving server's words" in html and "The sending server's words" in html
    assert "Who can fix it: you<" in html


def test_two_causes_are_two_verdicts() -> None:
    steps = [refused("imap", "sales", ""), CheckStep("smtp", "reach", False, 0.1, "", "connection_refused")]
    html = verdict_html(steps)
    assert html.count('class="verdict"') == 2 and "Both servers" not in html


@pytest.mark.usefixtures("closed_threads")
@pytest.mark.django_db(transaction=True)
async def test_the_live_check_says_each_step_as_it_happens(alice: Client) -> None:
    lines = await stream(alice, CHECK, TYPED)
    assert [line["into"] for line in lines if line.get("place") == "append"] == ["check-imap", "check-smtp"]
    assert lines[-1]["over"] and 'class="verdict"' in lines[-1]["html"]
    assert not await Mailbox.objects.aexists()


@pytest.mark.usefixtures("closed_threads")
@pytest.mark.django_db(transaction=True)
async def test_a_password_goes_as_plain_text_only_after_somebody_said_so(alice: Client) -> None:
    plain = TYPED | {"imap_security": "none", "smtp_security": "none"}
    lines = await stream(alice, CHECK, plain)
    assert "not encrypted" in lines[-1]["html"] and "told to nobody yet" in lines[-1]["html"]
    assert not [line for line in lines if line.get("place") == "append"], "nothing was tried"
    lines = await stream(alice, CHECK, plain | {"accepted": "not_encrypted"})
    assert [line for line in lines if line.get("place") == "append"]


def test_the_same_without_script(alice: Client) -> None:
    html = alice.post(CHECK, TYPED | {"smtp_security": "none"}).content.decode()
    assert 'value="not_encrypted"' in html and "The password is asked again" in html


@pytest.mark.usefixtures("closed_threads")
@pytest.mark.django_db(transaction=True)
async def test_the_live_check_marks_the_fields_that_cannot_be_right(alice: Client) -> None:
    lines = await stream(alice, CHECK, TYPED | {"imap_host": "bad host", "backfill_days": "366"})
    wrong = {line["into"] for line in lines if "field-error" in line.get("html", "")}
    assert wrong == {"errors-imap_host", "errors-backfill_days"}


@pytest.mark.usefixtures("closed_threads")
@pytest.mark.django_db(transaction=True)
async def test_an_address_is_connected_once(alice: Client, sales: Mailbox) -> None:
    lines = await stream(alice, CHECK, TYPED)
    assert "is connected already" in lines[-1]["html"] and lines[-1]["over"]


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("address", "nonsense"),
        ("address", "a@b.example\r\nc"),
        ("display_name", "Tide\nwater"),
        ("imap_host", "imap.example/../"),
        ("imap_host", "imap.example\0"),
        ("imap_username", "user\r\nA1 LOGOUT"),
        ("imap_port", "0"),
        ("imap_port", "65536"),
        ("imap_security", "maybe"),
        ("smtp_host", ""),
        ("kind", "public"),
        ("backfill_days", "0"),
        ("backfill_days", "-1"),
    ],
)
def test_nonsense_is_refused_before_anything_is_tried(alice: Client, field: str, value: str) -> None:
    response = alice.post(CHECK, TYPED | {field: value})
    assert response.status_code == 422 and b"field-error" in response.content


def test_an_own_smtp_login_has_to_be_typed(alice: Client) -> None:
    typed = {name: value for name, value in TYPED.items() if name != "same_login"}
    assert b"choose the same as for receiving" in alice.post(CHECK, typed).content


def test_a_connected_mailbox_is_told_without_script_too(alice: Client, cast: Cast) -> None:
    make_mailbox(cast.alice, TYPED["address"])
    assert b"is connected already" in alice.post(CHECK, TYPED).content


@pytest.fixture
def connected(cast: Cast) -> Mailbox:
    """A mailbox whose password was refused."""
    server = {
        "host": "imap.tidewater.invalid",
        "port": 993,
        "security": "tls",
        "username": "sales",
        "password": "old one",
    }
    secrets = {"imap": server, "smtp": server | {"host": "smtp.tidewater.invalid", "port": 465}}
    request = ConnectRequest(provider="imap", address="sales@tidewater.example", kind="shared", secrets=secrets)
    mailbox = store_mailbox(cast.alice, request)
    Mailbox.objects.update(needs_reconnect=True, error_code="sign_in_refused")
    return mailbox


def test_reconnecting_asks_for_the_password_only(alice: Client, connected: Mailbox) -> None:
    assert f"?mailbox={connected.pk}" in alice.get("/settings/mailboxes/").content.decode()
    html = alice.get(f"/settings/mailboxes/connect/?mailbox={connected.pk}").content.decode()
    assert "Reconnect sales@tidewater.example" in html and "imap.tidewater.invalid" in html
    assert "old one" not in html


def test_a_failed_check_leaves_the_old_secrets(alice: Client, connected: Mailbox) -> None:
    response = alice.post(CHECK, TYPED | {"mailbox": str(connected.pk), "address": "other@evil.example"})
    assert b"There is no such host" in response.content and b"connected already" not in response.content
    assert load_credentials(connected).secrets["imap"]["password"] == "old one"
    assert Mailbox.objects.get().needs_reconnect


def test_a_reconnected_mailbox_has_its_new_password_and_no_problem(cast: Cast, connected: Mailbox) -> None:
    secrets = load_credentials(connected).secrets
    secrets["imap"]["password"] = "new one"
    reconnect(
        cast.alice,
        connected,
        ConnectRequest(provider="imap", address=connected.address, kind="shared", secrets=secrets),
    )
    connected.refresh_from_db()
    assert load_credentials(connected).secrets["imap"]["password"] == "new one"
    assert not connected.needs_reconnect and not connected.error_code


@pytest.mark.parametrize("which", ["charlie", "bob"])
def test_who_may_not_change_a_mailbox_cannot_reconnect_it(request: Any, connected: Mailbox, which: str) -> None:
    client = request.getfixturevalue(which)
    assert client.get(f"/settings/mailboxes/connect/?mailbox={connected.pk}").status_code == 404
    assert client.post(CHECK, TYPED | {"mailbox": str(connected.pk)}).status_code == 404
    assert client.get("/settings/mailboxes/connect/?mailbox=nonsense").status_code == 404
