"""Access tokens of a grant by OAuth: kept, refreshed once for everybody who asks, and never with a dead grant.

In a process whoever asks while a refresh is under way waits for that one; over processes the row of the grant is
locked while the provider is asked, and read again before. The work is done by a few threads of its own: a provider
that does not answer keeps no other work waiting, and a session that is cancelled loses no token, since the thread
saves what came. A provider may take the old refresh token back with the first use of the new one, so the new one is
committed before anybody uses what came with it.
"""

from __future__ import annotations

import asyncio
import logging
import os
import threading
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import psycopg
from psycopg.rows import namedtuple_row

from postroom.mailboxes.models import Grant
from postroom.mailboxes.oauth_apps import AppSettings, find_app, note_refusal, note_use, oauth_of
from postroom.mailboxes.sealing import Unsealable, seal_secrets, unseal_secrets
from postroom.providers.errors import NeedsAdministrator, NeedsReconnect, ProviderError, Unreachable
from postroom.providers.guard import NetworkPolicy
from postroom.providers.http import HttpClient
from postroom.providers.oauth_client import OAuthClient, TokenAnswer
from postroom.workspaces.database import borrowed_connection, connect

log = logging.getLogger(__name__)

EARLY = timedelta(seconds=60)  # before its end a token is not used any more
PROBE = timedelta(hours=1)  # a dead grant is tried once in
THREADS = 8
LOCK_SECONDS = 40  # for the row of a grant; who has it asks for 30 at most
ASK_SECONDS = 30.0

_LOCK = """SELECT workspace_id, app, sealed, expires_at, refused_code, refused_at > now() - %s AS is_recent
 FROM mailboxes_grant WHERE mailbox_id = %s FOR UPDATE"""
_KEEP = """UPDATE mailboxes_grant SET sealed = %s, expires_at = %s, dies_at = coalesce(%s, dies_at),
 refreshed_at = now(), refused_code = '', refused_at = NULL WHERE mailbox_id = %s"""
_REMEMBER = "UPDATE mailboxes_grant SET refused_code = %s, refused_at = now() WHERE mailbox_id = %s"


@dataclass(frozen=True, slots=True)
class Held:
    """An access token and when it ends."""

    access_token: str = field(repr=False)
    expires_at: datetime | None

    def serves(self, refused: str) -> bool:
        """Whether it can be used now."""
        is_fresh = self.expires_at is not None and self.expires_at - EARLY > datetime.now(UTC)
        return is_fresh and bool(self.access_token) and self.access_token != refused


class GrantTokens:
    """providers.base.Tokens over one Grant."""

    def __init__(self, mailbox_id: UUID, held: Held) -> None:
        self._mailbox_id = mailbox_id
        self._held = held

    @classmethod
    def of(cls, grant: Grant, secrets: dict[str, Any]) -> GrantTokens:
        return cls(grant.mailbox_id, Held(str(secrets.get("oauth", {}).get("access_token", "")), grant.expires_at))

    async def access_token(self, refused: str = "") -> str:
        if not self._held.serves(refused):
            self._held = await _refreshed_once(self._mailbox_id, refused)
            if self._held.access_token == refused:  # the refresh that was under way had begun before it was refused
                self._held = await _refreshed_once(self._mailbox_id, refused)
        return self._held.access_token


class _UnderWay:
    """The refreshes of this process, one a mailbox. Sessions of several event loops may wait for the same one."""

    def __init__(self) -> None:
        self._futures: dict[UUID, Future[Held]] = {}
        self._guard = threading.Lock()
        self._threads = ThreadPoolExecutor(THREADS, thread_name_prefix="tokens")

    def refresh(self, mailbox_id: UUID, refused: str) -> Future[Held]:
        with self._guard:
            future = self._futures.get(mailbox_id)
            if future is None:
                future = self._threads.submit(_refresh, mailbox_id, refused)
                self._futures[mailbox_id] = future
                future.add_done_callback(lambda _: self._forget(mailbox_id, future))
            return future

    def _forget(self, mailbox_id: UUID, future: Future[Held] | None) -> None:
        # Runs in the thread that submitted when the work is done already, which then holds the guard; a dict's own
        # operations are whole without it.
        if self._futures.get(mailbox_id) is future:
            del self._futures[mailbox_id]


