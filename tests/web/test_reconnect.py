"""What the pages say of reconnecting: from the settings to the form, and of another account its name."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from django.test import Client

from postroom.mailboxes import same_account
from postroom.mailboxes.connect import ConnectRequest, store_mailbox
from postroom.mailboxes.credentials import load_credentials
from postroom.mailboxes.models import Mailbox
from postroom.providers import catalogue
from postroom.providers.base import CheckStep
from postroom.web.checking import moved_html, not_the_same, save, verdict_html, whats_wrong
from tests.cast import Cast

SERVER = {"host": "mail.tidewater.invalid", "port": 993, "security": "tls", "username": "u1234", "password": "p"}
ADDRESS = "sales@tidewater.example"


def request_as(username: str) -> ConnectRequest:
    servers = {name: SERVER | {"username": username} for name in ("imap", "smtp")}
    return ConnectRequest(provider="imap", address=ADDRESS, kind="shared", secrets=servers)


@pytest.fixture
def connected(cast: Cast) -> Iterator[Mailbox]:
    yield store_mailbox(cast.alice, request_as("u1234"))


def test_the_settings_name_the_servers_and_lead_to_the_form(alice: Client, connected: Mailbox) -> None:
    html = alice.get(f"/settings/mailboxes/{connected.pk}/settings/").content.decode()
    assert "mail.tidewater.invalid, port 993, as u1234" in html and "Change servers or password" in html
    assert f"/settings/mailboxes/connect/?mailbox={connected.pk}" in html


def test_another_account_is_refused_by_name_with_what_to_do(connected: Mailbox) -> None:
    with pytest.raises(same_account.OtherAccount) as refused:
        same_account.require_same_account(connected, request_as("u9999").credentials, None)
    html = verdict_html([not_the_same(refused.value)])
    assert f"You signed in as u9999, and this mailbox is {ADDRESS} with the user name u1234" in html
    assert "keep its history, and connect the address again" in html
    assert same_account.OtherAccount.code in catalogue.CATALOGUE


def test_that_it_is_another_account_is_said_before_what_only_follows_from_it(connected: Mailbox) -> None:
    read = CheckStep("imap", "sign_in", True, 0.1, facts={"username": "u9999"})
    unsent = CheckStep("smtp", "sender", False, 0.1, "", "sender_not_allowed")
    assert [step.code for step in whats_wrong(request_as("u9999"), [read, unsent], connected)] == ["other_account"]
    for request, steps, mailbox in (
        (request_as("u1234"), [CheckStep("imap", "sign_in", True, 0.1), unsent], connected),
        (request_as("u9999"), [CheckStep("imap", "sign_in", False, 0.1, "", "sign_in_refused"), unsent], connected),
        (request_as("u9999"), [read, unsent], None),
    ):
        assert whats_wrong(request, steps, mailbox) == steps


def test_the_local_part_and_the_whole_address_are_no_other_account(connected: Mailbox) -> None:
    for username in ("sales", ADDRESS.upper(), "U1234"):
        same_account.require_same_account(connected, request_as(username).credentials, None)


def test_that_the_server_moved_is_for_somebody_to_say(cast: Cast, connected: Mailbox) -> None:
    moved = same_account.OtherServer(expected=ADDRESS, address="u1234", host="new.example", before="old.example")
    html = moved_html(moved, frozenset({"not_encrypted"}))
    assert "new.example is not where sales@tidewater.example was read before (old.example)" in html
    assert 'name="accepted" value="not_encrypted server_moved"' in html
    assert "The server moved: its messages have been copied</button>" in html
    elsewhere = request_as("u1234")
    elsewhere.secrets["imap"] |= {"host": "mail.elsewhere.invalid"}
    save(cast.alice, elsewhere, connected, frozenset({same_account.OtherServer.code}))
    assert load_credentials(connected).secrets["imap"]["host"] == "mail.elsewhere.invalid"
