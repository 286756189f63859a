"""Each day of a mailbox has one row: how long it was in trouble, why, and how much mail came and left."""

from __future__ import annotations

import asyncio
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from django.contrib.postgres.functions import TransactionNow
from django.db import connection
from django.utils import timezone

from postroom.correspondence.models import Direction, Message, Placement
from postroom.mailboxes.models import HealthDay, Mailbox
from postroom.ops import jobs
from postroom.outbox import health_days
from postroom.outbox.models import State, Submission
from postroom.workspaces.events import EVENTS
from postroom.workspaces.ids import new_id
from tests.cast import Cast, make_mailbox


def connected(cast: Cast, address: str = "sales@own.example") -> Mailbox:
    mailbox = make_mailbox(cast.alice, address)
    Mailbox.objects.filter(pk=mailbox.pk).update(import_planned_at=timezone.now())
    return mailbox


def fail(mailbox: Mailbox, code: str, **more: Any) -> None:
    Mailbox.objects.filter(pk=mailbox.pk).update(error_code=code, **more)


def look_after(seconds: int) -> HealthDay:
    """The row after another look, so long after the one before by the job's own clock: a slow test adds none."""
    HealthDay.objects.update(looked_at=TransactionNow() - timedelta(seconds=seconds))
    health_days.note_states()
    return HealthDay.objects.get()


def test_a_day_without_trouble_is_one_quiet_row(cast: Cast) -> None:
    connected(cast)
    health_days.note_states()
    row = look_after(60)
    assert (row.state, row.failing_seconds, row.slow_seconds, row.codes) == ("ok", 0, 0, [])
    assert row.day == timezone.now().date()


def test_trouble_colours_the_day_when_it_lasts(cast: Cast) -> None:
    mailbox = connected(cast)
    health_days.note_states()
    fail(mailbox, "sign_in_refused", needs_reconnect=True)
    row = look_after(60)
    assert (row.state, row.failing_seconds, row.codes) == ("ok", 60, ["sign_in_refused"])
    for _ in range(9):
        row = look_after(60)
    assert (row.state, row.failing_seconds) == ("failing", 600)
    fail(mailbox, "", needs_reconnect=False)
    row = look_after(60)
    assert (row.state, row.failing_seconds) == ("failing", 600), "the day was bad, though it ended well"


def test_the_look_at_a_mailbox_without_trouble_is_noted_every_ten_minutes(cast: Cast) -> None:
    mailbox = connected(cast)
    health_days.note_states()
    assert looked_ago(look_after(500)) == 500
    row = look_after(700)
    assert looked_ago(row) == 0 and health_days.looked_until(row) is None
    Mailbox.objects.filter(pk=mailbox.pk).update(paused_at=timezone.now())
    row = look_after(7200)
    assert looked_ago(row) == 7200, "nobody looks at a paused one"


def test_days_without_a_worker_have_no_row_and_the_last_one_says_when_it_ended(cast: Cast) -> None:
    connected(cast)
    before = timezone.now() - timedelta(days=5)
    health_days.note_states(before)
    HealthDay.objects.update(looked_at=before)
    health_days.note_states()  # the workers are back
    last, today = HealthDay.objects.order_by("day")
    assert (last.day, today.day) == (before.date(), timezone.now().date())
    assert health_days.looked_until(last) == before and health_days.looked_until(today) is None


def looked_ago(row: HealthDay) -> int:
    return int((timezone.now() - row.looked_at).total_seconds()) // 100 * 100


@pytest.mark.django_db(transaction=True)
def test_open_pages_hear_of_a_new_day_another_state_and_other_numbers(cast: Cast) -> None:
    mailbox = connected(cast)
    with connection.cursor() as cursor:
        cursor.execute(f"LISTEN {EVENTS}")
    health_days.note_states()
    fail(mailbox, "sign_in_refused", needs_reconnect=True)
    for _ in range(11):
        look_after(60)
    came(mailbox, timezone.now())
    for _ in range(2):
        health_days.count_fresh()
    heard = [told.payload for told in connection.connection.notifies(timeout=0.1)]
    assert heard == [f"mailbox:{mailbox.pk}"] * 3
    with connection.cursor() as cursor:
        cursor.execute(f"UNLISTEN {EVENTS}")


def test_a_slow_provider_is_not_a_failure(cast: Cast) -> None:
    mailbox = connected(cast)
    health_days.note_states()
    fail(mailbox, "unreachable")
    for _ in range(10):
        row = look_after(60)
    assert (row.state, row.failing_seconds, row.slow_seconds) == ("slow", 0, 600)


