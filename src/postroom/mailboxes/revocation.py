"""Giving a permission back at the provider when its mailbox is disconnected: in the background, and as well as it goes.

Where a provider ends all that one person allowed to any registration of the project (Google does), nothing is given
back while another mailbox lives on the same person's permission.
"""

from __future__ import annotations

import asyncio
import logging
import os
from concurrent.futures import ThreadPoolExecutor
from uuid import UUID

from django.db import transaction

from postroom.mailboxes.models import Grant, Mailbox
from postroom.mailboxes.oauth_apps import AppSettings, find_app
from postroom.mailboxes.sealing import Unsealable, unseal_secrets
from postroom.providers.errors import ProviderError
from postroom.providers.guard import NetworkPolicy
from postroom.providers.http import HttpClient
from postroom.providers.oauth_client import OAuthClient

log = logging.getLogger(__name__)

_threads = ThreadPoolExecutor(2, thread_name_prefix="revocation")


def revoke_later(mailbox: Mailbox) -> None:
    """Give the mailbox's permission back once this transaction, which deletes its grant, is committed."""
    grant = Grant.objects.filter(mailbox=mailbox).exclude(app="").first()
    if grant is None or _is_needed_elsewhere(grant):
        return
    try:
        secrets = unseal_secrets(bytes(grant.sealed), mailbox.pk, mailbox.workspace_id)
        app = find_app(mailbox.workspace_id, grant.app)
    except Unsealable:
        return
    token = str(secrets.get("oauth", {}).get("refresh_token", ""))
    if app is not None and app.endpoints.revoke and token:
        transaction.on_commit(lambda: _threads.submit(_revoke, mailbox.pk, app, token))


def _is_needed_elsewhere(grant: Grant) -> bool:
    """Whether the same person's permission opens another mailbox, in whatever workspace."""
    return Grant.objects.filter(app=grant.app, subject=grant.subject).exclude(pk=grant.pk).exists()


def _revoke(mailbox_id: UUID, app: AppSettings, token: str) -> None:
    try:
        asyncio.run(_ask(app, token))
    except ProviderError as error:
        log.info("a permission could not be given back", extra={"mailbox_id": mailbox_id, "code": error.code})


async def _ask(app: AppSettings, token: str) -> None:
    http = HttpClient(NetworkPolicy.from_environment(os.environ))
    try:
        await OAuthClient(http, app.oauth, app.registration).revoke(token)
    finally:
        await http.close()
