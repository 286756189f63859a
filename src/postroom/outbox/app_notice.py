"""Tells the administrators about a registration at a provider that is refused or ends soon, and the owner of a mailbox
whose permission ends soon; each once, by mail from a shared mailbox of the workspace that works.

A registration that is refused stops all its mailboxes at once: one letter to each administrator, none to the owners.
Who is told is claimed in the transaction that queues the letters (owner_notice.py says why).
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from datetime import timedelta
from uuid import UUID

from django.conf import settings
from django.db import transaction
from django.db.models import F, Q
from django.utils import timezone

from postroom.mail.message import Address
from postroom.mailboxes.models import DirectionState, Grant, Kind, Mailbox, OAuthApp
from postroom.mailboxes.oauth_apps import EXPIRES_SOON, find_app, mailboxes_of, oauth_of, oauth_providers
from postroom.outbox.composition import Composition, SubmitRefused
from postroom.outbox.sender import Choice
from postroom.outbox.submit import submit_notice
from postroom.providers.catalogue import Entry, explain
from postroom.workspaces.models import Membership, Role, User

log = logging.getLogger(__name__)

DIES_SOON = timedelta(days=2)
_ADMINISTRATORS = (Role.OWNER, Role.ADMIN)


def tell_administrators() -> int:
    """Write about registrations that are refused, or whose secret ends soon; return to how many people."""
    note_expiry_of_environment()
    told = 0
    for app_id in OAuthApp.objects.exclude(error_code="").filter(alarmed_at=None).values_list("pk", flat=True):
        told += _tell_of_app(app_id, "alarmed_at")
    for app_id in _expiring():
        told += _tell_of_app(app_id, "reminded_at")
    return told


def tell_of_ending_grants() -> int:
    """Write to owners whose mailbox's permission dies within two days; return to how many."""
    told = 0
    soon = Q(dies_at__lt=timezone.now() + DIES_SOON, dies_at__gt=timezone.now())
    ending = Grant.objects.filter(soon, warned_at=None, refused_code="", mailbox__disconnected_at=None)
    for mailbox_id in ending.values_list("pk", flat=True):
        with transaction.atomic():
            if Grant.objects.filter(pk=mailbox_id, warned_at=None).update(warned_at=timezone.now()):
                mailbox = Mailbox.objects.select_related("owner", "grant").get(pk=mailbox_id)
                told += _send(mailbox.workspace_id, [mailbox.owner], ending_letter(mailbox), besides=mailbox_id)
    return told


def note_expiry_of_environment() -> None:
    """A registration in the environment has a row as soon as there is something to remind of."""
    for provider in oauth_providers():
        workspaces = Mailbox.objects.filter(grant__app=provider, disconnected_at=None).values_list("workspace_id")
        for (workspace_id,) in workspaces.distinct():
            app = find_app(workspace_id, provider)
            if app is not None and app.from_environment and app.secret_expires_on:
                row, _ = OAuthApp.objects.get_or_create(workspace_id=workspace_id, provider=provider)
                if row.secret_expires_on != app.secret_expires_on:
                    row.secret_expires_on, row.reminded_at = app.secret_expires_on, None
                    row.save(update_fields=["secret_expires_on", "reminded_at"])


def _expiring() -> Sequence[UUID]:
    day = timezone.now().date() + EXPIRES_SOON
    return list(OAuthApp.objects.filter(secret_expires_on__lte=day, reminded_at=None).values_list("pk", flat=True))


def _tell_of_app(app_id: UUID, mark: str) -> int:
    """Whoever comes second waits for the first one's transaction and then finds it marked."""
    with transaction.atomic():
        unmarked = OAuthApp.objects.filter(pk=app_id, **{mark: None})
        if not unmarked.update(**{mark: timezone.now()}):
            return 0
        app = OAuthApp.objects.get(pk=app_id)
        administrators = User.objects.filter(
            pk__in=Membership.objects.filter(workspace_id=app.workspace_id, role__in=_ADMINISTRATORS).values("user_id"),
            is_active=True,
        )
        letter = refusal_letter(app) if mark == "alarmed_at" else expiry_letter(app)
        return _send(app.workspace_id, list(administrators), letter)


