"""Submissions in PostgreSQL with the memory provider: send, look, copy, rescue, decide."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import pytest
from django.db import connection
from django.utils import timezone

from postroom.mail.message import Address
from postroom.mailboxes.credentials import store_credentials
from postroom.mailboxes.models import Mailbox
from postroom.outbox import rescue, resolve, sending, sent_copy, submit
from postroom.outbox.claims import SendDesk
from postroom.outbox.composition import SubmitRefused
from postroom.outbox.models import Attempt, SentCopy, State, Submission
from postroom.providers.memory.server import MemoryServer
from postroom.sync import sending as steps
from postroom.workspaces.members import Member
from tests.integration.outbox_place import (
    BOB,
    SERVER,
    alice,
    composed,
    folder,
    jobs,
    reload,
    run,
    sales,
    server,
)

__all__ = ["alice", "sales", "server"]  # fixtures

pytestmark = pytest.mark.django_db(transaction=True)


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
    assert run(paused.mark_in_doubt("")) is False
    assert isinstance(run(sending.send(submission.pk)), steps.Sent)
    assert run(paused.mark_in_doubt("")) is False
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
