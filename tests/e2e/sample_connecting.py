"""A mailbox whose import waits, members who ask, months that are counted and connections that are tested, for the
screenshots."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Final

from django.utils import timezone

from postroom.correspondence.models import Placement
from postroom.filing.people import add_contact
from postroom.mailboxes.connect import ConnectRequest, store_mailbox
from postroom.mailboxes.models import Folder, FolderMonth, Mailbox
from postroom.outbox.connection_test import begin_test
from postroom.outbox.models import ConnectionTest, SentCopy, State, Submission
from postroom.records.models import Contact
from postroom.workspaces import approval
from tests.cast import Cast
from tests.e2e.picture_servers import WAITING
from tests.e2e.steps import KATRIN
from tests.servers.dovecot import PASSWORD
from tests.web.correspondence import Letter, put

MONTHS: Final = {"Inbox": (1480, 2210, 1904), "Sent": (391, 402, 377)}  # at the server: this month and those before


def make_waiting(cast: Cast, imaps: int) -> None:
    """Connected, and nothing read before somebody has seen what would come."""
    server = {"host": "imap.example.test", "port": imaps, "security": "tls", "username": WAITING, "password": PASSWORD}
    wanted = ConnectRequest(
        provider="imap", address=WAITING, kind="personal", secrets={"imap": server, "smtp": server}, awaits_start=True
    )
    store_mailbox(cast.alice, wanted)
    add_contact(cast.alice, "Katrin of the depot", [KATRIN])


def make_requests(cast: Cast) -> None:
    """Bob asks for two mailboxes, and one was refused."""
    approval.change_policy(
        cast.alice, providers={"imap": "ask"}, personal="everyone", shared="ask", domains=["tidewater.example"]
    )
    refused = approval.ask(cast.bob, "imap", "bob.lindqvist@gmx.net", "personal", "Old customers still write there.")
    approval.refuse(cast.alice, refused.pk, "No private addresses, please. Tell them your new one.")
    approval.ask(
        cast.bob, "imap", "workshop@tidewater.example", "shared", "Customers send photos of their bikes there."
    )


def make_months(mailbox: Mailbox) -> None:
    """The folders of the sample are counted; of the inbox three messages are missing in one month."""
    months = [timezone.now().date().replace(day=1)]
    while len(months) < 3:
        months.append((months[-1] - timedelta(days=1)).replace(day=1))
    for folder in Folder.objects.filter(mailbox=mailbox, name__in=MONTHS):
        for month, at_server in zip(months, MONTHS[folder.name], strict=True):
            _count(folder, month, at_server, missing=3 if folder.role == "inbox" and month == months[1] else 0)


def _count(folder: Folder, month: date, at_server: int, missing: int) -> None:
    FolderMonth.objects.create(
        workspace=folder.workspace,
        folder=folder,
        month=month,
        at_server=at_server,
        here=at_server - at_server // 9 - missing,
        left_out=at_server // 9,
        missing=missing,
    )


def make_tests(cast: Cast, mailbox: Mailbox, katrin: Contact) -> None:
    """One test of the mailbox with itself, which passed, and one to a contact, which the outgoing server refused."""
    _pass(begin_test(cast.alice, mailbox))
    stopped = begin_test(cast.alice, mailbox, katrin)
    Submission.objects.filter(pk=stopped.submission_id).update(
        state=State.FAILED,
        error_code="microsoft_smtp_auth_off",
        error_facts={"username": mailbox.address},
        error_words="535 5.7.139 Authentication unsuccessful, SmtpClientAuthentication is disabled for the Mailbox.",
    )


def _pass(test: ConnectionTest) -> None:
    mailbox, submission = test.mailbox, test.submission
    assert submission is not None and test.author is not None
    address = ("Tidewater", mailbox.address)
    subject = f"Test message from {mailbox.workspace.name}"
    message = put(mailbox, Letter(timezone.now(), address, [address], subject, "This is a test."))
    sent = Folder.objects.get(mailbox=mailbox, role="sent")
    Placement.objects.create(
        workspace_id=mailbox.workspace_id,
        mailbox_id=mailbox.pk,
        folder_id=sent.pk,
        message_id=message.pk,
        remote_id="test",
        flags=[],
    )
    now = timezone.now()
    Submission.objects.filter(pk=submission.pk).update(
        state=State.SENT,
        sent_at=now,
        sent_copy=SentCopy.FILED,
        sent_copy_at=now + timedelta(seconds=2),
        message_id=message.pk,
    )
