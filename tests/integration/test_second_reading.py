"""Messages that could not be read are kept, and read again by the next version."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest
from django.db import connection

from postroom.correspondence.models import Attachment, Message, Participant, Placement, Thread, ThreadRef
from postroom.correspondence.reading import load_body
from postroom.engine.store import NewMessage
from postroom.filing.models import Filing, Reason
from postroom.filing.people import add_contact
from postroom.filing.refile import file_by_hand, remove_filing
from postroom.mail.message import Address, ParsedAttachment
from postroom.mail.mime.identity import identity
from postroom.mail.mime.parsing import PARSER_VERSION
from postroom.mailboxes.models import Mailbox
from postroom.records.models import RecordType
from tests.cast import Cast, make_cast
from tests.integration.mailroom import Mailroom, filed, open_mailroom, write

OWN, ANNA, BEN = "sales@own.example", "anna@customer.example", "ben@customer.example"


@pytest.fixture
def cast(transactional_db: None) -> Cast:
    return make_cast()


@pytest.fixture
def room() -> Iterator[Mailroom]:
    with open_mailroom() as room:
        yield room


@pytest.fixture
def mailbox(cast: Cast, room: Mailroom) -> Mailbox:
    return room.connect(cast.alice, OWN)


def unread(message: NewMessage, **lost: object) -> NewMessage:
    """The message as a parser has it that cannot read it."""
    parsed = replace(message.parsed, text="", attachments=(), is_readable=False, **lost)  # type: ignore[arg-type]
    return replace(message, parsed=parsed, identity=identity(parsed, b"raw"))


def age() -> None:
    """Postroom was updated since everything was stored."""
    Message.objects.update(parser_version=PARSER_VERSION - 1)


def asked(room: Mailroom, mailbox: Mailbox) -> list[str]:
    return [remote_id for wanted in room.store.wanted(mailbox.pk, 100) for remote_id in wanted.remote_ids]


OFFER = write("Offer", ANNA, OWN, attachments=(ParsedAttachment("a.pdf", "application/pdf", b"%PDF"),))


def test_this_version_does_not_ask_again_for_what_it_cannot_read(mailbox: Mailbox, room: Mailroom) -> None:
    room.deliver(mailbox, unread(OFFER), write("Other", ANNA, OWN))
    assert Message.objects.get(problem="unreadable").parser_version == PARSER_VERSION
    assert asked(room, mailbox) == []
    age()
    assert asked(room, mailbox) == ["Offer"]
    room.deliver(mailbox, unread(OFFER))
    assert asked(room, mailbox) == [] and Message.objects.filter(problem="unreadable").count() == 1


def test_a_message_that_is_readable_now_keeps_its_id_and_gets_all_else(mailbox: Mailbox, room: Mailroom) -> None:
    room.deliver(mailbox, unread(OFFER, subject="", internet_message_id=""), write("Answer", BEN, OWN, answers="Offer"))
    before = Message.objects.get(problem="unreadable")
    age()
    room.deliver(mailbox, OFFER)
    after = Message.objects.get(pk=before.pk)
    assert (after.subject, after.problem, after.is_readable, after.attachment_count) == ("Offer", "", True, 1)
    assert load_body(after).text == "About Offer"
    assert after.thread_id == Message.objects.get(subject="Answer").thread_id != before.thread_id
    assert (Message.objects.count(), Placement.objects.count(), Attachment.objects.count()) == (2, 2, 1)
    assert not Thread.objects.filter(pk=before.thread_id) and not ThreadRef.objects.filter(thread_id=before.thread_id)
    assert Participant.objects.filter(message_id=after.pk).count() == 2
    assert asked(room, mailbox) == []


def test_it_is_filed_on_what_it_says_now_and_stays_where_people_put_it(
    cast: Cast, mailbox: Mailbox, room: Mailroom
) -> None:
    anna, ben, carl = (add_contact(cast.alice, name, [f"{name}@customer.example"]) for name in ("anna", "ben", "carl"))
    both = replace(OFFER, parsed=replace(OFFER.parsed, cc=(Address(BEN),)))
    both = replace(both, identity=identity(both.parsed, b""))
    room.deliver(mailbox, unread(both, subject="Offer", cc=()))
    message = Message.objects.get()
    remove_filing(cast.alice, Filing.objects.get(record_id=anna.pk))
    file_by_hand(cast.alice, message, RecordType.CONTACT, carl.pk)
    age()
    room.deliver(mailbox, both)
    assert filed(anna.pk) == {}
    assert filed(ben.pk) == {"Offer": Reason.ADDRESS}
    assert filed(carl.pk) == {"Offer": Reason.MANUAL}
    assert set(Filing.objects.values_list("thread_id", flat=True)) == {Message.objects.get().thread_id}


def test_one_that_turns_out_to_be_stored_already_becomes_that_one(cast: Cast, mailbox: Mailbox, room: Mailroom) -> None:
    carl = add_contact(cast.alice, "carl", ["carl@customer.example"])
    room.deliver(mailbox, unread(OFFER))
    file_by_hand(cast.alice, Message.objects.get(), RecordType.CONTACT, carl.pk)
    age()
    room.deliver(room.connect(cast.alice, "team@own.example"), OFFER)
    assert Message.objects.count() == 2
    room.deliver(mailbox, OFFER)
    only = Message.objects.get()
    assert only.problem == "" and filed(carl.pk) == {"Offer": Reason.MANUAL}
    assert set(Placement.objects.values_list("message_id", flat=True)) == {only.pk}
    assert Placement.objects.count() == 2


def test_what_the_server_has_no_longer_is_not_asked_for(mailbox: Mailbox, room: Mailroom) -> None:
    room.deliver(mailbox, unread(OFFER))
    age()
    room.remove(mailbox, "Offer")
    assert asked(room, mailbox) == []


def test_the_search_for_them_takes_the_index(db: None) -> None:
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL enable_seqscan = off")
        cursor.execute(
            "EXPLAIN SELECT id FROM correspondence_message message WHERE workspace_id = gen_random_uuid()"
            " AND problem <> '' AND problem = 'unreadable' AND parser_version < 1"
        )
        assert "problem_messages" in "\n".join(row[0] for row in cursor.fetchall())
