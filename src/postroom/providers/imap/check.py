"""The connection check: everything a mailbox needs, tried step by step, with the cause where it stops.

    imap: name, reach, tls, greeting, sign_in, folders (, inbox)    smtp: name, reach, tls, greeting, sign_in, sender

Steps come in the order in which they happen: with STARTTLS the greeting is before tls. Without encryption there is no
tls but its warning. A failing step ends its server's row and carries its code; a step that passed with a warning
(cautions.py) carries one too. The server's words are there when a mail server that we may talk to spoke.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, replace
from typing import Any, Final, Generic, TypeVar

from postroom.providers.base import CheckStep, Credentials, RemoteFolder, ServerSettings
from postroom.providers.errors import (
    NeedsAdministrator,
    ProviderError,
    Refused,
    SignInRefused,
    Unreachable,
    WrongSettings,
)
from postroom.providers.guard import IPAddress, NetworkPolicy, resolve
from postroom.providers.imap.cautions import (
    Caution,
    blocked_ports,
    not_encrypted,
    personal_password,
    two_accounts,
    unusual_pair,
)
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

ROW_SECONDS = 90.0  # for all steps of one server; refusals of several user names take their time
GREETING_SECONDS = 8.0  # somebody is watching; postscreen makes strangers wait for 6
# Refusals after which another form of the user name is worth a try. Elsewhere it would only count as one more wrong
# sign-in: the service takes every form, or no password at all.
FORM_MATTERS: Final = frozenset({"sign_in_refused", "icloud_app_password", "authorization_code_needed"}) | {
    "mail_programs_off",
    "own_mail_password",
}


@dataclass(frozen=True, slots=True)
class Talk(Generic[Conversation]):
    """How one protocol begins a conversation. What is greeted with "PREAUTH" is not signed in."""

    begin: Callable[[ServerSettings], Conversation]
    greet: Callable[[Conversation, ServerSettings], Awaitable[str]]
    encrypt: Callable[[Conversation, ServerSettings, NetworkPolicy], Awaitable[None]]
    sign_in: Callable[[Conversation, ServerSettings], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Asked:
    """What is checked: one server of the mailbox `address`, with other forms of its user name to try."""

    settings: ServerSettings
    policy: NetworkPolicy
    address: str
    other_usernames: tuple[str, ...] = ()
    is_shared: bool = False


class _Row:
    """One server's steps as they are made. `step` raises after it noted a failure, which ends the row."""

    def __init__(self, server: str, asked: Asked) -> None:
        self.server = server
        self.asked = asked
        self.settings = asked.settings  # in the end with the user name that worked
        self.made: list[CheckStep] = []
        self._addresses: Sequence[IPAddress] = ()
        self._until = 0.0  # by the monotonic clock, from the first step on

    async def step(self, name: str, trial: Awaitable[Result], note: str | Callable[[Result], str] = "") -> Result:
        started = time.monotonic()
        try:
            result = await self._in_time(trial)
        except ProviderError as error:
            seconds = round(time.monotonic() - started, 3)
            failed = CheckStep(self.server, name, False, seconds, "", error.code, error.server_words, error.facts)
            self.made.append(failed)
            raise
        seconds = round(time.monotonic() - started, 3)
        self.made.append(CheckStep(self.server, name, True, seconds, note if isinstance(note, str) else note(result)))
        return result

    async def _in_time(self, trial: Awaitable[Result]) -> Result:
        """Every octet that a server drips makes a silence begin anew; somebody is watching, or a request waits."""
        self._until = self._until or time.monotonic() + ROW_SECONDS
        try:
            async with asyncio.timeout(self._until - time.monotonic()):
                return await trial
        except TimeoutError as error:
            raise Unreachable("timed_out", host=self.settings.host, port=self.settings.port) from error

    def warn(self, caution: Caution | None, **facts: object) -> None:
        """Put a warning, and facts, on the step that has just passed."""
        last = self.made[-1]
        code, told = (caution.code, caution.facts) if caution else ("", {})
        self.made[-1] = replace(last, code=code, facts={**last.facts, **told, **facts})

    async def connect(self, talk: Talk[Conversation], stack: AsyncExitStack) -> AsyncIterator[Conversation | None]:
        """The steps up to the sign-in; yields None after each, at last the signed-in conversation."""
        settings, policy = self.settings, self.asked.policy
        self._addresses = await self.step("name", resolve(settings.host, settings.port, policy), _as_note)
        yield None
        endpoint = await self.step("reach", connect_tcp(settings, self._addresses), f"port {settings.port}")
        stack.callback(endpoint.close)
        yield None
        attaching = attach(endpoint, settings, policy, lambda: talk.begin(settings))
        conversation = await (self.step("tls", attaching) if settings.security == "tls" else attaching)
        stack.push_async_callback(conversation.close)
        if settings.security == "tls":
            self.warn(unusual_pair(settings))
        yield None
        greeting = await self.step("greeting", self._greeted(talk.greet(conversation, settings)))
        self._note_missing_encryption()
        yield None
        if settings.security == "starttls":
            await self.step("tls", talk.encrypt(conversation, settings, policy))
            self.warn(unusual_pair(settings))
            yield None
        if greeting != "PREAUTH":
            signing_in = self._signed_in(talk, conversation, stack)
            conversation = await self.step("sign_in", signing_in, lambda _: self.settings.username)
            self.warn(
                personal_password(self.settings, self.asked.address, is_shared=self.asked.is_shared),
                username=self.settings.username,
            )
        yield conversation

    def _note_missing_encryption(self) -> None:
        if caution := not_encrypted(self.settings, self._addresses):
            self.made.append(CheckStep(self.server, "tls", True, 0.0))
            self.warn(caution)

    async def _greeted(self, greeting: Awaitable[str]) -> str:
        """A server that waits for TLS is as silent as a dead one, so silence is looked into."""
        try:
            return await greeting
        except Unreachable as silence:
            settings = self.settings
            is_silent = settings.security != "tls" and silence.code in ("timed_out", "connection_lost")
            if is_silent and await speaks_tls(settings, self._addresses, self.asked.policy):
                raise WrongSettings("tls_expected", host=settings.host, port=settings.port) from silence
            raise

    async def _signed_in(
        self, talk: Talk[Conversation], conversation: Conversation, stack: AsyncExitStack
    ) -> Conversation:
        """Sign in, by another form of the user name where the server knows none of the first; the first refusal counts.

        Each form has a connection of its own: servers hang up after a refusal, or answer only slower and slower.
        """
        tried, refused = [self.settings.username], None
        others = [name for name in self.asked.other_usernames if name != self.settings.username]
        try:
            await talk.sign_in(conversation, self.settings)
            return conversation
        except SignInRefused as error:
            refused = error
        for username in others if refused.code in FORM_MATTERS else ():
            settings = replace(self.settings, username=username)
            tried.append(username)
            try:
                conversation = await self._again(talk, settings, stack)
                await talk.sign_in(conversation, settings)
            except SignInRefused:
                continue
            except ProviderError:  # it has had enough of us; what it said first is what counts
                break
            self.settings = settings
            return conversation
        refused.facts["username"] = " and ".join(tried)
        raise refused

    async def _again(self, talk: Talk[Conversation], settings: ServerSettings, stack: AsyncExitStack) -> Conversation:
        """Another conversation, up to where it can sign in."""
        endpoint = await connect_tcp(settings, self._addresses)
        conversation = await attach(endpoint, settings, self.asked.policy, lambda: talk.begin(settings))
        stack.push_async_callback(conversation.close)
        await talk.greet(conversation, settings)
        await talk.encrypt(conversation, settings, self.asked.policy)
        return conversation


