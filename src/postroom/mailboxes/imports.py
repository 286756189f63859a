"""The slices of first imports as jobs: queued, queued again, put off, and told to the mailbox when they fail."""

from __future__ import annotations

import contextlib
from datetime import datetime, timedelta
from uuid import UUID

from django.db import transaction
from django.db.models import F, Q, QuerySet
from django.db.models.functions import Now
from django.utils import timezone
from procrastinate.contrib.django import app
from procrastinate.exceptions import AlreadyEnqueued

from postroom.mailboxes.allowance import counting_providers, rest_untold
from postroom.mailboxes.connect import announce_free_mailbox
from postroom.mailboxes.models import DirectionState, ImportSlice, Mailbox, as_facts, mailbox_topic
from postroom.providers.errors import NeedsReconnect, Throttled
from postroom.sync.backoff import delay_seconds
from postroom.workspaces import events

TASK = "import_slice"
BROKEN = "import_broken"  # the mailbox's error from PATIENT_FAILURES on
PATIENT_FAILURES = 3
MOST_AT_ONCE = 200
SOON_SECONDS = 60.0


def import_later(piece: ImportSlice, at: datetime | None = None) -> None:
    """Queue a slice, to be worked off at once or from then on. The newest slice of every mailbox comes before an older
    one of any: one import never keeps another waiting. Two jobs for one slice do no harm, the queueing lock only saves
    the work."""
    task = app.configure_task(
        TASK, queue="import", priority=-piece.position, queueing_lock=f"slice {piece.pk}", schedule_at=at
    )
    with contextlib.suppress(AlreadyEnqueued):
        task.defer(slice_id=str(piece.pk))


def is_one_at_a_time(mailbox_id: UUID) -> bool:
    """Whether one slice of the mailbox is worked off after the other: its allowance is what it waits for, not us."""
    return Mailbox.objects.filter(pk=mailbox_id, provider__in=counting_providers()).exists()


def import_next(mailbox_id: UUID, at: datetime | None = None) -> None:
    """Queue the first slice of a mailbox whose slices follow one another: the first that is due, or will be then."""
    due = Q(not_before=None) | Q(not_before__lte=Now() if at is None else at)
    piece = ImportSlice.objects.filter(due, mailbox=mailbox_id, is_done=False).order_by("position", "pk").first()
    if piece is not None:
        import_later(piece, at)


def go_on(slice_id: UUID) -> None:
    """A slice was worked off: queue the one that follows, where that waits for it."""
    mailbox_id = ImportSlice.objects.filter(pk=slice_id).values_list("mailbox_id", flat=True).first()
    if mailbox_id is not None and is_one_at_a_time(mailbox_id):
        import_next(mailbox_id)


def queue_orphans() -> None:
    """Queue the slices that no job is for: their worker died, a sign-in was refused and is mended, they broke."""
    orphans = ImportSlice.objects.raw(
        """
        WITH busy AS (
            SELECT s.id, s.mailbox_id FROM procrastinate_jobs j JOIN mailboxes_importslice s
            ON s.id::text = j.args ->> 'slice_id' WHERE j.task_name = %s AND j.status IN ('todo', 'doing'))
        SELECT s.id, s.mailbox_id, s.position
        FROM mailboxes_importslice s JOIN mailboxes_mailbox m ON m.id = s.mailbox_id
        WHERE NOT s.is_done AND coalesce(s.not_before <= now(), true)
          AND m.disconnected_at IS NULL AND m.paused_at IS NULL AND m.reads AND m.sign_in_state <> 'failing'
          AND m.receiving_state <> 'off'
          AND coalesce(m.not_before <= now(), true)
          AND CASE WHEN m.provider = ANY(%s)
              THEN m.id NOT IN (SELECT mailbox_id FROM busy)
                   AND NOT EXISTS (SELECT FROM mailboxes_importslice earlier WHERE earlier.mailbox_id = m.id
                                   AND NOT earlier.is_done AND coalesce(earlier.not_before <= now(), true)
                                   AND (earlier.position, earlier.id) < (s.position, s.id))
              ELSE s.id NOT IN (SELECT id FROM busy) END
        ORDER BY s.position LIMIT %s
        """,
        [TASK, counting_providers(), MOST_AT_ONCE],
    )
    for piece in orphans:
        import_later(piece)


