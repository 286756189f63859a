"""The provider "imap": any mailbox by IMAP and SMTP, with a password or by OAuth."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

from postroom.providers.base import Capabilities, CheckStep, Credentials, ServerSettings
from postroom.providers.errors import WrongSettings
from postroom.providers.guard import NetworkPolicy
from postroom.providers.imap.bearer import open_with_token
from postroom.providers.imap.check import check_both
from postroom.providers.imap.connect import KEEP_ALIVE, KeepAlive, open_connection
from postroom.providers.imap.session import ImapSession
from postroom.providers.imap.sign_in import encrypt, greet, sign_in
from postroom.providers.imap.smtp import SmtpSender, SmtpTimeouts
from postroom.providers.imap.transport import Timeouts, connection_factory
from postroom.providers.imap.wire import Limits
from postroom.providers.oauth import OAuth
from postroom.providers.push import Push

_SECURITIES = ("tls", "starttls", "none")


class ImapProvider:
    """See base.Provider. Credentials.secrets is {"imap": {host, port, security, username, password}, "smtp": {…}}.

    Credentials with tokens have no password: they sign in by XOAUTH2 or OAUTHBEARER.
    """

    name = "imap"
    title = "IMAP and SMTP"
    oauth: OAuth | None = None
    push: Push | None = None
    capabilities = Capabilities(
        lists_headers_cheaply=True, pushes=True, files_sent_itself=None, finds_by_message_id=True
    )

    def __init__(
        self,
        policy: NetworkPolicy,
        *,
        timeouts: Timeouts | None = None,
        limits: Limits | None = None,
        smtp_timeouts: SmtpTimeouts | None = None,
        keep_alive: KeepAlive = KEEP_ALIVE,
    ) -> None:
        self._policy = policy
        self._timeouts = timeouts or Timeouts()
        self._limits = limits or Limits()
        self._smtp_timeouts = smtp_timeouts or SmtpTimeouts()
        self._keep_alive = keep_alive

    def host_of(self, credentials: Credentials) -> str:
        return server_settings(credentials, "imap").host.lower()

    async def open(self, credentials: Credentials) -> ImapSession:
        return await open_with_token(credentials, server_settings(credentials, "imap"), self._open)

    async def _open(self, settings: ServerSettings) -> ImapSession:
        factory = connection_factory(settings, self._timeouts, self._limits)
        connection = await open_connection(settings, self._policy, factory, self._keep_alive)
        try:
            greeting = await greet(connection, settings)
            await encrypt(connection, settings, self._policy)
            if greeting.condition != "PREAUTH":
                await sign_in(connection, settings)
        except BaseException:
            await connection.close()
            raise
        return ImapSession(connection)

    async def open_sender(self, credentials: Credentials) -> SmtpSender:
        return await open_with_token(credentials, server_settings(credentials, "smtp"), self._open_sender)

    async def _open_sender(self, settings: ServerSettings) -> SmtpSender:
        return await SmtpSender.open(settings, self._policy, self._smtp_timeouts)

    async def check(self, credentials: Credentials) -> AsyncIterator[CheckStep]:
        token = await credentials.tokens.access_token() if credentials.tokens else ""
        imap = replace(server_settings(credentials, "imap"), token=token)
        smtp = replace(server_settings(credentials, "smtp"), token=token)
        async for step in check_both(credentials, imap, smtp, self._policy, self._timeouts, self._smtp_timeouts):
            yield step


def server_settings(credentials: Credentials, server: str) -> ServerSettings:
    """One server's settings; raise WrongSettings("settings_missing") when they are incomplete."""
    told: Any = credentials.secrets.get(server)
    try:
        security = told.get("security", "tls")
        settings = ServerSettings(
            host=str(told["host"]).strip(),
            port=int(told["port"]),
            security=security,
            username=str(told.get("username") or credentials.address),
            password="" if credentials.tokens else str(told["password"]),
        )
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise WrongSettings("settings_missing", server=server.upper()) from error
    if security not in _SECURITIES or not settings.host or not 0 < settings.port < 65536:
        raise WrongSettings("settings_missing", server=server.upper())
    return settings
