"""The owner of a mailbox that fails for a day is told once, through another mailbox."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from threading import Barrier, Thread
from typing import Any

import pytest
from django.db import connection
from django.utils import timezone

from postroom.mail.mime.parsing import parse
from postroom.mailboxes.models import DirectionState, Mailbox
from postroom.outbox import owner_notice
from postroom.outbox.models import State, Submission
from postroom.workspaces.models import User
from tests.cast import Cast, make_mailbox

LONG_AGO = datetime(2026, 1, 1, tzinfo=UTC)
FAILING = {
    "receiving_state": DirectionState.FAILING,
    "error_code": "sign_in_refused",
    "error_facts": {"host": "imap.own.example", "username": "bob"},
    "error_words": "NO [AUTHENTICATIONFAILED] wrong",
    "needs_reconnect": True,
}


@pytest.fixture
def failing(cast: Cast) -> Mailbox:
    mailbox = make_mailbox(cast.bob, "bob@own.example", kind="personal")
    fail(mailbox, hours=25)
    return mailbox


def fail(mailbox: Mailbox, *, hours: float, **more: Any) -> None:
    since = timezone.now() - timedelta(hours=hours)
    Mailbox.objects.filter(pk=mailbox.pk).update(**{**FAILING, "failing_since": since, **more})


def letters() -> list[tuple[str, list[str]]]:
    """(mailbox, recipients) of each."""
    return [(one.mailbox.address, one.recipients) for one in Submission.objects.select_related("mailbox")]


def test_the_owner_is_written_to_once_through_a_shared_mailbox(cast: Cast, failing: Mailbox) -> None:
    make_mailbox(cast.alice, "sales@own.example")
    make_mailbox(cast.alice, "alice@own.example", kind="personal")
    assert owner_notice.tell_owners() == 1
    assert owner_notice.tell_owners() == 0
    assert letters() == [("sales@own.example", ["bob@tidewater.example"])]


def test_the_letter_says_what_happened_and_what_to_do(cast: Cast, failing: Mailbox) -> None:
    make_mailbox(cast.alice, "sales@own.example")
    owner_notice.tell_owners()
    submission = Submission.objects.get()
    assert (submission.state, submission.author, submission.from_name) == (State.QUEUED, None, "Postroom")
    letter = parse(bytes(submission.mime))
    failing.refresh_from_db()
    assert failing.error is not None
    assert letter.subject == "Postroom cannot read bob@own.example"
    assert failing.error.what in letter.text and f"1. {failing.error.fix[0]}" in letter.text
    assert f"http://localhost:8000/settings/mailboxes/{failing.pk}/" in letter.text
    assert "AUTHENTICATIONFAILED" not in letter.text


@pytest.mark.parametrize(
    "instead",
    [
        {"kind": "personal"},
        {"error_code": "unreachable"},
        {"sending_state": "failing"},
        {"paused_at": timezone.now()},
        {"disconnected_at": timezone.now()},
    ],
)
def test_a_mailbox_that_cannot_send_is_not_asked_to(cast: Cast, failing: Mailbox, instead: dict[str, Any]) -> None:
    other = make_mailbox(cast.alice, "sales@own.example")
    Mailbox.objects.filter(pk=other.pk).update(**instead)
    make_mailbox(cast.charlie, "charlie@else.example")
    assert owner_notice.tell_owners() == 0
    assert letters() == []


def test_a_failing_shared_mailbox_does_not_write_about_itself(cast: Cast) -> None:
    fail(make_mailbox(cast.alice, "sales@own.example"), hours=30)
    assert owner_notice.tell_owners() == 0


@pytest.mark.parametrize(
    "values",
    [
        {"hours": 0.9},
        {"hours": 23, "error_code": "unreachable", "needs_reconnect": False},  # nobody has to act so far
        {"hours": 30, "paused_at": timezone.now()},
    ],
)
def test_nobody_is_told_too_early_or_of_a_pause(cast: Cast, failing: Mailbox, values: dict[str, Any]) -> None:
    make_mailbox(cast.alice, "sales@own.example")
    fail(failing, **values)
    assert owner_notice.tell_owners() == 0


def test_a_letter_that_nothing_could_carry_is_sent_once_as_soon_as_something_can(
    cast: Cast, failing: Mailbox, caplog: pytest.LogCaptureFixture
) -> None:
    sales = make_mailbox(cast.alice, "sales@own.example")
    Mailbox.objects.filter(pk=sales.pk).update(paused_at=timezone.now())
    assert [owner_notice.tell_owners() for _ in range(3)] == [0, 0, 0]
    assert caplog.records == []
    failing.refresh_from_db()
    assert failing.owner_told_at is None
    Mailbox.objects.filter(pk=sales.pk).update(paused_at=None)
    assert [owner_notice.tell_owners() for _ in range(2)] == [1, 0]


def test_mailboxes_that_nobody_can_write_about_keep_no_other_waiting(
    cast: Cast, failing: Mailbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    fail(make_mailbox(cast.charlie, "charlie@else.example", kind="personal"), hours=200)  # nothing there can carry
    make_mailbox(cast.alice, "sales@own.example")
    monkeypatch.setattr(owner_notice, "MOST_AT_ONCE", 1)
    assert owner_notice.tell_owners() == 1
    assert letters() == [("sales@own.example", ["bob@tidewater.example"])]


def test_a_letter_that_cannot_be_written_keeps_no_other_waiting(
    cast: Cast, failing: Mailbox, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    make_mailbox(cast.alice, "sales@own.example")
    fail(make_mailbox(cast.bob, "broken@own.example", kind="personal"), hours=200)
    write = owner_notice.letter

    def break_over_one(mailbox: Mailbox, trouble: Any) -> Any:
        if mailbox.address == "broken@own.example":
            raise KeyError(mailbox.address)
        return write(mailbox, trouble)

    with monkeypatch.context() as patch:
        patch.setattr(owner_notice, "letter", break_over_one)
        assert owner_notice.tell_owners() == 1
    assert [(record.levelname, str(failing.pk) in record.getMessage()) for record in caplog.records] == [
        ("ERROR", False)
    ]
    assert owner_notice.tell_owners() == 1  # nothing was claimed: it is told once it can be written


def test_the_next_failure_is_told_again(cast: Cast, failing: Mailbox) -> None:
    make_mailbox(cast.alice, "sales@own.example")
    told = timezone.now() - timedelta(days=3)
    fail(failing, hours=25, owner_told_at=told)
    assert owner_notice.tell_owners() == 1
    fail(failing, hours=25)  # the same period goes on
    assert owner_notice.tell_owners() == 0


@pytest.mark.django_db(transaction=True)
def test_two_workers_tell_the_owner_once(cast: Cast, failing: Mailbox) -> None:
    make_mailbox(cast.alice, "sales@own.example")
    start, told = Barrier(2), []

    def work() -> None:
        start.wait()
        told.append(owner_notice.tell_owners())
        connection.close()

    workers = [Thread(target=work) for _ in range(2)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert sorted(told) == [0, 1] and len(letters()) == 1
    with connection.cursor() as cursor:  # no test's end empties this table
        cursor.execute("DELETE FROM procrastinate_jobs")


def test_nothing_is_claimed_when_a_worker_dies_over_the_letter(
    cast: Cast, failing: Mailbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_mailbox(cast.alice, "sales@own.example")

    def die(*args: object) -> None:
        raise SystemExit

    with monkeypatch.context() as patch, pytest.raises(SystemExit):
        patch.setattr(owner_notice, "letter", die)
        owner_notice.tell_owners()
    assert owner_notice.tell_owners() == 1


@pytest.mark.parametrize(
    ("code", "hours", "told"),
    [
        ("sign_in_refused", 2, ["bob@tidewater.example"]),
        ("needs_administrator", 2, ["bob@tidewater.example", "alice@tidewater.example"]),  # beyond him: administrators
        ("throttled", 2, []),  # it may pass
        ("throttled", 25, ["bob@tidewater.example"]),
    ],
)
def test_sending_that_fails_alone_is_told_to_those_concerned(
    cast: Cast, code: str, hours: int, told: list[str]
) -> None:
    make_mailbox(cast.alice, "sales@own.example")
    mailbox = make_mailbox(cast.bob, "bob@own.example", kind="personal")
    since = timezone.now() - timedelta(hours=hours)
    Mailbox.objects.filter(pk=mailbox.pk).update(
        receiving_state="ok", sending_state="failing", sending_code=code, sending_failing_since=since
    )
    assert owner_notice.tell_owners() == len(told)
    assert owner_notice.tell_owners() == 0
    assert sorted(recipients[0] for _, recipients in letters()) == sorted(told)
    assert {one.subject for one in Submission.objects.all()} <= {"Postroom cannot send from bob@own.example"}


def test_what_stops_both_directions_is_one_letter(cast: Cast, failing: Mailbox) -> None:
    make_mailbox(cast.alice, "sales@own.example")
    fail(failing, hours=2, sending_state="failing", sending_code="sign_in_refused", sending_failing_since=LONG_AGO)
    assert owner_notice.tell_owners() == 1


def test_a_mailbox_whose_owner_is_gone_is_told_to_the_administrators(cast: Cast, failing: Mailbox) -> None:
    make_mailbox(cast.alice, "sales@own.example")
    User.objects.filter(pk=cast.bob.user.pk).update(is_active=False)
    assert owner_notice.tell_owners() == 1
    assert letters() == [("sales@own.example", ["alice@tidewater.example"])]
