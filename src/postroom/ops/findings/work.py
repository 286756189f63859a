"""What Postroom does: workers, imports, sending, questions to owners, pushes, registrations that end."""

from __future__ import annotations

from datetime import timedelta
from typing import Final

from django.conf import settings
from django.db import connection
from django.utils import timezone

from postroom.correspondence.models import Message
from postroom.mailboxes.imports import broken_slices
from postroom.mailboxes.models import Folder, ImportSlice, OAuthApp, PushWatch, Worker
from postroom.mailboxes.oauth_apps import EXPIRES_SOON, oauth_of
from postroom.ops.findings.finding import Finding, since
from postroom.outbox.models import State, Submission
from postroom.workspaces.ids import made_at

OVERDUE: Final = timedelta(minutes=10)  # of a job or message that waits for nothing
_OVERDUE_JOBS: Final = """
WITH known AS (
 SELECT status, queue_name, scheduled_at, (SELECT max(at) FROM procrastinate_events WHERE job_id = j.id) AS at
 FROM procrastinate_jobs j WHERE status IN ('todo', 'failed'))
SELECT
 count(*) FILTER (WHERE status = 'todo' AND queue_name = 'light' AND coalesce(scheduled_at, at) < now() - %s::interval),
 count(*) FILTER (WHERE status = 'failed' AND at > now() - interval '1 day') FROM known"""


def worker() -> Finding:
    count = Worker.living().filter(kind="sessions").count()
    return Finding("worker", count > 0, f"{count} seen in the last 10 seconds", "Start Postroom with bin/up.")


def imports() -> Finding:
    importers = Worker.living().filter(kind="imports").count()
    count, broken = ImportSlice.objects.filter(is_done=False).count(), broken_slices().count()
    oldest = ImportSlice.objects.filter(is_done=False).order_by("pk").first()
    what = f"{importers} importers, {count} open slices"
    if oldest is not None:
        planned = made_at(oldest.pk)
        what += f", the oldest for {since(planned)}" if planned else ""
        what += f", {broken} of them broken" if broken else ""
    fix = "Read the importers' log in the data folder." if importers else "Start Postroom with bin/up."
    return Finding("imports", not broken and (importers > 0 or not count), what, fix)


def jobs() -> Finding:
    """Jobs of the light queue that nobody took: sends, looks, and what runs by the clock."""
    with connection.cursor() as cursor:
        cursor.execute(_OVERDUE_JOBS, [str(OVERDUE)])
        [(overdue, failed)] = cursor.fetchall()
    what = f"{overdue} wait for more than ten minutes" if overdue else "none waits longer than it should"
    what += f", {failed} failed within a day" if failed else ""
    return Finding("jobs", not overdue, what, "Read the worker's log in the data folder, and restart Postroom.")


def sending() -> Finding:
    overdue = Submission.objects.filter(state=State.QUEUED, send_at__lt=timezone.now() - OVERDUE)
    waiting, unknown = overdue.count(), Submission.objects.filter(state=State.UNKNOWN).count()
    what = f"{waiting} message(s) should have left long ago" if waiting else "nothing waits longer than it should"
    what += f", {unknown} may or may not have arrived: their authors decide" if unknown else ""
    return Finding("sending", not waiting, what, "Look whether the worker runs; its log says what keeps it.")


def questions() -> Finding:
    asking = Folder.objects.filter(mailbox__disconnected_at=None).exclude(held_code="").select_related("mailbox")
    named = [f"{one.name} of {one.mailbox.address} ({one.held_code})" for one in asking.order_by("mailbox__address")]
    what = ", ".join(named) if named else "no folder asks anything"
    return Finding("questions", not named, what, "Open the mailbox's page and answer; nothing is removed before.")


def registrations() -> Finding:
    """The workspaces' registrations at providers: refused, or with a secret that ends within a month."""
    today = timezone.now().date()
    rows = OAuthApp.objects.select_related("workspace").order_by("workspace__name", "provider")
    refused = [f"{_app(row)} is refused ({row.error_code})" for row in rows.exclude(error_code="")]
    ending = rows.filter(secret_expires_on__lte=today + EXPIRES_SOON)
    named = refused + [f"{_app(row)} has a secret that ends on {row.secret_expires_on}" for row in ending]
    what = ", ".join(named) if named else "none is refused or ends soon"
    return Finding("registrations", not named, what, "Settings > Apps says how to make a new secret.")


def _app(row: OAuthApp) -> str:
    return f"that of {row.workspace.name} at {oauth_of(row.provider).owner}"


def pushes() -> Finding:
    """Not being called is no failure: the mailboxes are polled."""
    watches = PushWatch.objects.filter(mailbox__disconnected_at=None).select_related("mailbox")
    if not settings.PUSH_URL:
        return Finding("pushes", True, "off: providers cannot call this address, all mailboxes are polled")
    refused = [f"{one.mailbox.address} ({one.error_code})" for one in watches.exclude(error_code="")]
    what = f"{watches.filter(error_code='').count()} watches" + (f", refused: {', '.join(refused)}" if refused else "")
    return Finding("pushes", True, what)


def messages() -> Finding:
    count = Message.objects.exclude(problem="").count()
    return Finding("messages", True, f"{count} kept without their text" if count else "all could be read")