_under_way = _UnderWay()


async def _refreshed_once(mailbox_id: UUID, refused: str) -> Held:
    return await asyncio.shield(asyncio.wrap_future(_under_way.refresh(mailbox_id, refused)))


@borrowed_connection()
def _refresh(mailbox_id: UUID, refused: str) -> Held:
    """A usable token of the grant: what somebody else has put there meanwhile, else a fresh one."""
    try:
        with connect(row_factory=namedtuple_row) as link, link.transaction():
            link.execute("SELECT set_config('lock_timeout', %s, true)", [f"{LOCK_SECONDS}s"])
            outcome, app = _refresh_locked(link, mailbox_id, refused)
    except psycopg.errors.LockNotAvailable as error:
        raise Unreachable("sign_in_busy") from error
    except Unsealable as error:
        raise NeedsReconnect("secret_unreadable") from error
    if isinstance(outcome, Held):
        if app is not None:
            note_use(app.workspace_id, app.settings.provider)
        return outcome
    if isinstance(outcome, NeedsAdministrator) and app is not None:
        note_refusal(app.workspace_id, app.settings.provider, outcome)
    raise outcome


@dataclass(frozen=True, slots=True)
class _Asked:
    """The registration by which the provider was asked."""

    workspace_id: UUID
    settings: AppSettings


def _refresh_locked(
    link: psycopg.Connection[Any], mailbox_id: UUID, refused: str
) -> tuple[Held | ProviderError, _Asked | None]:
    """With the row locked. An error is handed back and not raised, so that what is remembered of it is committed."""
    row = link.execute(_LOCK, [PROBE, mailbox_id]).fetchone()
    if row is None:
        return NeedsReconnect("secret_unreadable"), None
    secrets = unseal_secrets(bytes(row.sealed), mailbox_id, row.workspace_id)
    oauth = secrets["oauth"]
    held = Held(oauth["access_token"], row.expires_at)
    if held.serves(refused):
        return held, None
    if row.refused_code and row.is_recent:
        return NeedsReconnect(row.refused_code, provider=oauth_of(row.app).owner), None
    app = find_app(row.workspace_id, row.app)
    if app is None:
        return NeedsAdministrator("app_missing", provider=oauth_of(row.app).owner), None
    if app.client_id != oauth.get("client_id"):
        return NeedsReconnect("app_changed", provider=app.oauth.owner), None
    asked = _Asked(row.workspace_id, app)
    try:
        answer = asyncio.run(_ask(app, oauth["refresh_token"]))
    except NeedsReconnect as error:
        log.info("a grant is refused", extra={"mailbox_id": mailbox_id, "code": error.code})
        link.execute(_REMEMBER, [error.code, mailbox_id])
        return error, asked
    except ProviderError as error:
        return error, asked
    now = datetime.now(UTC)
    held = Held(answer.access_token, now + timedelta(seconds=answer.life_seconds))
    dies_at = now + timedelta(seconds=answer.refresh_life_seconds) if answer.refresh_life_seconds else None
    fresh = secrets | {"oauth": oauth | {"access_token": answer.access_token, "refresh_token": answer.refresh_token}}
    link.execute(_KEEP, [seal_secrets(fresh, mailbox_id, row.workspace_id), held.expires_at, dies_at, mailbox_id])
    return held, asked


async def _ask(app: AppSettings, refresh_token: str) -> TokenAnswer:
    http = HttpClient(NetworkPolicy.from_environment(os.environ))
    try:
        async with asyncio.timeout(ASK_SECONDS):
            return await OAuthClient(http, app.oauth, app.registration).refresh(refresh_token)
    except TimeoutError as error:
        raise Unreachable("sign_in_busy") from error
    finally:
        await http.close()
