"""One row a mailbox and day (UTC): how it was and how much mail came and left. Written by jobs, never by a hot path.

Every minute the mailboxes in trouble have the seconds since the last look added to their day, so a job that two
workers run at once counts nothing twice. The others only have the look noted, every ten minutes, so that a day on which
the workers went down is not called well to its end. Numbers are counted every ten minutes for two days, and once a
night for all days that are shown: mail that an outage held up belongs to the day it was sent on.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, date, datetime, timedelta
from typing import Any, Final
from uuid import UUID

from django.db import connection
from django.utils import timezone

from postroom.correspondence.models import Direction
from postroom.mailboxes.models import HealthDay, Mailbox, mailbox_topic
from postroom.mailboxes.troubles import passing_codes
from postroom.workspaces import events

SHOWN_DAYS: Final = 90
KEPT_DAYS: Final = 100
FRESH_DAYS: Final = 2  # whose numbers still change
LASTED_SECONDS: Final = 600  # trouble of a shorter time does not colour its day
NOTED_SECONDS: Final = 600  # between two notes that a mailbox without trouble is looked at
LONGEST_LOOK_SECONDS: Final = 120  # what lies further back nobody looked at: the workers were down

_LOOKED_AT = """disconnected_at IS NULL AND paused_at IS NULL AND NOT awaits_start
 AND (import_planned_at IS NOT NULL OR NOT reads)"""
_BEGIN = f"""
INSERT INTO mailboxes_healthday
 (workspace_id, mailbox_id, day, state, failing_seconds, slow_seconds, received, sent, failed, codes, looked_at)
SELECT workspace_id, id, %(day)s, 'ok', 0, 0, 0, 0, 0, '{{}}', now() FROM mailboxes_mailbox m
WHERE {_LOOKED_AT} AND NOT EXISTS (SELECT 1 FROM mailboxes_healthday WHERE mailbox_id = m.id AND day = %(day)s)
ON CONFLICT DO NOTHING
RETURNING mailbox_id"""  # noqa: S608
_ADD = f"""
WITH trouble AS (
 SELECT id, error_code, sending_code,
  needs_reconnect OR (reads AND error_code <> '' AND error_code <> ALL (%(passing)s))
   OR (sends AND sending_code <> '' AND sending_code <> ALL (%(passing)s)) AS needs_a_person
 FROM mailboxes_mailbox
 WHERE {_LOOKED_AT} AND (needs_reconnect OR (reads AND error_code <> '')
  OR (sends AND sending_state = 'failing' AND sending_code <> ''))),
counted AS (
 SELECT d.id, d.state AS state_before, t.needs_a_person, t.error_code, t.sending_code,
  greatest(0, least(%(longest)s, extract(epoch FROM now() - d.looked_at)))::int AS seconds
 FROM mailboxes_healthday d JOIN trouble t ON t.id = d.mailbox_id WHERE d.day = %(day)s FOR UPDATE OF d)
UPDATE mailboxes_healthday d SET
 failing_seconds = d.failing_seconds + CASE WHEN c.needs_a_person THEN c.seconds ELSE 0 END,
 slow_seconds = d.slow_seconds + CASE WHEN c.needs_a_person THEN 0 ELSE c.seconds END,
 state = CASE
  WHEN d.failing_seconds + CASE WHEN c.needs_a_person THEN c.seconds ELSE 0 END >= %(lasted)s THEN 'failing'
  WHEN d.failing_seconds + d.slow_seconds + c.seconds >= %(lasted)s THEN 'slow'
  ELSE d.state END,
 codes = (SELECT coalesce(array_agg(DISTINCT code ORDER BY code), '{{}}')
  FROM unnest(d.codes || c.error_code || c.sending_code) AS code WHERE code <> ''),
 looked_at = now()
FROM counted c WHERE d.id = c.id
RETURNING CASE WHEN d.state <> c.state_before THEN d.mailbox_id END"""  # noqa: S608
_LOOK = f"""
UPDATE mailboxes_healthday SET looked_at = now()
WHERE day = %(day)s AND looked_at < now() - %(noted)s * interval '1 second'
 AND mailbox_id IN (SELECT id FROM mailboxes_mailbox WHERE {_LOOKED_AT})"""  # noqa: S608
_COUNT = """
WITH came AS (
 SELECT placed.mailbox_id, placed.day, count(*) AS received FROM (
  SELECT DISTINCT p.mailbox_id, m.id, (m.at AT TIME ZONE 'UTC')::date AS day
  FROM correspondence_message m JOIN correspondence_placement p ON p.message_id = m.id
  WHERE m.workspace_id = %(workspace)s AND m.at >= %(since)s AND m.direction = %(in)s) placed GROUP BY 1, 2),
