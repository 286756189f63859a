"""Begins the test of a connection: a small marked message, from a mailbox to itself or to a contact.

It leaves like any other message and on no record's behalf, so that it gets onto the contact by the rules that
customers' mail gets there by. How far it came is read from what is stored (filing/connection_test.py).
"""

from __future__ import annotations

from datetime import timedelta
from typing import Final
from uuid import UUID

from django.db import transaction
from django.db.models import QuerySet

from postroom.mail.address import address_key
from postroom.mail.headers import one_line
from postroom.mail.message import Address
from postroom.mailboxes.access import sendable_mailboxes, visible_mailboxes
from postroom.mailboxes.models import Mailbox, mailbox_topic
from postroom.outbox.composition import Composition, SubmitRefused
from postroom.outbox.models import ConnectionTest
from postroom.outbox.submit import submit
from postroom.records.models import Contact
from postroom.workspaces import audit, events
from postroom.workspaces.database import now
from postroom.workspaces.ids import new_id
from postroom.workspaces.members import Member

PAUSE: Final = timedelta(seconds=30)  # between two to the same address: a button is pressed twice, a person reads


def visible_tests(member: Member) -> QuerySet[ConnectionTest]:
    """The tests of the mailboxes whose mail the member may read, newest first."""
    tests = ConnectionTest.objects.filter(workspace=member.workspace, mailbox__in=visible_mailboxes(member))
    return tests.select_related("mailbox", "submission", "author").order_by("-started_at")


@transaction.atomic
def begin_test(
    member: Member, mailbox: Mailbox, contact: Contact | None = None, *, address: str = ""
) -> ConnectionTest:
    """Send the message, to the mailbox itself without a contact, and note the test.

    `address` is one of the contact's, "" for the first. Raises SubmitRefused, and sends nothing then.
    """
    # Of two at once the second waits here, and then finds the first; or that the mailbox was disconnected.
    may_send = sendable_mailboxes(member).select_for_update(no_key=True, of=("self",)).filter(pk=mailbox.pk)
    if may_send.first() is None:
        raise SubmitRefused("mailbox_not_allowed", "mailbox_id", f"You may not send from {mailbox.address}.")
    to = _recipient(mailbox, contact, address)
    before = ConnectionTest.objects.filter(mailbox=mailbox, address=to.address, started_at__gt=now() - PAUSE)
    if before.exists():
        words = f"A test message to {to.address} left less than {PAUSE.seconds} seconds ago. Follow that one."
        raise SubmitRefused("test_running", "mailbox_id", words)
    test_id = new_id()
    submission = submit(member, letter(member, mailbox, to, test_id=test_id, has_contact=contact is not None))
    test = ConnectionTest.objects.create(
        id=test_id,
        workspace=member.workspace,
        mailbox=mailbox,
        author=member.user,
        contact_id=contact.pk if contact else None,
        address=to.address,
        submission=submission,
        started_at=submission.created_at,
    )
    audit.record(member, "mailbox.tested", f"{mailbox.address} to {to.address}")
    events.notify(mailbox_topic(mailbox.pk))
    return test


def subject_of(member: Member) -> str:
    """What the message is called, which the pages tell before it is sent."""
    return f"Test message from {member.workspace.name}"


def text_of(member: Member, *, has_contact: bool) -> str:
    """What the message says, which the pages show before it is sent."""
    name = member.user.name or member.user.email
    if has_contact:
        lines = [
            "Hello,",
            "",
            f"this is a test: {name} is making sure that our mail reaches you and that your answers reach us."
            " You need not do anything. A short answer would help: it shows that the way back works too.",
        ]
    else:
        lines = [
            f"{name} had Postroom write this message from this mailbox to itself, to prove that it sends and receives."
            " You may delete it.",
        ]
    return "\n".join([*lines, "", "Sent by Postroom as a test."]) + "\n"


def letter(member: Member, mailbox: Mailbox, to: Address, *, test_id: UUID, has_contact: bool) -> Composition:
    """The marked message: plain text, nothing in it but what it is for."""
    return Composition(
        to=(to,),
        subject=one_line(subject_of(member)),
        text=text_of(member, has_contact=has_contact),
        mailbox_id=mailbox.pk,
        from_address=mailbox.address,
        test_id=test_id,
    )


def _recipient(mailbox: Mailbox, contact: Contact | None, address: str) -> Address:
    """Whom it is sent to. Raises SubmitRefused."""
    if contact is None:
        return Address(mailbox.address)
    addresses = list(contact.addresses.all())
    if not addresses:
        raise SubmitRefused("no_address", "contact_id", f"{contact.name} has no address. Add one first.")
    if not address:
        return Address(addresses[0].address, contact.name)
    own = next((one for one in addresses if one.key == address_key(address)), None)
    if own is None:
        raise SubmitRefused("address_unknown", "address", f"{address} is not an address of {contact.name}.")
    return Address(own.address, contact.name)
