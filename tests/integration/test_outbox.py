"""Submissions in PostgreSQL with the memory provider: submit, send, look, copy, rescue, decide."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from datetime import timedelta
from email import message_from_bytes
from email.policy import default
from uuid import uuid4

import pytest
from django.db import connection
from django.utils import timezone
from procrastinate.contrib.django.models import ProcrastinateJob

from postroom.correspondence.blobs import pack
from postroom.correspondence.models import Body, Direction, Message, Participant, Placement
from postroom.mail.message import Address
from postroom.mailboxes.credentials import store_credentials
from postroom.mailboxes.models import Identity, Keep, Kind, Mailbox, MailboxMember
from postroom.outbox import rescue, resolve, sending, sent_copy, submit
from postroom.outbox.access import visible_submissions
from postroom.outbox.choice import choice_for
from postroom.outbox.claims import SendDesk
from postroom.outbox.composition import Composition, SubmitRefused
from postroom.outbox.models import Attempt, SentCopy, State, Submission
from postroom.providers.memory.server import SERVERS, MemoryServer
from postroom.records.models import Contact, RecordType
from postroom.sync import sending as steps
from postroom.workspaces.members import Member
from tests.cast import Cast

pytestmark = pytest.mark.django_db(transaction=True)

BOB = Address("bob@customer.example", "Bob")
SERVER = "outbox"


def connect(member: Member, address: str, kind: str = Kind.SHARED) -> Mailbox:
    mailbox = Mailbox.objects.create(
        workspace=member.workspace, address=address, kind=kind, provider="memory", owner=member.user,
        keep=Keep.EVERYTHING,
    )  # fmt: skip
    Identity.objects.create(workspace=member.workspace, mailbox=mailbox, address=address, name="Acme", is_default=True)
    store_credentials(mailbox, {"server": SERVER}, sign_in_user=address)
    return mailbox


@pytest.fixture
def server() -> Iterator[MemoryServer]:
    server = SERVERS[SERVER] = MemoryServer()
    server.shelf.folder_names(BOB.address)
    yield server
    del SERVERS[SERVER]


@pytest.fixture
def alice(cast: Cast, server: MemoryServer) -> Iterator[Member]:
    yield cast.alice
    with connection.cursor() as cursor:
        cursor.execute("DELETE FROM procrastinate_jobs")  # a table Django does not flush


@pytest.fixture
def sales(alice: Member) -> Mailbox:
    return connect(alice, "sales@acme.example")


def composed(**more: object) -> Composition:
    return Composition(**({"to": [BOB], "subject": "Offer", "text": "Hello Bob"} | more))  # type: ignore[arg-type]


def folder(server: MemoryServer, address: str, name: str) -> list[bytes]:
    kept = server.shelf.read(address, name)
    return [message.raw for message in kept.messages.values()] if kept else []


def jobs(task: str) -> list[str]:
    todo = ProcrastinateJob.objects.filter(task_name=task, status="todo")
    return [job.args["submission_id"] for job in todo]


def reload(submission: Submission) -> Submission:
    return Submission.objects.get(pk=submission.pk)


def run(coroutine: object) -> object:
    return asyncio.run(coroutine)  # type: ignore[arg-type]


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
    submission = submit.submit(alice, composed(subject="", in_reply_to=question.pk))
    mime = message_from_bytes(bytes(submission.mime), policy=default)
    assert submission.mailbox_id == support.pk
    assert mime["In-Reply-To"] == "<b@customer.example>"
    assert mime["References"].split() == ["<a@x.example>", "<q@x.example>", "<b@customer.example>"]
    assert mime["Subject"] == submission.subject == "Re: Question"
    assert choice_for(alice, in_reply_to=question.pk).reason == "The conversation came to support@acme.example."


def test_a_message_of_another_workspace_cannot_be_answered(
    cast: Cast, alice: Member, sales: Mailbox
) -> None:
    secret = store_message(connect(cast.charlie, "charlie@other.example"), b"")
    with pytest.raises(SubmitRefused) as refused:
        submit.submit(alice, composed(in_reply_to=secret.pk))
    assert refused.value.code == "message_not_found"


def test_who_may_not_send_from_a_mailbox_cannot_choose_it(
    cast: Cast, alice: Member, sales: Mailbox
) -> None:
    bob = cast.bob
    MailboxMember.objects.create(mailbox=sales, user=bob.user, can_send=False)
    with pytest.raises(SubmitRefused) as refused:
        submit.submit(bob, composed(mailbox_id=sales.pk))
    assert refused.value.code == "no_mailbox"
    connect(bob, "bob@acme.example", Kind.PERSONAL)
    with pytest.raises(SubmitRefused) as refused:
        submit.submit(bob, composed(mailbox_id=sales.pk))
    assert refused.value.code == "mailbox_not_allowed"


def test_a_submission_is_seen_by_who_may_read_its_mailbox(
    cast: Cast, alice: Member, sales: Mailbox
) -> None:
    bob, charlie = cast.bob, cast.charlie
    shared = submit.submit(alice, composed(mailbox_id=sales.pk))
    own = connect(alice, "alice@acme.example", Kind.PERSONAL)
    personal = submit.submit(alice, composed(mailbox_id=own.pk))
    assert set(visible_submissions(alice)) == {shared, personal}
    assert set(visible_submissions(bob)) == {shared}
    assert set(visible_submissions(charlie)) == set()
    with pytest.raises(SubmitRefused):
        submit.cancel(charlie, shared)


def test_a_queued_message_is_sent_once_and_its_copy_is_found(
    alice: Member, sales: Mailbox, server: MemoryServer
) -> None:
    submission = submit.submit(alice, composed())
    assert isinstance(run(sending.send(submission.pk)), steps.Sent)
    assert run(sending.send(submission.pk)) is None
    stored = reload(submission)
    assert (stored.state, stored.tries, stored.sent_at is not None) == (State.SENT, 1, True)
    assert len(folder(server, BOB.address, "INBOX")) == 1
    sales.refresh_from_db()
    assert (sales.sending_state, sales.last_sent_at is not None) == ("ok", True)
    assert [attempt.outcome for attempt in stored.attempts.all()] == ["sent"]
    assert jobs("file_sent_copy") == [str(stored.pk)]
    assert isinstance(run(sent_copy.file_sent_copy(stored.pk)), steps.CopyFiled)
    assert reload(submission).sent_copy == SentCopy.FILED
    assert len(folder(server, sales.address, "Sent")) == 1
    assert run(sent_copy.file_sent_copy(stored.pk)) is None


def test_nothing_leaves_before_its_time_and_undo_wins_until_then(
    alice: Member, sales: Mailbox, server: MemoryServer
) -> None:
    submission = submit.submit(alice, composed(), undo_seconds=60)
    assert run(sending.send(submission.pk)) is None
    submit.cancel(alice, submission)
    assert reload(submission).state == State.CANCELLED
    Submission.objects.update(send_at=timezone.now() - timedelta(seconds=1))
    assert run(sending.send(submission.pk)) is None
    assert folder(server, BOB.address, "INBOX") == []
    with pytest.raises(SubmitRefused) as refused:
        submit.cancel(alice, submission)
    assert refused.value.code == "not_queued"


def test_eight_workers_at_once_send_it_once(alice: Member, sales: Mailbox, server: MemoryServer) -> None:
    submission = submit.submit(alice, composed())

    async def race() -> list[steps.Outcome | None]:
        return await asyncio.gather(*(sending.send(submission.pk) for _ in range(8)))

    outcomes = run(race())
    assert sum(outcome is not None for outcome in outcomes) == 1
    assert len(folder(server, BOB.address, "INBOX")) == 1


def test_a_paused_worker_that_was_taken_for_dead_sends_nothing(
    alice: Member, sales: Mailbox, server: MemoryServer
) -> None:
    submission = submit.submit(alice, composed())
    paused = SendDesk(submission.pk)
    assert run(paused.claim()) == steps.Claimed(0)
    rescue.rescue_stuck(grace_seconds=0)
    assert reload(submission).state == State.QUEUED
    assert run(paused.mark_in_doubt()) is False
    assert isinstance(run(sending.send(submission.pk)), steps.Sent)
    assert run(paused.mark_in_doubt()) is False
    run(paused.record(steps.Failed(steps.Trouble(steps.Kind.REFUSED, "late"))))
    assert reload(submission).state == State.SENT
    assert len(folder(server, BOB.address, "INBOX")) == 1


def test_a_young_claim_or_one_whose_job_runs_is_not_taken_for_dead(alice: Member, sales: Mailbox) -> None:
    submission = submit.submit(alice, composed())
    run(SendDesk(submission.pk).claim())
    rescue.rescue_stuck()
    assert reload(submission).state == State.SENDING
    with connection.cursor() as cursor:
        cursor.execute("UPDATE procrastinate_jobs SET status = 'doing' WHERE task_name = 'send_submission'")
    rescue.rescue_stuck(grace_seconds=0)
    assert reload(submission).state == State.SENDING


def test_a_refused_sign_in_keeps_the_mail_and_asks_the_owner(
    alice: Member, sales: Mailbox, server: MemoryServer
) -> None:
    submission = submit.submit(alice, composed())
    server.faults.refuse_sign_in = True
    run(sending.send(submission.pk))
    stored = reload(submission)
    sales.refresh_from_db()
    assert (stored.state, stored.error_code) == (State.QUEUED, "sign_in_refused")
    assert (sales.needs_reconnect, sales.sending_state) == (True, "failing")
    assert stored.send_at > timezone.now() + timedelta(minutes=50)
    server.faults.refuse_sign_in = False
    store_credentials(sales, {"server": SERVER}, sign_in_user=sales.address)
    rescue.rescue_stuck()
    assert isinstance(run(sending.send(submission.pk)), steps.Sent)
    assert reload(submission).error_code == ""


def test_trouble_that_may_pass_comes_again_later(alice: Member, sales: Mailbox, server: MemoryServer) -> None:
    submission = submit.submit(alice, composed())
    server.faults.unreachable = True
    waits = []
    for _ in range(3):
        Submission.objects.update(send_at=timezone.now())
        run(sending.send(submission.pk))
        waits.append((reload(submission).send_at - timezone.now()).total_seconds())
    assert [round(wait, -1) for wait in waits] == [30, 120, 600]
    assert [attempt.outcome for attempt in Attempt.objects.order_by("started_at")] == ["put_off"] * 3


def test_a_refusal_is_shown_with_the_servers_words(alice: Member, sales: Mailbox, server: MemoryServer) -> None:
    submission = submit.submit(alice, composed())
    server.faults.refuse_send = "554 5.7.1 spam"
    run(sending.send(submission.pk))
    stored = reload(submission)
    assert (stored.state, stored.error_words) == (State.FAILED, "554 5.7.1 spam")


def test_recipients_that_were_refused_are_named_and_the_rest_is_sent(
    alice: Member, sales: Mailbox, server: MemoryServer
) -> None:
    server.faults.refuse_recipients = frozenset(["gone@customer.example"])
    submission = submit.submit(alice, composed(cc=[Address("gone@customer.example")]))
    run(sending.send(submission.pk))
    stored = reload(submission)
    assert (stored.state, list(stored.refused)) == (State.SENT, ["gone@customer.example"])


def test_a_doubt_is_settled_by_the_copy_in_sent(alice: Member, sales: Mailbox, server: MemoryServer) -> None:
    submission = submit.submit(alice, composed())
    server.faults.in_doubt_after_accept = True
    run(sending.send(submission.pk))
    assert reload(submission).state == State.IN_DOUBT
    assert jobs("look_for_submission") == [str(submission.pk)]
    assert run(resolve.look(submission.pk)) is None, "a look before its time"
    Submission.objects.update(next_look_at=timezone.now())
    run(resolve.look(submission.pk))
    stored = reload(submission)
    assert (stored.state, stored.sent_copy) == (State.SENT, SentCopy.FILED)
    assert len(folder(server, BOB.address, "INBOX")) == 1


def into_unknown(submission: Submission) -> None:
    run(sending.send(submission.pk))
    for _ in range(steps.PATIENT_LOOKS):
        Submission.objects.update(next_look_at=timezone.now())
        run(resolve.look(submission.pk))
    assert reload(submission).state == State.UNKNOWN


def test_a_doubt_no_look_settles_becomes_unknown_and_a_person_decides(
    alice: Member, sales: Mailbox, server: MemoryServer
) -> None:
    server.faults.in_doubt_before_accept = True
    submission = submit.submit(alice, composed())
    into_unknown(submission)
    server.faults.in_doubt_before_accept = False
    assert run(sending.send(submission.pk)) is None, "unknown is never sent by itself"
    submit.check_again(alice, reload(submission))
    run(resolve.look(submission.pk))
    assert reload(submission).state == State.UNKNOWN
    again = submit.send_again(alice, reload(submission))
    assert isinstance(run(sending.send(again.pk)), steps.Sent)
    assert (reload(again).internet_message_id, bytes(reload(again).mime)) == (
        submission.internet_message_id,
        bytes(submission.mime),
    )
    assert reload(submission).state == State.CANCELLED
    assert len(folder(server, BOB.address, "INBOX")) == 1
    with pytest.raises(SubmitRefused):
        submit.send_again(alice, reload(submission))


def test_a_person_may_say_that_it_was_sent(alice: Member, sales: Mailbox, server: MemoryServer) -> None:
    server.faults.in_doubt_before_accept = True
    submission = submit.submit(alice, composed())
    into_unknown(submission)
    submit.mark_as_sent(alice, reload(submission))
    assert reload(submission).state == State.SENT
    with pytest.raises(SubmitRefused):
        submit.mark_as_sent(alice, reload(submission))


def test_a_copy_the_server_did_not_file_is_appended_once(alice: Member, sales: Mailbox, server: MemoryServer) -> None:
    server.files_sent_itself = False
    submission = submit.submit(alice, composed())
    run(sending.send(submission.pk))
    found = reload(submission)

    async def file() -> None:
        from postroom.engine.sending import SendingDriver
        from postroom.outbox.claims import CopyDesk

        async def no_wait(seconds: float) -> None:
            assert seconds == steps.COPY_SETTLE_SECONDS

        driver = SendingDriver(CopyDesk(found.pk), wait=no_wait)
        await driver.run(steps.file_copy(files_itself=None, age_seconds=0))

    run(file())
    Submission.objects.update(sent_copy=SentCopy.PENDING)  # the worker died before it was recorded
    run(file())
    assert folder(server, sales.address, "Sent") == [bytes(found.mime)]
    assert reload(submission).sent_copy == SentCopy.FILED


def test_what_lost_its_job_gets_one(alice: Member, sales: Mailbox) -> None:
    queued, doubtful, sent, later = (submit.submit(alice, composed(subject=str(n))) for n in range(4))
    Submission.objects.filter(pk=doubtful.pk).update(state=State.IN_DOUBT, next_look_at=timezone.now())
    Submission.objects.filter(pk=sent.pk).update(state=State.SENT, sent_at=timezone.now())
    Submission.objects.filter(pk=later.pk).update(send_at=timezone.now() + timedelta(hours=1))
    with connection.cursor() as cursor:
        cursor.execute("DELETE FROM procrastinate_jobs")
    rescue.rescue_stuck()
    assert jobs("send_submission") == [str(queued.pk)]
    assert jobs("look_for_submission") == [str(doubtful.pk)]
    assert jobs("file_sent_copy") == [str(sent.pk)]
    rescue.rescue_stuck()
    assert len(jobs("send_submission")) == 1


def test_queued_mail_of_a_disconnected_mailbox_is_cancelled(
    alice: Member, sales: Mailbox, server: MemoryServer
) -> None:
    submission = submit.submit(alice, composed())
    Mailbox.objects.update(disconnected_at=timezone.now())
    assert run(sending.send(submission.pk)) is None
    rescue.rescue_stuck()
    assert reload(submission).state == State.CANCELLED
