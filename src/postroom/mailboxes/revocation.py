"""Giving a permission back at the provider when its mailbox is disconnected: by a job, which outlives this process.

The job carries the grant as it was sealed, since its row is gone by then. Where a provider ends all that one person
allowed to any registration of the project (Google does), nothing is given back while another mailbox lives on the same
person's permission, or was connected with it before the job's turn came.
"""

from __future__ import annotations

import logging
import os
from base64 import b64decode, b64encode
from uuid import UUID

from procrastinate.contrib.django import app as jobs

from postroom.mailboxes.models import Grant, Mailbox
from postroom.mailboxes.oauth_apps import AppSettings, find_app
from postroom.mailboxes.sealing import Unsealable, unseal_secrets
from postroom.providers.guard import NetworkPolicy
from postroom.providers.http import HttpClient
from postroom.providers.oauth_client import OAuthClient
from postroom.workspaces.database import in_thread

log = logging.getLogger(__name__)

TASK = "revoke_permission"
AFTER_SECONDS = 10  # with the same permission the watches are ended first (watches.stop_later)
MOST_TRIES = 24  # most of a day, by engine/patience.py


def revoke_later(mailbox: Mailbox) -> None:
    """Give the mailbox's permission back once this transaction, which deletes its grant, is committed."""
    grant = Grant.objects.filter(mailbox=mailbox).exclude(app="").first()
    if grant is None or _is_needed(grant.app, grant.subject, besides=mailbox.pk):
        return
    try:
        app = find_app(mailbox.workspace_id, grant.app)
    except Unsealable:
        return
    if app is not None and app.endpoints.revoke:
        jobs.configure_task(TASK, queue="light", schedule_in={"seconds": AFTER_SECONDS}).defer(
            mailbox_id=str(mailbox.pk),
            workspace_id=str(mailbox.workspace_id),
            app=grant.app,
            subject=grant.subject,
            sealed=b64encode(bytes(grant.sealed)).decode(),
        )


async def revoke(mailbox_id: UUID, workspace_id: UUID, app: str, subject: str, sealed: str) -> bool:
    """Give it back; whether the provider was asked. Raises ProviderError while it may help to try again."""
    found = await in_thread(_find, mailbox_id, workspace_id, app, subject, sealed)
    if found is None:
        return False
    settings, token = found
    http = HttpClient(NetworkPolicy.from_environment(os.environ))
    try:
        await OAuthClient(http, settings.oauth, settings.registration).revoke(token)
    finally:
        await http.close()
    return True


def _find(mailbox_id: UUID, workspace_id: UUID, app: str, subject: str, sealed: str) -> tuple[AppSettings, str] | None:
    """The registration and the refresh token; None where nothing is to be given back any more."""
    if _is_needed(app, subject):
        return None
    try:
        secrets = unseal_secrets(b64decode(sealed), mailbox_id, workspace_id)
        settings = find_app(workspace_id, app)
    except Unsealable:
        log.warning("a permission cannot be given back", extra={"mailbox_id": mailbox_id, "code": "secret_unreadable"})
        return None
    token = str(secrets.get("oauth", {}).get("refresh_token", ""))
    return (settings, token) if settings is not None and token else None


def _is_needed(app: str, subject: str, besides: UUID | None = None) -> bool:
    """Whether the same person's permission opens a mailbox, in whatever workspace."""
    return Grant.objects.filter(app=app, subject=subject).exclude(pk=besides).exists()