def _send(workspace_id: UUID, people: Sequence[User], letter: Composition, besides: UUID | None = None) -> int:
    """Queue one letter to each; those that no mailbox can send are in the log, and every page tells them anyway."""
    sender = _sender(workspace_id, besides)
    if sender is None:
        log.warning("nobody can be written to about a registration", extra={"workspace_id": workspace_id})
        return 0
    choice = Choice(sender.pk, sender.address, "Postroom", "It works, and what the letter is about cannot tell itself.")
    told = 0
    for one in people:
        addressed = Composition(to=(Address(one.email, one.name),), subject=letter.subject, text=letter.text)
        try:
            with transaction.atomic():
                submit_notice(sender, choice, addressed)
            told += 1
        except SubmitRefused as error:
            log.warning("a letter about a registration was refused", extra={"code": error.code})
    return told


def _sender(workspace_id: UUID, besides: UUID | None) -> Mailbox | None:
    """A shared mailbox that works, the one that sent last; not one of the registrations that are refused."""
    refused = OAuthApp.objects.filter(workspace_id=workspace_id).exclude(error_code="").values("provider")
    working = Mailbox.objects.filter(
        workspace_id=workspace_id,
        kind=Kind.SHARED,
        disconnected_at=None,
        paused_at=None,
        error_code="",
        needs_reconnect=False,
    )
    if besides:
        working = working.exclude(pk=besides)
    return (
        working.exclude(grant__app__in=refused)
        .exclude(sending_state=DirectionState.FAILING)
        .order_by(F("last_sent_at").desc(nulls_last=True), "created_at")
        .first()
    )


def refusal_letter(app: OAuthApp) -> Composition:
    """The one alarm, in the catalogue's words."""
    oauth = oauth_of(app.provider)
    entry = explain(app.error_code, provider=oauth.owner)
    count = mailboxes_of(app.workspace_id, app.provider).count()
    lines = ["Hello,", "", entry.what, f"{_mailboxes(count)} by this registration can neither be read nor send."]
    lines += [*_steps(entry), "", f"The registration: {settings.BASE_URL}/settings/apps/{app.provider}/", ""]
    lines += ["As soon as it is mended all of them go on by themselves; nobody has to sign in again.", _ONCE]
    return Composition(to=(), subject=f"{oauth.owner} refuses Postroom: {entry.title.lower()}", text=_text(lines))


def expiry_letter(app: OAuthApp) -> Composition:
    """The reminder of the secret's last day."""
    oauth = oauth_of(app.provider)
    count = mailboxes_of(app.workspace_id, app.provider).count()
    lines = ["Hello,", "", f"The client secret of Postroom at {oauth.owner} ends on {app.secret_expires_on:%d %B %Y}."]
    lines += [f"After that day {_mailboxes(count).lower()} by it can neither be read nor send.", ""]
    lines += [f"Make a new secret at {oauth.owner} and save it, with its last day, in Settings > Apps:"]
    lines += [f"{settings.BASE_URL}/settings/apps/{app.provider}/", "", _ONCE]
    return Composition(to=(), subject=f"The client secret at {oauth.owner} ends soon", text=_text(lines))


def ending_letter(mailbox: Mailbox) -> Composition:
    """The warning to an owner, while the mailbox still works."""
    oauth = oauth_of(mailbox.grant.app)
    lines = [f"Hello {mailbox.owner.name}," if mailbox.owner.name else "Hello,", ""]
    lines += [f"{oauth.owner} lets Postroom use the mailbox {mailbox.address}"]
    lines += [f"until {mailbox.grant.dies_at:%d %B %Y, %H:%M} UTC. Reconnect it before, and nothing stops:"]
    lines += [f"{settings.BASE_URL}/settings/mailboxes/{mailbox.pk}/", "", _ONCE]
    return Composition(to=(), subject=f"Reconnect {mailbox.address} soon", text=_text(lines))


_ONCE = "Postroom writes about this once."


def _mailboxes(count: int) -> str:
    return "The mailbox that is connected" if count == 1 else f"The {count} mailboxes that are connected"


def _steps(entry: Entry) -> list[str]:
    return ["", "What to do:", *(f"{number}. {step}" for number, step in enumerate(entry.fix, 1))]


def _text(lines: Sequence[str]) -> str:
    return "\n".join(lines) + "\n"
