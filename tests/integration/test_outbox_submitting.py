"""Submissions in PostgreSQL: what is taken, what is refused, from where it leaves and who sees it."""

from __future__ import annotations

from email import message_from_bytes
from email.policy import default
from uuid import uuid4

import pytest
from django.utils import timezone

from postroom.correspondence.blobs import pack
from postroom.correspondence.models import Body, Direction, Message, Participant, Placement
from postroom.mail.message import Address
from postroom.mailboxes.models import Identity, Kind, Mailbox, MailboxMember
from postroom.outbox import submit
from postroom.outbox.access import visible_submissions
from postroom.outbox.choice import choice_for
from postroom.outbox.composition import SubmitRefused
from postroom.outbox.models import State, Submission
from postroom.records.models import Contact, RecordType
from postroom.workspaces.members import Member
from tests.cast import Cast
from tests.integration.outbox_place import (
    BOB,
    alice,
    composed,
    connect,
    jobs,
    reload,
    sales,
    server,
)

__all__ = ["alice", "sales", "server"]  # fixtures

pytestmark = pytest.mark.django_db(transaction=True)


def test_what_is_submitted_is_frozen_queued_and_has_its_job(alice: Member, sales: Mailbox) -> None:
    contact = Contact.objects.create(workspace=alice.workspace, name="Bob")
    submission = submit.submit(
        alice,
        composed(
            bcc=[Address("eve@customer.example")],
            html="<p>Hello <b>Bob</b></p>",
            text="",
            record_type=RecordType.CONTACT,
            record_id=contact.pk,
            attachments=[("offer.txt", "text/plain", b"42")],
        ),
    )
    stored = reload(submission)
    mime = message_from_bytes(bytes(stored.mime), policy=default)
    assert (stored.state, stored.from_address, stored.from_name) == (State.QUEUED, "sales@acme.example", "Acme")
    assert stored.reason_for_from == "sales@acme.example is the only mailbox you may send from."
    assert mime["From"] == "Acme <sales@acme.example>"
    assert mime["X-Postroom-Submission"] == str(stored.pk)
    assert mime["Message-ID"] == stored.internet_message_id
    assert stored.internet_message_id.endswith("@acme.example>")
    assert mime["Bcc"] is None
    assert stored.recipients == ["bob@customer.example", "eve@customer.example"]
    assert mime.get_body(("plain",)).get_content().strip() == "Hello Bob"
    assert "<b>Bob</b>" in mime.get_body(("html",)).get_content()
    assert [part.get_filename() for part in mime.iter_attachments()] == ["offer.txt"]
    assert stored.snippet == "Hello Bob"
    assert jobs("send_submission") == [str(stored.pk)]


def test_a_refused_composition_stores_nothing(alice: Member, sales: Mailbox) -> None:
    with pytest.raises(SubmitRefused):
        submit.submit(alice, composed(to=[]))
    with pytest.raises(SubmitRefused) as refused:
        submit.submit(alice, composed(record_type=RecordType.CONTACT, record_id=uuid4()))
    assert refused.value.code == "record_not_found"
    assert not Submission.objects.exists()
    assert jobs("send_submission") == []


def store_message(mailbox: Mailbox, headers: bytes, **more: object) -> Message:
    message = Message.objects.create(
        **{
            "workspace_id": mailbox.workspace_id, "thread_id": uuid4(), "identity": uuid4(), "ref": uuid4(),
            "internet_message_id": "<b@customer.example>", "direction": Direction.IN, "at": timezone.now(),
            "from_name": "Bob", "from_address": BOB.address, "subject": "Question", "snippet": "", "size": 1,
            "attachment_count": 0, "is_readable": True,
        } | more
    )  # fmt: skip
    Body.objects.create(message_id=message.pk, workspace_id=mailbox.workspace_id, content=pack("", "", headers))
    Placement.objects.create(
        workspace_id=mailbox.workspace_id, mailbox_id=mailbox.pk, folder_id=uuid4(), message_id=message.pk,
        remote_id="1", flags=[],
    )  # fmt: skip
    Participant.objects.create(
        workspace_id=mailbox.workspace_id, message_id=message.pk, role="to", position=0, name="",
        address=mailbox.address, key=mailbox.address,
    )  # fmt: skip
    return message


