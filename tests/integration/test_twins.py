"""Two messages under one Message-ID are two, and both are marked."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest

from postroom.correspondence.models import Message
from postroom.engine.store import NewMessage
from postroom.mail.mime.identity import identity
from postroom.mailboxes.models import Mailbox
from tests.cast import Cast, make_cast
from tests.integration.mailroom import Mailroom, open_mailroom, write

OWN, ANNA, MALLORY = "sales@own.example", "anna@customer.example", "mallory@else.example"


@pytest.fixture
def room() -> Iterator[Mailroom]:
    with open_mailroom() as room:
        yield room


@pytest.fixture
def cast(transactional_db: None) -> Cast:
    return make_cast()


@pytest.fixture
def mailbox(cast: Cast, room: Mailroom) -> Mailbox:
    return room.connect(cast.alice, OWN)


def under_its_id(message: NewMessage, subject: str, sender: str = MALLORY, **changes: object) -> NewMessage:
    """Another message that carries the Message-ID of this one."""
    other = write(subject, sender, OWN)
    named = {"internet_message_id": message.parsed.internet_message_id} | changes
    parsed = replace(other.parsed, **named)  # type: ignore[arg-type]
    return replace(other, parsed=parsed, identity=identity(parsed, b"other"))


def marked() -> set[str]:
    return set(Message.objects.filter(has_twin=True).values_list("subject", flat=True))


def test_a_message_under_the_id_of_an_earlier_one_marks_both(mailbox: Mailbox, room: Mailroom) -> None:
    offer, other = write("Offer", ANNA, OWN), write("Other", ANNA, OWN)
    room.deliver(mailbox, offer, other)
    assert marked() == set()
    room.deliver(mailbox, under_its_id(offer, "Forged"), write("More", ANNA, OWN, answers="Other"))
    assert marked() == {"Offer", "Forged"}
    assert Message.objects.get(subject="Forged").thread_id == Message.objects.get(subject="Offer").thread_id


def test_two_in_one_page_are_marked(mailbox: Mailbox, room: Mailroom) -> None:
    offer = write("Offer", ANNA, OWN)
    room.deliver(mailbox, offer, under_its_id(offer, "Forged"), write("Other", ANNA, OWN))
    assert marked() == {"Offer", "Forged"}


def test_a_copy_in_another_mailbox_is_no_twin(mailbox: Mailbox, room: Mailroom) -> None:
    offer = write("Offer", ANNA, OWN)
    room.deliver(mailbox, offer)
    room.deliver(mailbox, replace(offer, remote_id="again"))
    assert (Message.objects.count(), marked()) == (1, set())


def test_an_answer_before_what_it_answers_makes_no_twin(mailbox: Mailbox, room: Mailroom) -> None:
    room.deliver(mailbox, write("Answer", ANNA, OWN, answers="Offer"))
    room.deliver(mailbox, write("Offer", ANNA, OWN))
    assert marked() == set()


def test_messages_without_an_id_are_no_twins(mailbox: Mailbox, room: Mailroom) -> None:
    offer = write("Offer", ANNA, OWN)
    room.deliver(mailbox, under_its_id(offer, "One", internet_message_id=""))
    room.deliver(
        mailbox,
        under_its_id(offer, "Two", internet_message_id=""),
        under_its_id(offer, "Three", internet_message_id=""),
    )
    assert (Message.objects.count(), marked()) == (3, set())


def test_another_workspace_is_another_world(cast: Cast, mailbox: Mailbox, room: Mailroom) -> None:
    offer = write("Offer", ANNA, OWN)
    room.deliver(mailbox, offer)
    room.deliver(room.connect(cast.charlie, "charlie@else.example"), under_its_id(offer, "Elsewhere"))
    assert marked() == set()
