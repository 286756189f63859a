"""Sending is a direction of its own: why it fails and since when is kept, told, and forgotten once it works."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.utils import timezone

from postroom.mailboxes.models import Mailbox
from postroom.mailboxes.troubles import troubles_of
from postroom.outbox import owner_notice, sending, submit
from postroom.outbox.models import State, Submission
from postroom.providers.memory.server import MemoryServer
from postroom.workspaces.members import Member
from tests.integration.outbox_place import alice, composed, connect, run, sales, server

__all__ = ["alice", "sales", "server"]  # fixtures
pytestmark = pytest.mark.django_db(transaction=True)


def send(member: Member, mailbox: Mailbox) -> None:
    """Try to send another message, then look at the mailbox anew."""
    submission = submit.submit(member, composed(mailbox_id=mailbox.pk))
    run(sending.send(submission.pk))
    mailbox.refresh_from_db()


def test_what_keeps_it_from_sending_is_known_until_it_sends(
    alice: Member, sales: Mailbox, server: MemoryServer
) -> None:
    Mailbox.objects.update(sign_in_state="ok", receiving_state="ok")
    server.faults.throttle_send = True
    send(alice, sales)
    began = sales.sending_failing_since
    assert began is not None and sales.failing_since is None
    assert [(one.direction, one.meaning, one.since) for one in troubles_of(sales)] == [("sending", "slow", began)]
    send(alice, sales)
    assert sales.sending_failing_since == began, "it goes on failing since then"
    server.faults.throttle_send = False
    send(alice, sales)
    assert not troubles_of(sales)
    assert sales.sending_code == "" and vars(sales)["sending_failing_since"] is None


def test_a_refused_sign_in_at_the_sending_server_is_one_trouble_and_one_letter(
    alice: Member, sales: Mailbox, server: MemoryServer
) -> None:
    connect(alice, "support@acme.example")
    Mailbox.objects.update(sign_in_state="ok", receiving_state="ok")
    server.faults.refuse_sign_in = True
    send(alice, sales)
    [trouble] = troubles_of(sales)
    assert (trouble.direction, trouble.meaning) == ("sending", "reconnect")
    Mailbox.objects.filter(pk=sales.pk).update(sending_failing_since=timezone.now() - timedelta(hours=2))
    assert (owner_notice.tell_owners(), owner_notice.tell_owners()) == (1, 0)
    letter = Submission.objects.get(author=None)
    assert (letter.subject, letter.from_address) == (
        "Postroom cannot send from sales@acme.example",
        "support@acme.example",
    )
    assert letter.state == State.QUEUED
