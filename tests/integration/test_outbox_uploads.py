"""Submissions at a provider that has messages handed over before they are sent: their names are kept, and used."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

import pytest
from django.utils import timezone

from postroom.engine.sending import SendingDriver
from postroom.mailboxes.models import Mailbox
from postroom.outbox import leftovers, rescue, resolve, sending, submit
from postroom.outbox.claims import LookDesk, SendDesk
from postroom.outbox.models import State, Submission
from postroom.providers import registry
from postroom.providers.memory.provider import MemoryProvider
from postroom.providers.memory.server import Faults, MemoryServer
from postroom.sync import sending as steps
from postroom.workspaces.members import Member
from tests.integration.outbox_place import BOB, alice, composed, folder, jobs, reload, run, sales, server

__all__ = ["alice", "sales", "server"]  # fixtures

pytestmark = pytest.mark.django_db(transaction=True)

SETTLES_SECONDS = 60.0


@pytest.fixture(autouse=True)
def handing_over(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setitem(registry.PROVIDERS, "memory", MemoryProvider(upload_settles_seconds=SETTLES_SECONDS))
    yield


def drafts(server: MemoryServer, mailbox: Mailbox) -> int:
    return len(folder(server, mailbox.address, "Drafts"))


def look(submission: Submission, *, after_seconds: float) -> None:
    moment = timezone.now()
    Submission.objects.filter(pk=submission.pk).update(
        next_look_at=moment, doubted_at=moment - timedelta(seconds=after_seconds)
    )
    run(resolve.look(submission.pk))


def test_a_doubt_keeps_the_uploads_name_and_sends_that_once_it_is_proven_unsent(
    alice: Member, sales: Mailbox, server: MemoryServer
) -> None:
    submission = submit.submit(alice, composed())
    server.faults.in_doubt_before_accept = True
    run(sending.send(submission.pk))
    doubted = reload(submission)
    assert (doubted.state, bool(doubted.upload), doubted.doubted_at is not None) == (State.IN_DOUBT, True, True)
    server.faults = Faults()
    look(submission, after_seconds=SETTLES_SECONDS - 1)
    assert reload(submission).state == State.IN_DOUBT, "it may still be under way"
    look(submission, after_seconds=SETTLES_SECONDS)
    assert reload(submission).state == State.QUEUED
    assert isinstance(run(sending.send(submission.pk)), steps.Sent)
    assert (reload(submission).upload, drafts(server, sales)) == (doubted.upload, 0)
    assert len(folder(server, BOB.address, "INBOX")) == 1
    assert [attempt.outcome for attempt in submission.attempts.order_by("started_at")] == ["in_doubt", "sent"]


def test_a_draft_that_somebody_deleted_ends_with_a_person_and_is_never_made_anew(
    alice: Member, sales: Mailbox, server: MemoryServer
) -> None:
    submission = submit.submit(alice, composed())
    server.faults.in_doubt_before_accept = True
    run(sending.send(submission.pk))
    server.faults = Faults()
    server.remove(sales.address, "Drafts", reload(submission).upload)
    for _ in range(steps.PATIENT_LOOKS):
        look(submission, after_seconds=3_600)
    assert reload(submission).state == State.UNKNOWN
    assert folder(server, BOB.address, "INBOX") == []
    again = submit.send_again(alice, reload(submission))
    assert isinstance(run(sending.send(again.pk)), steps.Sent)
    assert (len(folder(server, BOB.address, "INBOX")), drafts(server, sales)) == (1, 0)


def test_a_claim_that_died_before_the_act_leaves_its_draft_to_the_next_try(
    alice: Member, sales: Mailbox, server: MemoryServer
) -> None:
    class Dying(SendDesk):
        async def mark_in_doubt(self, upload: str) -> bool:
            raise ConnectionError("killed")

    submission = submit.submit(alice, composed())
    with pytest.raises(ConnectionError):
        run(SendingDriver(Dying(submission.pk)).run(steps.send()))
    assert (reload(submission).state, drafts(server, sales)) == (State.SENDING, 1)
    rescue.rescue_stuck(grace_seconds=0)
    assert isinstance(run(sending.send(submission.pk)), steps.Sent)
    assert (len(folder(server, BOB.address, "INBOX")), drafts(server, sales)) == (1, 0)
    assert jobs("drop_uploads") == [str(submission.pk)]


def test_what_is_refused_or_taken_back_leaves_no_draft(alice: Member, sales: Mailbox, server: MemoryServer) -> None:
    refused, taken_back = submit.submit(alice, composed()), submit.submit(alice, composed())
    server.faults.refuse_send = "554 no"
    run(sending.send(refused.pk))
    assert reload(refused).state == State.FAILED
    server.faults = Faults(in_doubt_before_accept=True)
    run(sending.send(taken_back.pk))
    server.faults = Faults()
    look(taken_back, after_seconds=SETTLES_SECONDS)
    submit.cancel(alice, reload(taken_back))
    assert drafts(server, sales) == 2
    assert sorted(jobs("drop_uploads")) == sorted((str(refused.pk), str(taken_back.pk)))
    for submission in (refused, taken_back):
        assert run(leftovers.drop(submission.pk)) is True
    assert drafts(server, sales) == 0


def test_nothing_is_dropped_while_it_may_leave(alice: Member, sales: Mailbox, server: MemoryServer) -> None:
    submission = submit.submit(alice, composed())
    server.faults.in_doubt_before_accept = True
    run(sending.send(submission.pk))
    assert run(leftovers.drop(submission.pk)) is False
    assert drafts(server, sales) == 1


def test_a_look_that_could_not_look_comes_again_soon_and_does_not_count(
    alice: Member, sales: Mailbox, server: MemoryServer
) -> None:
    submission = submit.submit(alice, composed())
    server.faults.in_doubt_after_accept = True
    run(sending.send(submission.pk))
    server.faults = Faults(unreachable=True)
    for _ in range(10):
        look(submission, after_seconds=600)
    stored = reload(submission)
    assert (stored.state, stored.looks) == (State.IN_DOUBT, 0)
    assert stored.next_look_at is not None
    assert stored.next_look_at < timezone.now() + timedelta(seconds=steps.TROUBLED_LOOK_SECONDS + 1)
    look(submission, after_seconds=3_600)
    assert reload(submission).state == State.UNKNOWN
    server.faults = Faults()
    look(submission, after_seconds=86_400)
    assert reload(submission).state == State.SENT


def test_the_id_that_it_left_with_is_kept_where_it_is_another(alice: Member, sales: Mailbox) -> None:
    for told, kept in (("<other@provider.example>", "<other@provider.example>"), ("", "")):
        submission = submit.submit(alice, composed())
        Submission.objects.filter(pk=submission.pk).update(state=State.IN_DOUBT)
        accepted = steps.Accepted("", internet_message_id=told or submission.internet_message_id)
        run(LookDesk(submission.pk, 0).record(steps.Sent(accepted, has_copy=True)))
        assert reload(submission).sent_internet_message_id == kept