async def check_both(
    credentials: Credentials,
    imap: ServerSettings,
    smtp: ServerSettings,
    policy: NetworkPolicy,
    timeouts: Timeouts,
    smtp_timeouts: SmtpTimeouts,
) -> AsyncIterator[CheckStep]:
    """Both rows, and what only both together tell. Sends nothing, changes nothing."""
    asked = Asked(imap, policy, credentials.address, credentials.other_usernames, credentials.is_shared)
    receiving, sending = _Row("imap", asked), _Row("smtp", replace(asked, settings=smtp))
    async for step in _run(receiving, _imap_trials(receiving, timeouts)):
        yield step
    async for step in _run(sending, _smtp_trials(sending, smtp_timeouts)):
        yield _seen_together(receiving, sending, step)


def _seen_together(receiving: _Row, sending: _Row, step: CheckStep) -> CheckStep:
    """A step of the sending row, with what the receiving one adds to it."""
    was_reached = any(made.name == "reach" and made.ok for made in receiving.made)
    step = blocked_ports(step, sending.settings.port, was_reached=was_reached)
    is_received = any(made.name == "sign_in" and made.ok for made in receiving.made)
    if step.name == "sign_in" and step.ok and is_received:
        caution = two_accounts(receiving.settings, sending.settings, sending.asked.address)
        return replace(step, code=caution.code, facts={**step.facts, **caution.facts}) if caution else step
    return step


