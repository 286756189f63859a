"""Tells the administrators about a registration at a provider that is refused or ends soon, and owner and
administrators of a mailbox whose permission ends soon, by mail from a shared mailbox of the workspace that works.

A registration that is refused stops all its mailboxes at once: one letter to each administrator, none to the owners.
What ends on a known day is counted down: 30, 7 and 1 days before, each once. A permission that lives for a week only
has no warning of seven days. Who is told is claimed in the transaction that queues the letters, and only where a
mailbox can carry them.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

from django.conf import settings
from django.db.models import Q, QuerySet
from django.utils import timezone

from postroom.mailboxes.models import Grant, Mailbox, OAuthApp
from postroom.mailboxes.oauth_apps import EXPIRES_SOON, find_app_without_secret, mailboxes_of, oauth_of, oauth_providers
from postroom.outbox.notices import Letter, each_once, find_sender, has_sender, numbered, send_letter, tell_each
from postroom.providers.catalogue import explain
from postroom.workspaces.members import administrators

COUNTDOWN_DAYS: Final = (30, 7, 1)
SHORT_LIFE: Final = 1.2  # times a countdown: who has just connected for a week needs no warning of seven days


def tell_administrators() -> int:
    """Write about registrations that are refused, or whose secret ends soon; return to how many people."""
    note_expiry_of_environment()
    carried = OAuthApp.objects.filter(has_sender())
    refused = carried.exclude(error_code="").filter(alarmed_at=None).values_list("pk", flat=True)
    return tell_each(refused, _tell_of_refusal) + tell_each(_expiring(carried), _tell_of_expiry)


def tell_of_ending_grants() -> int:
    """Write about mailboxes whose permission dies soon, to their owners and administrators; return to how many."""
    moment = timezone.now()
    far = moment + timedelta(days=COUNTDOWN_DAYS[0] + 1)
    Grant.objects.filter(dies_at__gt=far).exclude(warned_days=None).update(warned_days=None)  # it lives on
    ending = Grant.objects.filter(dies_at__range=(moment, far), refused_code="", mailbox__disconnected_at=None)
    return tell_each(ending.values_list("pk", flat=True), _tell_of_ending)


def due(left: timedelta, life: timedelta) -> int | None:
    """Which warning is due, 30, 7 or 1 days before, with so much time left of so long a life; None for none yet."""
    reached = [days for days in COUNTDOWN_DAYS if left.days <= days and SHORT_LIFE * timedelta(days=days) < life]
    return min(reached, default=None)


def note_expiry_of_environment() -> None:
    """A registration in the environment has a row as soon as there is something to remind of."""
    for provider in oauth_providers():
        workspaces = Mailbox.objects.filter(grant__app=provider, disconnected_at=None).values_list("workspace_id")
        for (workspace_id,) in workspaces.distinct():
            app = find_app_without_secret(workspace_id, provider)
            if app is not None and app.from_environment and app.secret_expires_on:
                row, _ = OAuthApp.objects.get_or_create(workspace_id=workspace_id, provider=provider)
                if row.secret_expires_on != app.secret_expires_on:
                    row.secret_expires_on, row.reminded_at, row.reminded_days = app.secret_expires_on, None, None
                    row.save(update_fields=["secret_expires_on", "reminded_at", "reminded_days"])


def _expiring(apps: QuerySet[OAuthApp]) -> QuerySet[OAuthApp, UUID]:
    soon = apps.filter(secret_expires_on__lte=timezone.now().date() + EXPIRES_SOON)
    return soon.exclude(reminded_days=COUNTDOWN_DAYS[-1]).values_list("pk", flat=True)


def _not_told(column: str, days: int) -> Q:
    """Rows whose latest warning was an earlier one than that."""
    return Q(**{column: None}) | Q(**{f"{column}__gt": days})


def _tell_of_refusal(app_id: UUID) -> int:
    """Whoever comes second waits for the first one's transaction and then finds it marked."""
    app = OAuthApp.objects.get(pk=app_id)
    sender = find_sender(app.workspace_id)
    if sender is None or not OAuthApp.objects.filter(pk=app_id, alarmed_at=None).update(alarmed_at=timezone.now()):
        return 0
    return send_letter(sender, administrators(app.workspace_id), refusal_letter(app))


