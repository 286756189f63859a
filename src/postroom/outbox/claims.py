"""Every change of a submission's state by a worker: each one conditional, each one its own transaction.

`tries` is the number of the claim and fences it: a worker that was taken for dead changes nothing any more, and
cannot reach the act either, because the act follows a successful `mark_in_doubt` (DESIGN.md 7).
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from uuid import UUID

from django.db import connection, transaction
from django.db.models import Case, When
from django.db.models.functions import Coalesce, Now

from postroom.engine import failpoints
from postroom.engine.sending import Parcel
from postroom.mailboxes.credentials import load_credentials
from postroom.mailboxes.models import DirectionState, Grant, Mailbox, mailbox_topic
from postroom.mailboxes.sealing import Unsealable
from postroom.mailboxes.troubles import SENDING_WELL
from postroom.outbox import later
from postroom.outbox.models import Attempt, SentCopy, State, Submission
from postroom.providers import registry
from postroom.providers.base import Credentials, Envelope, Provider
from postroom.providers.errors import NeedsReconnect
from postroom.sync import sending as steps
from postroom.sync.sending import Kind, Trouble
from postroom.workspaces import events
from postroom.workspaces.database import in_thread, now
from postroom.workspaces.ids import new_id

PUT_OFF, WAITS, DIED = "put_off", "waits", "died"  # Attempt.outcome besides sent, failed and in_doubt
IN_DOUBT = "in_doubt"
FAILED_TRIES = (PUT_OFF, DIED, IN_DOUBT)  # who is queued after a doubt was proven unsent
WORDS_LENGTH = 2000


class _Desk:
    """What the three desks share: the submission and what opens its mailbox."""

    def __init__(self, submission_id: UUID) -> None:
        self.submission_id = submission_id

    async def load(self) -> tuple[Provider, Credentials, Parcel]:
        return await in_thread(self._load)

    def _load(self) -> tuple[Provider, Credentials, Parcel]:
        submission = Submission.objects.select_related("mailbox").get(pk=self.submission_id)
        try:
            credentials = load_credentials(submission.mailbox)
        except (Unsealable, Grant.DoesNotExist) as error:
            raise NeedsReconnect("secret_unreadable") from error
        parcel = Parcel(
            envelope=Envelope(submission.from_address, tuple(submission.recipients)),
            mime=bytes(submission.mime),
            internet_message_id=submission.internet_message_id,
            upload=submission.upload,
            was_tried=submission.tries > 1,
            submission=str(submission.pk),
        )
        return registry.provider(submission.mailbox.provider), credentials, parcel

    def _refuse(self) -> Any:
        raise TypeError(f"{type(self).__name__} does not do this")


class SendDesk(_Desk):
    """One try to send. Implements engine.sending.Desk."""

    def __init__(self, submission_id: UUID) -> None:
        super().__init__(submission_id)
        self._tries = 0
        self._attempt_id = new_id()

    async def claim(self) -> steps.Claimed | None:
        claimed = await in_thread(self._claim)
        failpoints.reach("send_claimed")
        return claimed

    async def mark_in_doubt(self, upload: str) -> bool:
        is_marked = await in_thread(self._mark_in_doubt, upload)
        failpoints.reach("send_in_doubt")
        return is_marked

    async def record(self, outcome: steps.Outcome) -> None:
        await in_thread(self._record, outcome)

    @transaction.atomic
    def _claim(self) -> steps.Claimed | None:
        with connection.cursor() as cursor:
            cursor.execute(
                """
                UPDATE outbox_submission s SET state = 'sending', tries = tries + 1, claimed_at = now()
                FROM mailboxes_mailbox m
                WHERE s.id = %s AND s.state = 'queued' AND s.send_at <= now()
                  AND m.id = s.mailbox_id AND m.disconnected_at IS NULL
                RETURNING s.tries
                """,
                [self.submission_id],
            )
            row = cursor.fetchone()
        if row is None:
            return None
        self._tries = row[0]
        failures = failed_tries(self.submission_id)
        Attempt.objects.create(id=self._attempt_id, submission_id=self.submission_id, started_at=now())
        announce(self.submission_id)
        return steps.Claimed(failures)

    def _mark_in_doubt(self, upload: str) -> bool:
        with transaction.atomic(durable=True):  # committed when this returns, whoever calls
            moment = now()
            marked = Submission.objects.filter(pk=self.submission_id, state=State.SENDING, tries=self._tries).update(
                state=State.IN_DOUBT,
                looks=0,
                doubted_at=moment,
                next_look_at=moment + timedelta(seconds=steps.REPLY_SECONDS),
                **({"upload": upload} if upload else {}),
            )
        return marked == 1

    @transaction.atomic
    def _record(self, outcome: steps.Outcome) -> None:
        trouble = _trouble(outcome)
        words = outcome.accepted.reply if isinstance(outcome, steps.Sent) else trouble.words if trouble else ""
        Attempt.objects.filter(submission_id=self.submission_id, pk=self._attempt_id).update(
            ended_at=now(), outcome=attempt_outcome(outcome), server_words=words[:WORDS_LENGTH]
        )
        states = [State.SENDING, State.IN_DOUBT]
        if isinstance(outcome, steps.Sent):
            states.append(State.UNKNOWN)  # a late "yes" of the server beats what the looks could not find
        apply_outcome(Submission.objects.filter(pk=self.submission_id, state__in=states, tries=self._tries), outcome)


class LookDesk(_Desk):
    """One look. `looks` fences it: of two looks at once, one counts."""

    def __init__(self, submission_id: UUID, looks: int) -> None:
        super().__init__(submission_id)
        self._looks = looks

    async def claim(self) -> steps.Claimed | None:
        return self._refuse()  # type: ignore[no-any-return]

    async def mark_in_doubt(self, upload: str) -> bool:
        return self._refuse()  # type: ignore[no-any-return]

    async def record(self, outcome: steps.Outcome) -> None:
        await in_thread(self._record, outcome)

    @transaction.atomic
    def _record(self, outcome: steps.Outcome) -> None:
        doubtful = Submission.objects.filter(
            pk=self.submission_id, state__in=[State.IN_DOUBT, State.UNKNOWN], looks=self._looks
        )
        apply_outcome(doubtful, outcome)


class CopyDesk(LookDesk):
    """The copy in Sent."""

    def __init__(self, submission_id: UUID) -> None:
        super().__init__(submission_id, 0)

    @transaction.atomic
    def _record(self, outcome: steps.Outcome) -> None:
        pending = Submission.objects.filter(pk=self.submission_id, state=State.SENT, sent_copy=SentCopy.PENDING)
        apply_outcome(pending, outcome)


def attempt_outcome(outcome: steps.Outcome) -> str:
    """The word an Attempt ends with."""
    match outcome:
        case steps.Sent():
            return "sent"
        case steps.Failed():
            return "failed"
        case steps.QueuedAgain(_, trouble):
            return WAITS if trouble and trouble.kind is Kind.OWNER else PUT_OFF
    return IN_DOUBT


def failed_tries(submission_id: UUID) -> int:
    """How many tries came to nothing. Asked of what is queued or in doubt: then those in doubt were proven unsent."""
    return Attempt.objects.filter(submission_id=submission_id, outcome__in=FAILED_TRIES).count()


def apply_outcome(rows: Any, outcome: steps.Outcome) -> bool:
    """Store an outcome on the submission that `rows` (a conditional QuerySet of one) still finds; say whether it did.

    Inside a transaction: the row, its mailbox, the next job and the hint to the pages belong together.
    """
    known = "pk", "mailbox_id", "record_id", "refused", "internet_message_id", "tries"
    submission = rows.select_for_update().only(*known).first()
    if submission is None:
        return False
    moment = now()
    changed: dict[str, Any] = _error_columns(_trouble(outcome))
    match outcome:
        case steps.Sent(accepted, has_copy):
            copy = SentCopy.FILED if has_copy else SentCopy.PENDING
            changed |= {"state": State.SENT, "sent_at": moment, "next_look_at": None, "sent_copy": copy}
            changed |= {"sent_copy_at": moment if has_copy else None}
            changed |= {"refused": accepted.refused}
            if accepted.internet_message_id not in ("", submission.internet_message_id):
                changed |= {"sent_internet_message_id": accepted.internet_message_id}
            if not has_copy:
                later.file_copy_later(submission.pk)
            if submission.tries > 1:
                later.drop_uploads_later(submission.pk)
        case steps.QueuedAgain(seconds):
            at = moment + timedelta(seconds=seconds)
            changed |= {"state": State.QUEUED, "send_at": at, "next_look_at": None, "looks": 0}
            later.send_later(submission.pk, at)
        case steps.Failed():
            changed |= {"state": State.FAILED, "next_look_at": None}
            later.drop_uploads_later(submission.pk)
        case steps.Doubtful(looks, seconds, is_unknown):
            look_at = moment + timedelta(seconds=seconds) if seconds is not None else None
            changed |= {"state": State.UNKNOWN if is_unknown else State.IN_DOUBT}
            changed |= {"looks": looks, "next_look_at": look_at}
            if look_at:
                later.look_later(submission.pk, look_at)
        case steps.CopyFiled():
            changed |= {"sent_copy": SentCopy.FILED, "sent_copy_at": moment, "next_look_at": None}
            events.wake(submission.mailbox_id)  # the session finds the copy, which confirms the send
        case steps.CopyMissing(seconds):
            changed |= {"sent_copy": SentCopy.PENDING if seconds is not None else SentCopy.FAILED}
            changed["next_look_at"] = moment + timedelta(seconds=seconds) if seconds is not None else None
    rows.update(**changed)
    _tell_mailbox(submission.mailbox_id, outcome)
    announce(submission.pk, submission.record_id)
    return True


def announce(submission_id: UUID, record_id: UUID | None = None) -> None:
    """Tell the pages that show it."""
    events.notify(f"submission:{submission_id}", *([f"record:{record_id}"] if record_id else []))


def _trouble(outcome: steps.Outcome) -> Trouble | None:
    return getattr(outcome, "trouble", None)


def _error_columns(trouble: Trouble | None) -> dict[str, Any]:
    if trouble is None:
        return {"error_code": "", "error_facts": {}, "error_words": ""}
    return {"error_code": trouble.code[:60], "error_facts": trouble.facts, "error_words": trouble.words[:WORDS_LENGTH]}


_SENDING_FAILS_SINCE = Case(
    When(sending_state=DirectionState.FAILING, then=Coalesce("sending_failing_since", Now())), default=Now()
)


def _tell_mailbox(mailbox_id: UUID, outcome: steps.Outcome) -> None:
    """Sending is a direction of its own: what goes wrong here says nothing about receiving."""
    mailbox = Mailbox.objects.filter(pk=mailbox_id)
    trouble = _trouble(outcome)
    if isinstance(outcome, steps.Sent):
        recovered = mailbox.filter(sending_state=DirectionState.FAILING, receiving_state=DirectionState.OK)
        recovered.update(needs_reconnect=False, **_error_columns(None))
        mailbox.update(sending_state=DirectionState.OK, last_sent_at=now(), **SENDING_WELL)
    elif isinstance(outcome, steps.QueuedAgain) and trouble is not None:
        mailbox = mailbox.exclude(sending_state=DirectionState.OFF)  # it says so already
        mailbox.update(
            sending_state=DirectionState.FAILING,
            sending_failing_since=_SENDING_FAILS_SINCE,
            **{f"sending_{name.removeprefix('error_')}": value for name, value in _error_columns(trouble).items()},
        )
        if trouble.kind is Kind.OWNER:
            mailbox.update(needs_reconnect=True, error_at=now(), **_error_columns(trouble))
    else:
        return
    events.notify(mailbox_topic(mailbox_id))


def bury(submission_id: UUID) -> None:
    """Take back the claim of a worker that died before in_doubt: certainly not sent, so it is queued again.

    The first time at once; a submission that kills its workers comes later and later, and fails in the end.
    """
    with transaction.atomic():
        rows = Submission.objects.filter(pk=submission_id, state=State.SENDING)
        failures = failed_tries(submission_id)
        outcome = steps.before_the_act(Trouble(Kind.LOST, "worker_died"), failures)
        if failures == 0:
            outcome = steps.QueuedAgain(0)
        if apply_outcome(rows, outcome):
            Attempt.objects.filter(submission_id=submission_id, ended_at=None).update(ended_at=now(), outcome=DIED)