def may_run(slice_id: UUID) -> bool:
    """Whether a slice may be worked on now: its mailbox is read, neither paused nor left alone, and it is not put off.

    One that may not is dropped by its job; `queue_orphans` finds it when it may.
    """
    due = Q(not_before=None) | Q(not_before__lte=Now())
    mailbox_due = Q(mailbox__not_before=None) | Q(mailbox__not_before__lte=Now())
    found = ImportSlice.objects.filter(due, mailbox_due, pk=slice_id, is_done=False)
    found = found.exclude(mailbox__receiving_state=DirectionState.OFF)
    return found.filter(mailbox__paused_at=None, mailbox__disconnected_at=None, mailbox__reads=True).exists()


@transaction.atomic
def throttled(slice_id: UUID, error: Throttled, seconds: float) -> None:
    """The server asked for patience: the whole import of the mailbox waits so long, and not a moment longer.

    The importer takes slices of other mailboxes meanwhile. Where it was the server that asked, and not our own
    allowance, the mailbox's session waits as well.
    """
    mailbox_id = Mailbox.objects.filter(slices=slice_id).values_list("pk", flat=True).first()
    if mailbox_id is None:
        return
    open_slices = ImportSlice.objects.filter(mailbox=mailbox_id, is_done=False)
    open_slices.update(not_before=Now() + timedelta(seconds=seconds))
    rest_untold(mailbox_id, error, seconds)
    if seconds > SOON_SECONDS:  # `queue_orphans` finds them then, or when a person does not want to wait
        return
    at = ImportSlice.objects.filter(pk=slice_id).values_list("not_before", flat=True).first()
    if is_one_at_a_time(mailbox_id):
        import_next(mailbox_id, at)
    else:
        for piece in open_slices.order_by("position")[:MOST_AT_ONCE]:
            import_later(piece, at)


def broken_slices() -> QuerySet[ImportSlice]:
    """Slices that failed too often to be called patient any more; they are still tried again."""
    return ImportSlice.objects.filter(is_done=False, failures__gte=PATIENT_FAILURES)


@transaction.atomic
def refused(slice_id: UUID, error: NeedsReconnect) -> None:
    """The server refused the sign-in of an import: the mailbox waits for its owner.

    Its session has to sign in anew as well, and so says when the trouble is over.
    """
    mailbox = Mailbox.objects.filter(slices=slice_id, disconnected_at=None).exclude(receiving_state=DirectionState.OFF)
    mailbox_id = mailbox.values_list("pk", flat=True).first()
    if mailbox_id is None:
        return
    Mailbox.objects.filter(pk=mailbox_id).update(
        sign_in_state=DirectionState.FAILING,
        receiving_state=DirectionState.FAILING,
        needs_reconnect=True,
        error_code=error.code,
        error_facts=as_facts(error.facts),
        error_words=error.server_words[:2000],
        error_at=timezone.now(),
    )
    _begin_anew(mailbox_id)
    events.notify(mailbox_topic(mailbox_id))


@transaction.atomic
def folder_gone(slice_id: UUID) -> None:
    """The folder of a slice cannot be opened: the session lists the folders anew, which drops what is gone."""
    broke(slice_id)
    mailbox_id = Mailbox.objects.filter(slices=slice_id).values_list("pk", flat=True).first()
    if mailbox_id is not None:
        _begin_anew(mailbox_id)


def _begin_anew(mailbox_id: UUID) -> None:
    """End the mailbox's session, wherever it runs; a worker begins another one at once."""
    Mailbox.objects.filter(pk=mailbox_id).update(epoch=F("epoch") + 1, worker_id=None)
    announce_free_mailbox()


@transaction.atomic
def broke(slice_id: UUID) -> None:
    """Something nobody foresaw ended the import of a slice: later and later again, and say so from the third time."""
    # The mailbox before the slice, as a session that drops slices does (correspondence/plan.py).
    Mailbox.objects.select_for_update(of=("self",), no_key=True).filter(slices=slice_id).first()
    piece = ImportSlice.objects.select_for_update().filter(pk=slice_id, is_done=False).first()
    if piece is None:
        return
    piece.failures += 1
    piece.not_before = timezone.now() + timedelta(seconds=30 * delay_seconds(min(piece.failures, 8), 0.5))
    piece.save(update_fields=["failures", "not_before"])
    if piece.failures >= PATIENT_FAILURES:
        Mailbox.objects.filter(pk=piece.mailbox_id, error_code="").update(
            error_code=BROKEN, error_facts={}, error_words="", error_at=timezone.now()
        )
        events.notify(mailbox_topic(piece.mailbox_id))