def test_a_reply_carries_the_thread_and_leaves_from_the_mailbox_it_came_to(alice: Member, sales: Mailbox) -> None:
    support = connect(alice, "support@acme.example")
    question = store_message(support, b"References: <a@x.example>\r\n <q@x.example>\r\n")
    submission = submit.submit(alice, composed(subject="Re: Question", in_reply_to=question.pk))
    mime = message_from_bytes(bytes(submission.mime), policy=default)
    assert submission.mailbox_id == support.pk
    assert mime["In-Reply-To"] == "<b@customer.example>"
    assert mime["References"].split() == ["<a@x.example>", "<q@x.example>", "<b@customer.example>"]
    assert mime["Subject"] == submission.subject == "Re: Question"
    assert choice_for(alice, in_reply_to=question.pk).reason == "The conversation came to support@acme.example."


def test_freezing_takes_no_subject_from_the_answered_message(alice: Member, sales: Mailbox) -> None:
    """Its owner may keep it to himself; what the member may see of it was put in before."""
    question = store_message(sales, b"")
    assert submit.submit(alice, composed(subject="", in_reply_to=question.pk)).subject == ""


def test_a_message_of_another_workspace_cannot_be_answered(cast: Cast, alice: Member, sales: Mailbox) -> None:
    secret = store_message(connect(cast.charlie, "charlie@other.example"), b"")
    with pytest.raises(SubmitRefused) as refused:
        submit.submit(alice, composed(in_reply_to=secret.pk))
    assert refused.value.code == "message_not_found"


def test_who_may_not_send_from_a_mailbox_cannot_choose_it(cast: Cast, alice: Member, sales: Mailbox) -> None:
    bob = cast.bob
    MailboxMember.objects.create(mailbox=sales, user=bob.user, can_send=False)
    with pytest.raises(SubmitRefused) as refused:
        submit.submit(bob, composed(mailbox_id=sales.pk))
    assert refused.value.code == "no_mailbox"
    connect(bob, "bob@acme.example", Kind.PERSONAL)
    with pytest.raises(SubmitRefused) as refused:
        submit.submit(bob, composed(mailbox_id=sales.pk))
    assert refused.value.code == "mailbox_not_allowed"


def test_a_submission_is_seen_by_who_may_read_its_mailbox(cast: Cast, alice: Member, sales: Mailbox) -> None:
    bob, charlie = cast.bob, cast.charlie
    shared = submit.submit(alice, composed(mailbox_id=sales.pk))
    own = connect(alice, "alice@acme.example", Kind.PERSONAL)
    personal = submit.submit(alice, composed(mailbox_id=own.pk))
    assert set(visible_submissions(alice)) == {shared, personal}
    assert set(visible_submissions(bob)) == {shared}
    assert set(visible_submissions(charlie)) == set()
    with pytest.raises(SubmitRefused):
        submit.cancel(charlie, shared)


def test_a_message_leaves_from_the_chosen_alias_with_its_reply_to(alice: Member, sales: Mailbox) -> None:
    alias = Identity.objects.create(
        workspace=alice.workspace, mailbox=sales, address="offers@acme.example", name="Offers",
        reply_to="desk@acme.example", is_listed=True,
    )  # fmt: skip
    stored = submit.submit(alice, composed(from_address="OFFERS@acme.example"))
    mime = message_from_bytes(bytes(stored.mime), policy=default)
    assert (stored.from_address, stored.from_name) == ("offers@acme.example", "Offers")
    assert (mime["From"], mime["Reply-To"]) == ("Offers <offers@acme.example>", "desk@acme.example")
    assert stored.internet_message_id.endswith("@acme.example>")
    alias.delete()
    with pytest.raises(SubmitRefused) as refused:
        submit.submit(alice, composed(from_address="offers@acme.example"))
    assert (refused.value.code, refused.value.field) == ("address_not_allowed", "from_address")


def test_an_answer_leaves_from_the_alias_that_was_written_to(alice: Member, sales: Mailbox) -> None:
    Identity.objects.create(workspace=alice.workspace, mailbox=sales, address="offers@acme.example", is_listed=True)
    question = store_message(sales, b"")
    Participant.objects.filter(message_id=question.pk).update(address="offers@acme.example", key="offers@acme.example")
    choice = choice_for(alice, in_reply_to=question.pk)
    assert choice is not None
    assert (choice.address, choice.reason) == (
        "offers@acme.example",
        "The conversation came to offers@acme.example.",
    )
