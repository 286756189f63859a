"""A mailbox without room: what was sent is sent, its copy waits for room."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest
from django.db import connection
from django.utils import timezone

from postroom.mail.message import Address
from postroom.mailboxes.credentials import store_credentials
from postroom.ops.jobs import send_submission
from postroom.outbox import rescue, sent_copy
from postroom.outbox.composition import Composition
from postroom.outbox.models import SentCopy, State, Submission
from postroom.outbox.submit import submit
from postroom.providers import registry
from postroom.providers.guard import NetworkPolicy
from tests.cast import Cast, make_mailbox
from tests.contract.imap_place import settings
from tests.fakes.smtp_sink import SmtpSink, running
from tests.servers.certs import Certificates
from tests.servers.dovecot import Dovecot
from tests.servers.imap_look import folder_contents

pytestmark = pytest.mark.django_db(transaction=True)

ADDRESS = "sales@tidewater.example"
OLD = b"From: a@customer.example\r\nMessage-ID: <old@x>\r\nSubject: Old\r\n\r\nHello\r\n"


@pytest.fixture
def full(servers_folder: Path, certificates: Certificates) -> Iterator[Dovecot]:
    """One with room for one message."""
    server = Dovecot(servers_folder / "full", certificates, most_messages=1).start()
    server.deliver(ADDRESS, OLD)
    registry.configure(NetworkPolicy.from_environment({"POSTROOM_ALLOWED_NETWORKS": "127.0.0.0/8"}))
    yield server
    registry.configure(NetworkPolicy.from_environment({}))
    server.stop()
    with connection.cursor() as cursor:
        cursor.execute("DELETE FROM procrastinate_jobs")  # a table Django does not flush


def keep_copy() -> Submission:
    """What the worker does once the next look is due."""
    Submission.objects.update(next_look_at=timezone.now())
    rescue.rescue_stuck(grace_seconds=0)
    asyncio.run(sent_copy.file_sent_copy(Submission.objects.get().pk))
    return Submission.objects.get()


def test_what_is_sent_from_a_full_mailbox_leaves_once_and_its_copy_waits_for_room(full: Dovecot, cast: Cast) -> None:
    sales = make_mailbox(cast.alice, ADDRESS, provider="imap")
    with running(SmtpSink()) as sink:
        secrets = {"imap": settings(full.imap, ADDRESS), "smtp": settings(sink.port, ADDRESS)}
        store_credentials(sales, secrets, sign_in_user=ADDRESS)
        composition = Composition(to=[Address("katrin@customer.example")], subject="Offer", text="Hello")
        sent = submit(cast.alice, composition)
        asyncio.run(send_submission(str(sent.pk)))
        waiting = keep_copy()
        assert (waiting.state, waiting.sent_copy, waiting.error_code) == (State.SENT, SentCopy.PENDING, "mailbox_full")

        full.empty(ADDRESS)
        assert keep_copy().sent_copy == SentCopy.FILED
        assert keep_copy().error_code == ""
        assert sum(sink.taken.values()) == 1
    assert [one["Subject"] for one in folder_contents(full, ADDRESS, "Sent")] == ["Offer"]
