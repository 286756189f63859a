"""/settings/unreadable/, and what a thread says of messages that are not what they seem"""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from django.test import Client

from postroom.correspondence.models import Message
from postroom.filing.people import add_contact
from postroom.mailboxes.models import Mailbox, Sharing
from postroom.records.models import Contact
from tests.cast import Cast, make_mailbox
from tests.web.correspondence import Letter, put

NOW = datetime(2026, 11, 1, tzinfo=UTC)
KATRIN = ("Katrin Voss", "katrin@lagerhaus.example")


def letter(mailbox: Mailbox, subject: str, **columns: object) -> Message:
    message = put(mailbox, Letter(NOW, KATRIN, [("", mailbox.address)], subject, "Hello"))
    Message.objects.filter(pk=message.pk).update(**columns)
    return Message.objects.get(pk=message.pk)


@pytest.fixture
def broken(sales: Mailbox) -> Message:
    return letter(sales, "Broken offer", problem="unreadable", is_readable=False)


def test_an_administrator_sees_what_could_not_be_read(alice: Client, sales: Mailbox, broken: Message) -> None:
    letter(sales, "Film of the depot", problem="too_large", size=149_000_000)
    letter(sales, "Readable offer")
    html = alice.get("/settings/unreadable/").content.decode()
    for words in ("Broken offer", "Not understood", "Film of the depot", "Too large", "149.0 MB", "2 messages."):
        assert words in html
    assert "Readable offer" not in html
    assert "Unreadable messages" in alice.get("/settings/").content.decode()


def test_without_any_the_page_says_so(alice: Client, sales: Mailbox) -> None:
    assert "Every message could be read" in alice.get("/settings/unreadable/").content.decode()


def test_only_administrators_see_the_page_and_only_of_their_workspace(
    bob: Client, charlie: Client, broken: Message
) -> None:
    assert bob.get("/settings/unreadable/").status_code == 403
    assert "Unreadable messages" not in bob.get("/settings/").content.decode()
    assert "Broken offer" not in charlie.get("/settings/unreadable/").content.decode()


def test_an_administrator_sees_of_personal_mail_only_what_is_shared(alice: Client, cast: Cast) -> None:
    mine = make_mailbox(cast.bob, "bob@tidewater.example", kind="personal")
    letter(mine, "Love letter", problem="unreadable")
    add_contact(cast.bob, "Katrin Voss", [KATRIN[1]])
    assert "Katrin" not in alice.get("/settings/unreadable/").content.decode()
    Mailbox.objects.filter(pk=mine.pk).update(sharing=Sharing.METADATA)
    html = alice.get("/settings/unreadable/").content.decode()
    assert "Katrin Voss" in html and "Love letter" not in html


def test_many_come_in_pages(alice: Client, sales: Mailbox) -> None:
    for number in range(51):
        letter(sales, f"Broken {number}", problem="unreadable")
    first = alice.get("/settings/unreadable/").content.decode()
    assert "51 messages." in first and "Older" in first and "Newer" not in first
    second = alice.get("/settings/unreadable/?page=2").content.decode()
    assert "Newer" in second and second.count("Not understood") == 1


def opened(client: Client, contact: Contact, message: Message) -> str:
    return client.get(f"/contacts/{contact.pk}/emails/?open={message.pk}").content.decode()


@pytest.mark.parametrize(
    ("problem", "words"),
    [
        ("unreadable", "Postroom could not read this message."),
        ("too_large", "This message is too large to be kept here: 149.0 MB."),
    ],
)
def test_a_thread_says_why_a_text_is_not_here_and_where_it_is(
    alice: Client, sales: Mailbox, cast: Cast, problem: str, words: str
) -> None:
    message = letter(sales, "Offer", problem=problem, size=149_000_000)
    contact = add_contact(cast.alice, "Katrin Voss", [KATRIN[1]])
    html = opened(alice, contact, message)
    assert words in html and "Open it in your mail program" in html and "cannot be downloaded here" in html
    assert "mail-frame" not in html


def test_a_twin_is_marked_and_read(alice: Client, sales: Mailbox, cast: Cast) -> None:
    message, plain = letter(sales, "Offer", has_twin=True), letter(sales, "Answer")
    contact = add_contact(cast.alice, "Katrin Voss", [KATRIN[1]])
    html = opened(alice, contact, message)
    assert "Another message with other content carries the same Message-ID." in html and "mail-frame" in html
    assert "Message-ID" not in opened(alice, contact, plain)
