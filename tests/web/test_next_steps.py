"""What a page about a provider says once something was chosen or typed: the words are about that, and lead on."""

from __future__ import annotations

import re
from html import unescape

from django.test import Client

from postroom.mailboxes.models import Mailbox
from tests.fakes.google import FakeGoogle
from tests.fakes.microsoft import FakeMicrosoft
from tests.web.at_provider import allow_at_microsoft, departure, follow, press

SUPPORT = "support@tidewater.example"
OUTLOOK = "/settings/mailboxes/connect/outlook/"
WHOSE = {"kind": "shared", "usage": "sales", "backfill_days": "30", "display_name": "Tidewater"}


def page(client: Client, url: str) -> str:
    return unescape(client.get(url).content.decode())


def test_the_letter_to_an_administrator_names_the_mailbox_that_was_typed(google_app: FakeGoogle, alice: Client) -> None:
    where = "/settings/mailboxes/connect/gmail/"
    alice.post(where, {**WHOSE, "address": SUPPORT})
    waiting = re.search(r"/settings/mailboxes/journeys/[0-9a-f-]{36}/", page(alice, where))
    assert waiting, "who comes back by hand is led to what he may send"
    assert f"I would like to connect my mailbox {SUPPORT} with Postroom" in page(alice, waiting[0])


def test_the_guide_names_the_permissions_of_both_ways(google: FakeGoogle, alice: Client) -> None:
    html = page(alice, "/settings/apps/gmail/")
    lists = dict(re.findall(r'data-way="(\w+)">(.*?)</ul>', html, re.DOTALL))
    assert "gmail.modify" in lists["api"] and "https://mail.google.com/" in lists["servers"]


def test_an_app_that_is_ready_leads_on_to_the_first_mailbox(google_app: FakeGoogle, alice: Client) -> None:
    html = page(alice, "/settings/apps/gmail/")
    assert re.search(r'<a class="button primary" href="/settings/mailboxes/connect/gmail/">', html)


def test_what_is_asked_for_a_shared_mailbox_is_said_before(microsoft_app: FakeMicrosoft, alice: Client) -> None:
    html = page(alice, OUTLOOK)
    assert re.search(r'<li class="for-shared">.*Read the shared mailbox that you name', html)


def test_nobody_is_asked_to_reconnect_for_what_the_app_has(microsoft_app: FakeMicrosoft, alice: Client) -> None:
    microsoft_app.mailbox(SUPPORT)
    follow(alice, allow_at_microsoft(departure(alice.post(OUTLOOK, WHOSE)), SUPPORT))
    Mailbox.objects.update(error_code="app_secret_expired", receiving_state="failing")
    html = page(alice, "/settings/mailboxes/")
    assert ">Reconnect</a>" not in html
    assert '<a class="button" href="/settings/apps/outlook/">Open the app</a>' in html


def test_who_closed_the_page_that_waits_for_an_approval_finds_it_again(
    microsoft_app: FakeMicrosoft, alice: Client, bob: Client, guest: Client
) -> None:
    microsoft_app.mailbox(SUPPORT)
    microsoft_app.faults.needs_admin_approval = True
    follow(alice, press(departure(alice.post(OUTLOOK, WHOSE)), ("account", SUPPORT), ("return", "1")))
    html = page(alice, OUTLOOK)
    assert "waits for an administrator" in html and "waits for an administrator" not in page(bob, OUTLOOK)
    journey = re.search(r'href="(/settings/mailboxes/journeys/[^"]+)">Show it', html)
    assert journey
    link = re.search(r'id="approval-url">([^<]+)<', page(alice, journey[1]))
    assert link
    guest.get(press(link[1], ("consent", "1")))
    assert f'<form method="post" action="{journey[1]}">' in page(alice, OUTLOOK)
    follow(alice, press(departure(alice.post(journey[1])), ("account", SUPPORT)))
    assert Mailbox.objects.get().address == SUPPORT