async def _run(row: _Row, trials: AsyncIterator[None]) -> AsyncIterator[CheckStep]:
    """Hand out each step as soon as it was made, the failing one too."""
    told = 0
    try:
        async for _ in trials:
            for step in row.made[told:]:
                yield step
            told = len(row.made)
    except ProviderError:
        pass
    for step in row.made[told:]:
        yield step


async def _imap_trials(row: _Row, timeouts: Timeouts) -> AsyncIterator[None]:
    timeouts = replace(timeouts, greeting_seconds=min(timeouts.greeting_seconds, GREETING_SECONDS))

    def begin(settings: ServerSettings) -> Connection:
        return connection_factory(settings, timeouts)()

    async def greeted(connection: Connection, settings: ServerSettings) -> str:
        return (await greet(connection, settings)).condition

    talk = Talk(begin, greeted, encrypt, sign_in)
    async with AsyncExitStack() as stack:
        async for connection in row.connect(talk, stack):  # noqa: B007  the last one is the conversation
            yield
        assert connection is not None
        await row.step("folders", ImapSession(connection).list_folders(), _folders_note)
        yield
        if row.settings.token:  # Exchange lets people in whose mailbox stays shut: "authenticated but not connected"
            await row.step("inbox", _open_inbox(connection, row.settings))
            yield


async def _smtp_trials(row: _Row, timeouts: SmtpTimeouts) -> AsyncIterator[None]:
    timeouts = replace(timeouts, greeting_seconds=min(timeouts.greeting_seconds, GREETING_SECONDS))

    async def greeted(connection: SmtpConnection, settings: ServerSettings) -> str:
        return (await connection.greet()).words

    async def encrypted(connection: SmtpConnection, settings: ServerSettings, policy: NetworkPolicy) -> None:
        await connection.encrypt(policy)

    async def signed_in(connection: SmtpConnection, settings: ServerSettings) -> None:
        await connection.sign_in()

    def begin(settings: ServerSettings) -> SmtpConnection:
        return SmtpConnection(settings, timeouts)

    talk = Talk(begin, greeted, encrypted, signed_in)
    async with AsyncExitStack() as stack:
        async for connection in row.connect(talk, stack):  # noqa: B007  the last one is the conversation
            yield
        assert connection is not None
        await row.step("sender", _try_sender(connection, row.asked.address), row.asked.address)
        yield


async def _open_inbox(connection: Connection, settings: ServerSettings) -> None:
    status = await connection.run(Verbatim("EXAMINE INBOX"), answer=lambda event: not isinstance(event, Status))
    if status.condition != "OK":
        raise error_for(settings.host, status.words, NeedsAdministrator, "imap_off", port=settings.port)


async def _try_sender(connection: SmtpConnection, address: str) -> None:
    """Whether this address may send: MAIL FROM, RCPT TO the mailbox itself, RSET. No DATA, so nothing is sent.

    Postfix and others keep their refusal of the sender for the first recipient (smtpd_delay_reject). What they refuse
    about the recipient is no matter of this check.
    """
    answer = await connection.ask(f"MAIL FROM:{path(address)}")
    if not answer.is_positive:
        raise connection.refusal(answer, Refused, "sender_refused")
    answer = await connection.ask(f"RCPT TO:{path(address)}")
    error = connection.refusal(answer, Refused, "recipients_refused")
    if not answer.is_positive and error.code in ("sender_not_allowed", "relay_denied"):
        raise error
    await connection.ask("RSET")


def _as_note(addresses: Sequence[Any]) -> str:
    return ", ".join(str(address) for address in addresses[:4])


def _folders_note(folders: Sequence[RemoteFolder]) -> str:
    roles = ", ".join(f"{folder.role}: {folder.name}" for folder in folders if folder.role)
    return f"{len(folders)} folders ({roles})"
