"""What is left of a mailbox that was disconnected, and what other mailboxes keep."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest
from django.core.files.storage import storages

from postroom.correspondence.attachment_files import name_of
from postroom.correspondence.models import Attachment, Body, Message, Participant, Placement, Thread, ThreadRef
from postroom.filing.models import Filing
from postroom.filing.people import add_contact
from postroom.mail.message import ParsedAttachment
from postroom.mailboxes.connect import disconnect
from postroom.workspaces.members import Member
from postroom.workspaces.models import Membership, User, Workspace
from tests.integration.mailroom import Mailroom, open_mailroom, write

OWN, SECOND, ANNA, FRIEND = "sales@own.example", "info@own.example", "anna@work.example", "friend@x.example"
CONTRACT = ParsedAttachment("contract.pdf", "application/pdf", b"of a mailbox that goes")


@pytest.fixture
def alice(transactional_db: None) -> Member:
    workspace, user = Workspace.objects.create(name="Own"), User.objects.create(email="alice@own.example")
    return Member(workspace, user, Membership.objects.create(workspace=workspace, user=user))


@pytest.fixture
def room() -> Iterator[Mailroom]:
    with open_mailroom() as room:
        yield room


def subjects() -> list[str]:
    return sorted(Message.objects.values_list("subject", flat=True))


def test_without_history_no_row_and_no_file_stays(alice: Member, room: Mailroom) -> None:
    add_contact(alice, "Anna", [ANNA])
    mailbox = room.connect(alice, OWN)
    room.deliver(mailbox, write("A", ANNA, OWN, attachments=(CONTRACT,)), write("B", FRIEND, OWN, answers="A"))
    name = name_of(bytes(Attachment.objects.get().sha256))
    assert storages["attachments"].exists(name)
    disconnect(alice, mailbox, keep_history=False)
    for model in (Message, Body, Participant, Attachment, Placement, Filing, Thread, ThreadRef):
        assert not model.objects.exists(), model
    assert not storages["attachments"].exists(name)


def test_with_history_stays_what_is_on_a_record(alice: Member, room: Mailroom) -> None:
    add_contact(alice, "Anna", [ANNA])
    mailbox = room.connect(alice, OWN)
    room.deliver(mailbox, write("A", ANNA, OWN), write("B", FRIEND, OWN))
    disconnect(alice, mailbox, keep_history=True)
    assert subjects() == ["A"]
    kept = Message.objects.get()
    assert [thread.pk for thread in Thread.objects.all()] == [kept.thread_id]
    assert set(ThreadRef.objects.values_list("thread_id", flat=True)) == {kept.thread_id}


def test_what_another_mailbox_has_stays_there(alice: Member, room: Mailroom) -> None:
    first, second = room.connect(alice, OWN), room.connect(alice, SECOND)
    room.deliver(first, write("A", FRIEND, OWN), write("B", FRIEND, OWN, answers="A"))
    room.deliver(second, replace(write("A", FRIEND, OWN), remote_id="copy"))
    disconnect(alice, first, keep_history=False)
    assert subjects() == ["A"]
    assert Thread.objects.count() == 1
    assert [placement.mailbox_id for placement in Placement.objects.all()] == [second.pk]


def test_one_message_in_several_mailboxes_is_stored_once(alice: Member, room: Mailroom) -> None:
    first, second = room.connect(alice, OWN), room.connect(alice, SECOND)
    room.deliver(first, write("A", FRIEND, OWN))
    room.deliver(second, write("A", FRIEND, OWN))
    assert subjects() == ["A"]
    assert Placement.objects.count() == 2
