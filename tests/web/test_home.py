"""/"""

from __future__ import annotations

from django.test import Client

from postroom.mailboxes.models import Mailbox
from postroom.records.models import Contact


def test_an_empty_home_says_to_connect_a_mailbox(alice: Client) -> None:
    html = alice.get("/").content.decode()
    assert "Every customer message on its record" in html and "/settings/mailboxes/connect/" in html


def test_with_a_mailbox_the_next_step_is_a_contact(alice: Client, sales: Mailbox) -> None:
    assert "Now the people you write with" in alice.get("/").content.decode()


def test_a_used_home_shows_mailboxes_and_contacts(alice: Client, sales: Mailbox, katrin: Contact) -> None:
    html = alice.get("/").content.decode()
    assert sales.address in html and "Katrin Voss" in html


def test_home_shows_nothing_of_another_workspace(charlie: Client, sales: Mailbox, katrin: Contact) -> None:
    html = charlie.get("/").content.decode()
    assert sales.address not in html and "Katrin Voss" not in html


def test_home_offers_nothing_that_is_not_there(alice: Client) -> None:
    html = alice.get("/").content.decode()
    assert "sandbox" not in html and "CSV" not in html and 'href="#"' not in html
    assert html.count("<ol") == 1