def _tell_of_expiry(app_id: UUID) -> int:
    moment = timezone.now()
    app = OAuthApp.objects.get(pk=app_id)
    assert app.secret_expires_on is not None
    days = due(app.secret_expires_on - moment.date(), timedelta(days=365))
    sender = find_sender(app.workspace_id)
    if days is None or sender is None:
        return 0
    untold = OAuthApp.objects.filter(_not_told("reminded_days", days), secret_expires_on=app.secret_expires_on)
    if not untold.filter(pk=app_id).update(reminded_days=days, reminded_at=moment):
        return 0
    return send_letter(sender, administrators(app.workspace_id), expiry_letter(app))


def _tell_of_ending(mailbox_id: UUID) -> int:
    moment = timezone.now()
    mailbox = Mailbox.objects.select_related("owner", "grant").get(pk=mailbox_id)
    dies_at = mailbox.grant.dies_at
    assert dies_at is not None
    days = due(dies_at - moment, dies_at - mailbox.grant.updated_at)
    sender = find_sender(mailbox.workspace_id, besides=mailbox_id)
    if days is None or sender is None:
        return 0
    untold = Grant.objects.filter(_not_told("warned_days", days), pk=mailbox_id)
    if not untold.update(warned_days=days, warned_at=moment):
        return 0
    people = each_once([mailbox.owner, *administrators(mailbox.workspace_id)])
    return send_letter(sender, people, ending_letter(mailbox))


def refusal_letter(app: OAuthApp) -> Letter:
    """The one alarm, in the catalogue's words."""
    oauth = oauth_of(app.provider)
    entry = explain(app.error_code, provider=oauth.owner)
    count = mailboxes_of(app.workspace_id, app.provider).count()
    lines = [entry.what]
    lines += [f"{_mailboxes(count)} by this registration can neither be read nor send."] if count else []
    lines += [*numbered(entry.fix), "", f"The registration: {settings.BASE_URL}/settings/apps/{app.provider}/", ""]
    lines += ["As soon as it is mended all of them go on by themselves; nobody has to sign in again."]
    lines += ["Postroom writes about this once."]
    return Letter(f"{oauth.owner} refuses Postroom: {entry.title.lower()}", tuple(lines))


def expiry_letter(app: OAuthApp) -> Letter:
    """The reminder of the secret's last day."""
    oauth, day = oauth_of(app.provider), app.secret_expires_on
    assert day is not None
    days = (day - timezone.now().date()).days
    count = mailboxes_of(app.workspace_id, app.provider).count()
    ends = f"ends {days_in_words(days)}" if days >= 0 else "has ended"
    lines = [f"The client secret of Postroom at {oauth.owner} {ends}: its last day is {day:%d %B %Y}."]
    if count:
        lines += [f"After that day {_mailboxes(count).lower()} by it can neither be read nor send."]
    else:
        lines += ["No mailbox is connected by it so far, and after that day none can be."]
    lines += ["", f"Make a new secret at {oauth.owner} and save it, with its last day, in Settings > Apps:"]
    lines += [f"{settings.BASE_URL}/settings/apps/{app.provider}/", "", _COUNTED]
    return Letter(f"The client secret at {oauth.owner} {ends}", tuple(lines))


def ending_letter(mailbox: Mailbox) -> Letter:
    """The warning, while the mailbox still works."""
    oauth, dies_at = oauth_of(mailbox.grant.app), mailbox.grant.dies_at
    assert isinstance(dies_at, datetime)
    left = days_in_words((dies_at - timezone.now()).days)
    lines = [f"{oauth.owner} lets Postroom use the mailbox {mailbox.address}"]
    lines += [f"until {dies_at:%d %B %Y, %H:%M} UTC, {left}."]
    lines += [f"Once {mailbox.owner} reconnects it, before or after, it goes on where it was:"]
    lines += [f"{settings.BASE_URL}/settings/mailboxes/{mailbox.pk}/", "", _COUNTED]
    return Letter(f"Reconnect {mailbox.address}: its permission ends {left}", tuple(lines))


def days_in_words(days: int) -> str:
    """When something ends that has so many whole days left, 0 or more."""
    return "today" if days == 0 else "tomorrow" if days == 1 else f"in {days} days"


_COUNTED = "Postroom writes about this 30, 7 and 1 days before."


def _mailboxes(count: int) -> str:
    return "The mailbox that is connected" if count == 1 else f"The {count} mailboxes that are connected"
