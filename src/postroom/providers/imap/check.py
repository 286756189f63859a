"""The connection check: everything a mailbox needs, tried step by step, with the cause where it stops.

    imap: name, reach, tls, greeting, sign_in, folders (, inbox)    smtp: name, reach, tls, greeting, sign_in, sender

Steps come in the order in which they happen: with STARTTLS the greeting is before tls, without encryption there is no
tls. A failing step ends its server's row and carries its code; the server's words are there when a server that we may
talk to spoke.
"""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import replace
from typing import TypeVar

from postroom.providers.base import CheckStep, RemoteFolder, ServerSettings
from postroom.providers.errors import NeedsAdministrator, ProviderError, Refused, Unreachable, WrongSettings
from postroom.providers.guard import IPAddress, NetworkPolicy, resolve
from postroom.providers.imap.commands import Verbatim
from postroom.providers.imap.connect import attach, connect_tcp, speaks_tls
from postroom.providers.imap.errors import error_for
from postroom.providers.imap.responses import Status
from postroom.providers.imap.session import ImapSession
from postroom.providers.imap.sign_in import encrypt, greet, sign_in
from postroom.providers.imap.smtp import SmtpConnection, SmtpTimeouts
from postroom.providers.imap.smtp_wire import path
from postroom.providers.imap.transport import Connection, Timeouts, connection_factory

Result = TypeVar("Result")
Conversation = TypeVar("Conversation", Connection, SmtpConnection)

GREETING_SECONDS = 8.0  # somebody is watching; postscreen makes strangers wait for 6


class _Row:
    """One server's steps as they are made. `step` raises after it noted a failure, which ends the row."""

    def __init__(self, server: str) -> None:
        self.server = server
        self.made: list[CheckStep] = []
        self._addresses: Sequence[IPAddress] = ()

    async def step(self, name: str, trial: Awaitable[Result], note: str | Callable[[Result], str] = "") -> Result:
        started = time.monotonic()
        try:
            result = await trial
        except ProviderError as error:
            seconds = round(time.monotonic() - started, 3)
            failed = CheckStep(self.server, name, False, seconds, "", error.code, error.server_words, error.facts)
            self.made.append(failed)
            raise
        seconds = round(time.monotonic() - started, 3)
        self.made.append(CheckStep(self.server, name, True, seconds, note if isinstance(note, str) else note(result)))
        return result

    async def connect(
        self, settings: ServerSettings, policy: NetworkPolicy, factory: Callable[[], Conversation]
    ) -> AsyncIterator[Conversation | None]:
        """Steps name, reach and tls (when TLS is from the start); yields None after each, at last the conversation."""
        self._addresses = await self.step("name", resolve(settings.host, settings.port, policy), _as_note)
        yield None
        endpoint = await self.step("reach", connect_tcp(settings, self._addresses), f"port {settings.port}")
        yield None
        attaching = attach(endpoint, settings, policy, factory)
        yield await self.step("tls", attaching) if settings.security == "tls" else await attaching

    async def greeting(self, settings: ServerSettings, policy: NetworkPolicy, greeting: Awaitable[Result]) -> Result:
        """Step greeting. A server that waits for TLS is as silent as a dead one, so silence is looked into."""

        async def greeted() -> Result:
            try:
                return await greeting
            except Unreachable as silence:
                is_silent = settings.security != "tls" and silence.code in ("timed_out", "connection_lost")
                if is_silent and await speaks_tls(settings, self._addresses, policy):
                    raise WrongSettings("tls_expected", host=settings.host, port=settings.port) from silence
                raise

        return await self.step("greeting", greeted())


async def check_imap(settings: ServerSettings, policy: NetworkPolicy, timeouts: Timeouts) -> AsyncIterator[CheckStep]:
    """The IMAP row. Its connection is closed at the end."""
    async for step in _run(_imap_trials(_Row("imap"), settings, policy, timeouts)):
        yield step


async def check_smtp(
    settings: ServerSettings, address: str, policy: NetworkPolicy, timeouts: SmtpTimeouts
) -> AsyncIterator[CheckStep]:
    """The SMTP row: signs in and asks whether `address` may send (MAIL FROM, then RSET). Sends nothing."""
    async for step in _run(_smtp_trials(_Row("smtp"), settings, address, policy, timeouts)):
        yield step


async def _run(trials: AsyncIterator[_Row]) -> AsyncIterator[CheckStep]:
    """Hand out each step as soon as it was made, the failing one too."""
    row: _Row | None = None
    told = 0
    try:
        async for row in trials:
            for step in row.made[told:]:
                yield step
            told = len(row.made)
    except ProviderError:
        pass
    if row is not None:
        for step in row.made[told:]:
            yield step


async def _imap_trials(
    row: _Row, settings: ServerSettings, policy: NetworkPolicy, timeouts: Timeouts
) -> AsyncIterator[_Row]:
    connection: Connection | None = None
    timeouts = replace(timeouts, greeting_seconds=min(timeouts.greeting_seconds, GREETING_SECONDS))
    yield row
    try:
        async for connection in row.connect(  # noqa: B007  the last one is the conversation
            settings, policy, connection_factory(settings, timeouts)
        ):
            yield row
        assert connection is not None
        greeting = await row.greeting(settings, policy, greet(connection, settings))
        yield row
        if settings.security == "starttls":
            await row.step("tls", encrypt(connection, settings, policy))
            yield row
        if greeting.condition != "PREAUTH":
            await row.step("sign_in", sign_in(connection, settings), settings.username)
            yield row
        await row.step("folders", ImapSession(connection).list_folders(), _folders_note)
        if settings.token:  # Exchange lets people in whose mailbox it does not open: "authenticated but not connected"
            yield row
            await row.step("inbox", _open_inbox(connection, settings))
        yield row
    finally:
        if connection is not None:
            await connection.close()


async def _smtp_trials(
    row: _Row, settings: ServerSettings, address: str, policy: NetworkPolicy, timeouts: SmtpTimeouts
) -> AsyncIterator[_Row]:
    connection: SmtpConnection | None = None
    timeouts = replace(timeouts, greeting_seconds=min(timeouts.greeting_seconds, GREETING_SECONDS))
    yield row
    try:
        async for connection in row.connect(  # noqa: B007  the last one is the conversation
            settings, policy, lambda: SmtpConnection(settings, timeouts)
        ):
            yield row
        assert connection is not None
        await row.greeting(settings, policy, connection.greet())
        yield row
        if settings.security == "starttls":
            await row.step("tls", connection.encrypt(policy))
            yield row
        await row.step("sign_in", connection.sign_in(), settings.username)
        yield row
        await row.step("sender", _try_sender(connection, address), address)
        yield row
    finally:
        if connection is not None:
            await connection.close()


async def _open_inbox(connection: Connection, settings: ServerSettings) -> None:
    status = await connection.run(Verbatim("EXAMINE INBOX"), answer=lambda event: not isinstance(event, Status))
    if status.condition != "OK":
        raise error_for(settings.host, status.words, NeedsAdministrator, "imap_off", port=settings.port)


async def _try_sender(connection: SmtpConnection, address: str) -> None:
    answer = await connection.ask(f"MAIL FROM:{path(address)}")
    if not answer.is_positive:
        raise connection.refusal(answer, Refused, "sender_refused")
    await connection.ask("RSET")


def _as_note(addresses: Sequence[object]) -> str:
    return ", ".join(str(address) for address in addresses[:4])


def _folders_note(folders: Sequence[RemoteFolder]) -> str:
    roles = ", ".join(f"{folder.role}: {folder.name}" for folder in folders if folder.role)
    return f"{len(folders)} folders ({roles})"
