"""/"""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.test import Client
from django.utils import timezone

from postroom.mailboxes.models import Mailbox
from postroom.outbox.models import State, Submission
from postroom.records.models import Contact
from tests.web.correspondence import Letter, put
from tests.web.test_compose import typed


def test_an_empty_home_says_to_connect_a_mailbox(alice: Client) -> None:
    html = alice.get("/").content.decode()
    assert "Every customer message on its record" in html and "/settings/mailboxes/connect/" in html


def test_with_a_mailbox_the_next_step_is_a_contact(alice: Client, sales: Mailbox) -> None:
    assert "Now the people you write with" in alice.get("/").content.decode()


def test_a_used_home_shows_mailboxes_and_contacts(alice: Client, sales: Mailbox, katrin: Contact) -> None:
    html = alice.get("/").content.decode()
    assert sales.address in html and "Katrin Voss" in html


@pytest.mark.parametrize("state", [State.QUEUED, State.UNKNOWN, State.FAILED])
def test_what_did_not_leave_is_on_home_until_it_does(
    alice: Client, sales: Mailbox, katrin: Contact, state: State
) -> None:
    alice.post("/write/", typed(sales, subject="Without a record"))
    Submission.objects.update(state=state)
    assert "Without a record" in alice.get("/").content.decode()
    Submission.objects.update(state=State.SENT)
    alice.get("/")  # the toast of the queued one is told once
    assert "Without a record" not in alice.get("/").content.decode()


def test_postrooms_own_letters_are_not_the_latest_mail(alice: Client, sales: Mailbox, katrin: Contact) -> None:
    letter = Letter(timezone.now(), ("Postroom", sales.address), [("Bob", "bob@example.test")], "May connect bob@")
    alice.post("/write/", typed(sales, subject="Own letter"), follow=True)
    Submission.objects.update(state=State.SENT, message_id=put(sales, letter).pk)
    assert "May connect bob@" in alice.get("/").content.decode()
    Submission.objects.update(author=None)  # as Postroom itself writes
    assert "May connect bob@" not in alice.get("/").content.decode()


def test_an_old_failure_leaves_home(alice: Client, sales: Mailbox, katrin: Contact) -> None:
    alice.post("/write/", typed(sales, subject="Long ago"), follow=True)
    Submission.objects.update(state=State.FAILED, created_at=timezone.now() - timedelta(days=8))
    assert "Long ago" not in alice.get("/").content.decode()


def test_home_shows_nothing_of_another_workspace(charlie: Client, sales: Mailbox, katrin: Contact) -> None:
    html = charlie.get("/").content.decode()
    assert sales.address not in html and "Katrin Voss" not in html


def test_home_offers_nothing_that_is_not_there(alice: Client) -> None:
    html = alice.get("/").content.decode()
    assert "sandbox" not in html and "CSV" not in html and 'href="#"' not in html
    assert html.count("<ol") == 1


def test_a_refused_sign_in_is_called_so(alice: Client, sales: Mailbox, katrin: Contact) -> None:
    Mailbox.objects.update(needs_reconnect=True, error_code="sign_in_refused", error_facts={})
    html = alice.get("/").content.decode()
    assert '<span class="state bad">Sign-in refused</span>' in html and "Waiting" not in html