gone AS (
 SELECT mailbox_id, (coalesce(sent_at, claimed_at, created_at) AT TIME ZONE 'UTC')::date AS day,
  count(*) FILTER (WHERE state = 'sent') AS sent, count(*) FILTER (WHERE state = 'failed') AS failed
 FROM outbox_submission
 WHERE workspace_id = %(workspace)s AND coalesce(sent_at, claimed_at, created_at) >= %(since)s GROUP BY 1, 2),
counted AS (
 SELECT d.id, coalesce(came.received, 0) AS received, coalesce(gone.sent, 0) AS sent, coalesce(gone.failed, 0) AS failed
 FROM mailboxes_healthday d
 LEFT JOIN came ON came.mailbox_id = d.mailbox_id AND came.day = d.day
 LEFT JOIN gone ON gone.mailbox_id = d.mailbox_id AND gone.day = d.day
 WHERE d.workspace_id = %(workspace)s AND d.day >= %(since)s::date)
UPDATE mailboxes_healthday d SET received = c.received, sent = c.sent, failed = c.failed
FROM counted c WHERE d.id = c.id AND (d.received, d.sent, d.failed) <> (c.received, c.sent, c.failed)
RETURNING d.mailbox_id"""


def note_states(now: datetime | None = None) -> None:
    """Begin today's row of every mailbox that is looked at, and add the time of those in trouble. Each minute."""
    day = (now or timezone.now()).astimezone(UTC).date()
    facts: dict[str, Any] = {
        "day": day,
        "passing": passing_codes(),
        "longest": LONGEST_LOOK_SECONDS,
        "lasted": LASTED_SECONDS,
        "noted": NOTED_SECONDS,
    }
    with connection.cursor() as cursor:
        for statement in (_BEGIN, _ADD):
            cursor.execute(statement, facts)
            _tell_pages(cursor.fetchall())
        cursor.execute(_LOOK, facts)


def count_fresh() -> int:
    """Count the mail of today and yesterday; return how many rows changed. Every ten minutes."""
    return _count(FRESH_DAYS)


def count_all() -> int:
    """Count the mail of all days that are shown, and forget older ones. Once a night."""
    HealthDay.objects.filter(day__lt=_today() - timedelta(days=KEPT_DAYS)).delete()
    return _count(SHOWN_DAYS)


def history(mailboxes: Iterable[Mailbox]) -> dict[Any, list[HealthDay]]:
    """The rows of the last 90 days by mailbox id, oldest first; days that nobody looked at have none."""
    by_mailbox: dict[Any, list[HealthDay]] = {mailbox.pk: [] for mailbox in mailboxes}
    rows = HealthDay.objects.filter(mailbox_id__in=list(by_mailbox), day__gt=_today() - timedelta(days=SHOWN_DAYS))
    for row in rows.order_by("day"):
        by_mailbox[row.mailbox_id].append(row)
    return by_mailbox


def _count(days: int) -> int:
    since = _today() - timedelta(days=days - 1)
    changed = 0
    workspaces = HealthDay.objects.filter(day__gte=since).values_list("workspace_id", flat=True).distinct()
    with connection.cursor() as cursor:
        for workspace_id in list(workspaces):
            midnight = datetime(since.year, since.month, since.day, tzinfo=UTC)
            cursor.execute(_COUNT, {"workspace": workspace_id, "since": midnight, "in": Direction.IN.value})
            changed += cursor.rowcount
            _tell_pages(cursor.fetchall())
    return changed


def _tell_pages(changed: Iterable[tuple[UUID | None]]) -> None:
    """The open pages of these mailboxes draw them again."""
    events.notify(*{mailbox_topic(mailbox_id) for (mailbox_id,) in changed if mailbox_id})


def looked_until(row: HealthDay) -> datetime | None:
    """When the looks of that day ended before the day did; None for one that was looked at to its end, or still is."""
    midnight = datetime(row.day.year, row.day.month, row.day.day, tzinfo=UTC) + timedelta(days=1)
    overdue = min(midnight, timezone.now()) - timedelta(seconds=2 * NOTED_SECONDS)
    return row.looked_at if row.looked_at < overdue else None


def _today() -> date:
    return timezone.now().astimezone(UTC).date()