def test_sending_alone_counts_too(cast: Cast) -> None:
    mailbox = connected(cast)
    health_days.note_states()
    Mailbox.objects.filter(pk=mailbox.pk).update(sending_state="failing", sending_code="sign_in_refused")
    row = look_after(60)
    assert (row.failing_seconds, row.codes) == (60, ["sign_in_refused"])


def test_two_workers_count_a_minute_once_and_what_nobody_saw_not_at_all(cast: Cast) -> None:
    fail(connected(cast), "sign_in_refused")
    health_days.note_states()
    look_after(60)
    health_days.note_states()
    assert HealthDay.objects.get().failing_seconds == 60
    assert look_after(7200).failing_seconds == 60 + health_days.LONGEST_LOOK_SECONDS


def test_a_paused_or_gone_mailbox_has_no_row(cast: Cast) -> None:
    Mailbox.objects.filter(pk=connected(cast).pk).update(paused_at=timezone.now())
    Mailbox.objects.filter(pk=connected(cast, "b@own.example").pk).update(disconnected_at=timezone.now())
    make_mailbox(cast.alice, "c@own.example")  # nothing of it was read yet
    health_days.note_states()
    assert not HealthDay.objects.exists()


def came(mailbox: Mailbox, at: datetime, direction: Direction = Direction.IN, copies: int = 1) -> None:
    texts = dict.fromkeys(("internet_message_id", "from_name", "from_address", "subject", "snippet"), "")
    message = Message.objects.create(
        workspace_id=mailbox.workspace_id,
        thread_id=new_id(),
        identity=new_id(),
        ref=new_id(),
        **texts,
        direction=direction,
        at=at,
        size=1,
        attachment_count=0,
        is_readable=True,
    )
    for remote_id in range(copies):
        Placement.objects.create(
            workspace_id=mailbox.workspace_id,
            mailbox_id=mailbox.pk,
            folder_id=new_id(),
            message_id=message.pk,
            remote_id=str(remote_id),
            flags=[],
        )


def left(mailbox: Mailbox, at: datetime, state: State) -> None:
    Submission.objects.create(
        workspace=mailbox.workspace,
        mailbox=mailbox,
        state=state,
        from_address=mailbox.address,
        mime=b"",
        sent_at=at if state == State.SENT else None,
        claimed_at=at,
        created_at=at,
    )


def numbers() -> dict[tuple[UUID, int], tuple[int, int, int]]:
    today = timezone.now().date()
    rows = HealthDay.objects.all()
    return {(row.mailbox_id, (today - row.day).days): (row.received, row.sent, row.failed) for row in rows}


def test_mail_is_counted_on_the_day_it_came_and_left(cast: Cast) -> None:
    sales, support, now = connected(cast), connected(cast, "support@own.example"), timezone.now()
    days_ago = {days: now - timedelta(days=days) for days in (0, 1, 5)}
    for at in days_ago.values():
        health_days.note_states(at)
    came(sales, now, copies=2)  # in two folders, one message
    came(sales, days_ago[1])
    came(sales, days_ago[5])
    came(sales, now, Direction.OUT)
    left(sales, now, State.SENT)
    left(support, now, State.FAILED)
    left(support, now, State.QUEUED)
    assert health_days.count_fresh() == 3
    assert numbers()[sales.pk, 0] == (1, 1, 0) and numbers()[support.pk, 0] == (0, 0, 1)
    assert numbers()[sales.pk, 1] == (1, 0, 0) and numbers()[sales.pk, 5] == (0, 0, 0)
    assert health_days.count_fresh() == 0
    assert health_days.count_all() == 1, "what an outage held up is found at night"
    assert numbers()[sales.pk, 5] == (1, 0, 0)


def test_old_days_are_forgotten(cast: Cast) -> None:
    connected(cast)
    health_days.note_states(timezone.now() - timedelta(days=101))
    health_days.count_all()
    assert not HealthDay.objects.exists()


@pytest.mark.django_db(transaction=True)
def test_the_jobs_of_the_clock_note_and_count(cast: Cast) -> None:
    mailbox = connected(cast)
    came(mailbox, timezone.now())
    asyncio.run(jobs.note_health(60))
    assert HealthDay.objects.get().received == 0, "counted every tenth minute"
    asyncio.run(jobs.note_health(600))
    assert HealthDay.objects.get().received == 1
    HealthDay.objects.update(received=0)
    asyncio.run(jobs.count_all_days(0))
    assert HealthDay.objects.get().received == 1
