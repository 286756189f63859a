"""Giving a permission back at the provider: when its mailbox is disconnected, and when none came of it.

A job does it, which outlives this process. It carries the token sealed, under the id of the mailbox or the journey that
it was for, since no row keeps it by then. Where a provider ends all that one person allowed to any registration of the
project (Google does), nothing is given back while another mailbox lives on the same person's permission, or was
connected with it before the job's turn came.
"""

from __future__ import annotations

import logging
import os
from base64 import b64decode, b64encode
from datetime import timedelta
from typing import Final
from uuid import UUID

from django.utils import timezone
from procrastinate.contrib.django import app as jobs

from postroom.mailboxes.models import Grant, Journey, Mailbox
from postroom.mailboxes.oauth_apps import AppSettings, find_app
from postroom.mailboxes.sealing import Unsealable, seal_secrets, unseal_secrets
from postroom.providers.errors import Unreachable
from postroom.providers.guard import NetworkPolicy
from postroom.providers.http import HttpClient
from postroom.providers.oauth_client import OAuthClient
from postroom.workspaces.database import in_thread

log = logging.getLogger(__name__)

TASK = "revoke_permission"
AFTER_SECONDS = 10  # with the same permission the watches are ended first (watches.stop_later)
MOST_TRIES = 24  # most of a day, by engine/patience.py
ARRIVAL_LONGEST: Final = timedelta(minutes=2)  # from a code to a saved mailbox; one that takes longer has died


def revoke_later(mailbox: Mailbox) -> None:
    """Give the mailbox's permission back once this transaction, which deletes its grant, is committed."""
    grant = Grant.objects.filter(mailbox=mailbox).exclude(app="").first()
    if grant is not None and not _is_needed(grant.app, grant.subject, besides=mailbox.pk):
        _defer(mailbox.pk, mailbox.workspace_id, grant.app, grant.subject, bytes(grant.sealed))


def give_back_later(journey: Journey, subject: str, token: str) -> None:
    """Give back what a journey brought that ends without a mailbox. `subject` is who allowed it, proven."""
    if _is_needed(journey.provider, subject):
        return
    sealed = seal_secrets({"oauth": {"refresh_token": token}}, journey.pk, journey.workspace_id)
    _defer(journey.pk, journey.workspace_id, journey.provider, subject, sealed)


async def revoke(row_id: UUID, workspace_id: UUID, app: str, subject: str, sealed: str) -> bool:
    """Give it back; whether the provider was asked. Raises ProviderError while it may help to try again."""
    found = await in_thread(_find, row_id, workspace_id, app, subject, sealed)
    if found is None:
        return False
    settings, token = found
    http = HttpClient(NetworkPolicy.from_environment(os.environ))
    try:
        await OAuthClient(http, settings.oauth, settings.registration).revoke(token)
    finally:
        await http.close()
    return True


def _defer(row_id: UUID, workspace_id: UUID, app: str, subject: str, sealed: bytes) -> None:
    try:
        settings = find_app(workspace_id, app)
    except Unsealable:
        return
    if settings is not None and settings.endpoints.revoke:
        jobs.configure_task(TASK, queue="light", schedule_in={"seconds": AFTER_SECONDS}).defer(
            row_id=str(row_id),
            workspace_id=str(workspace_id),
            app=app,
            subject=subject,
            sealed=b64encode(sealed).decode(),
        )


def _find(row_id: UUID, workspace_id: UUID, app: str, subject: str, sealed: str) -> tuple[AppSettings, str] | None:
    """The registration and the token; None where nothing is to be given back any more.

    Raises Unreachable while somebody is arriving from there: it may be the same person, and his mailbox not saved yet.
    """
    if _is_needed(app, subject):
        return None
    try:
        secrets = unseal_secrets(b64decode(sealed), row_id, workspace_id)
        settings = find_app(workspace_id, app)
    except Unsealable:
        log.warning("the permission of %s cannot be given back", row_id, extra={"code": "secret_unreadable"})
        return None
    token = str(secrets.get("oauth", {}).get("refresh_token", ""))
    if settings is None or not token:
        return None
    arriving = Journey.objects.filter(provider=app, outcome="", used_at__gt=timezone.now() - ARRIVAL_LONGEST)
    if arriving.exclude(pk=row_id).exists():
        raise Unreachable("sign_in_busy", provider=settings.oauth.owner)
    return settings, token


def _is_needed(app: str, subject: str, besides: UUID | None = None) -> bool:
    """Whether the same person's permission opens a mailbox, in whatever workspace."""
    return Grant.objects.filter(app=app, subject=subject).exclude(pk=besides).exists()
