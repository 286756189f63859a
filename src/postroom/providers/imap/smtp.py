"""Sending by SMTP, with an exact point of no return.

aiosmtplib sends a message and its final dot in one call; the point of no return lies between the two. So DATA is ours,
and then the rest of the client is 150 lines that share the guard, TLS and errors with IMAP.

    EHLO  AUTH  MAIL  RCPT …  DATA  body        anything that fails up to here: certainly not sent
    await before_no_return()                    the caller commits "in doubt"
    CRLF . CRLF                                 2yz sent; 4yz, 5yz certainly not sent; anything else: InDoubt
"""

from __future__ import annotations

import asyncio
import base64
from collections import deque
from dataclasses import dataclass
from typing import cast

from postroom.providers.base import BeforeNoReturn, Envelope, Receipt, ServerSettings
from postroom.providers.errors import (
    InDoubt,
    ProtocolViolation,
    ProviderError,
    Refused,
    SignInRefused,
    Throttled,
    Unreachable,
    Unsupported,
    WrongSettings,
)
from postroom.providers.guard import NetworkPolicy
from postroom.providers.imap import bearer
from postroom.providers.imap.commands import sasl_plain
from postroom.providers.imap.connect import cause_of, close_gently, open_connection, start_tls
from postroom.providers.imap.errors import error_for_reply, other_service, scrub
from postroom.providers.imap.smtp_wire import END_OF_DATA, Reply, ReplyReader, command, extensions, path, stuffed

_PIECE = 256 * 1024  # the body is written in pieces, so that a slow server holds it back


@dataclass(frozen=True, slots=True)
class SmtpTimeouts:
    """Seconds for one reply (RFC 5321 section 4.5.3.2). The final dot's is long: giving up early makes doubles."""

    greeting_seconds: float = 60.0
    command_seconds: float = 120.0
    end_of_data_seconds: float = 600.0


class SmtpConnection(asyncio.Protocol):
    """Commands out, replies in order."""

    def __init__(self, settings: ServerSettings, timeouts: SmtpTimeouts) -> None:
        self.settings = settings
        self.timeouts = timeouts
        self.extensions: dict[str, str] = {}
        self._transport: asyncio.Transport | None = None
        self._reader = ReplyReader()
        self._replies: deque[Reply] = deque()
        self._failure: ProviderError | None = None
        self._waiting: asyncio.Future[None] | None = None
        self._lost_for_good = asyncio.Event()
        self._may_write = asyncio.Event()
        self._may_write.set()

    # asyncio calls these

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)  # uvloop's does not inherit from asyncio's

    def data_received(self, data: bytes) -> None:
        self._reader.receive_data(data)
        try:
            while (reply := self._reader.next_reply()) is not None:
                self._replies.append(reply)
                if len(self._replies) > 100:
                    raise ProtocolViolation("flood", limit=100)
        except ProtocolViolation as violation:
            self.abort(violation)
        self._wake()

    def connection_lost(self, exc: Exception | None) -> None:
        if self._failure is None:
            self._failure = cause_of(exc or ConnectionResetError(), self.settings)
        self._may_write.set()
        self._lost_for_good.set()
        self._wake()

    def pause_writing(self) -> None:
        self._may_write.clear()

    def resume_writing(self) -> None:
        self._may_write.set()

    def _wake(self) -> None:
        if self._waiting is not None and not self._waiting.done():
            self._waiting.set_result(None)

    # what we do

    @property
    def has_failed(self) -> bool:
        return self._failure is not None

    def abort(self, failure: ProviderError) -> None:
        self._failure = self._failure or failure
        if self._transport is not None:
            self._transport.abort()

    async def reply(self, timeout_seconds: float | None = None) -> Reply:
        """The next reply; raise Unreachable or ProtocolViolation."""
        loop = asyncio.get_running_loop()
        end = loop.time() + (timeout_seconds or self.timeouts.command_seconds)
        while not self._replies:
            if self._failure is not None:
                raise self._failure
            self._waiting = loop.create_future()
            await asyncio.wait((self._waiting,), timeout=max(0.0, end - loop.time()))
            if not self._waiting.done() and loop.time() >= end:
                self.abort(Unreachable("timed_out", host=self.settings.host, port=self.settings.port))
        return self._replies.popleft()

    async def ask(self, *words: str) -> Reply:
        """Send one command and read its reply. A reply before the command is nobody's: the server is broken."""
        line = command(*words)
        self.must_be_quiet()
        self.write(line)
        return await self.reply()

    def write(self, octets: bytes) -> None:
        if self._failure is not None:
            raise self._failure
        assert self._transport is not None
        self._transport.write(octets)

    async def write_slowly(self, octets: bytes) -> None:
        for start in range(0, len(octets), _PIECE):
            self.write(octets[start : start + _PIECE])
            try:
                async with asyncio.timeout(self.timeouts.command_seconds):
                    await self._may_write.wait()
            except TimeoutError:
                self.abort(Unreachable("timed_out", host=self.settings.host, port=self.settings.port))
        if self._failure is not None:
            raise self._failure

    def must_be_quiet(self) -> None:
        """Raise what the server said of its own accord: 421 before it hangs up, or nonsense."""
        if self._replies:
            early = self._replies.popleft()
            if early.number >= 400:
                self.abort(self.refusal(early, Refused))
            else:
                self.abort(ProtocolViolation("unreadable_reply", server_words=early.words[:200]))
        if self._failure is not None:
            raise self._failure

    async def greet(self) -> Reply:
        """Read the greeting and say EHLO."""
        try:
            greeting = await self.reply(self.timeouts.greeting_seconds)
        except ProtocolViolation as violation:
            if violation.code != "unreadable_reply":
                raise
            raise other_service(violation.server_words, self.settings) from violation
        if not greeting.is_positive:
            raise self.refusal(greeting, Unreachable, "server_closed")
        await self.say_hello()
        return greeting

    async def say_hello(self) -> None:
        assert self._transport is not None
        # An address literal is always true (RFC 5321 section 4.1.3); our host name may be of no use outside.
        address = str(self._transport.get_extra_info("sockname")[0]).partition("%")[0]
        answer = await self.ask("EHLO", f"[IPv6:{address}]" if ":" in address else f"[{address}]")
        self.extensions = extensions(answer) if answer.is_positive else {}
        if not answer.is_positive:
            answer = await self.ask("HELO", "localhost")
            if not answer.is_positive:
                raise self.refusal(answer, Unreachable, "server_closed")

    async def encrypt(self, policy: NetworkPolicy) -> None:
        """STARTTLS where the settings want it; what came in plain text is forgotten (RFC 3207 section 4.2)."""
        if self.settings.security != "starttls":
            return
        if "STARTTLS" not in self.extensions:
            raise WrongSettings("starttls_not_offered", host=self.settings.host, port=self.settings.port)
        answer = await self.ask("STARTTLS")
        if not answer.is_positive:
            raise self.refusal(answer, WrongSettings, "starttls_not_offered")
        if self._replies or not self._reader.is_between_replies:
            violation = ProtocolViolation("plain_text_after_starttls", host=self.settings.host)
            self.abort(violation)
            raise violation
        assert self._transport is not None
        self._transport = await start_tls(self._transport, self, self.settings, policy)
        await self.say_hello()

    async def sign_in(self) -> None:
        """AUTH PLAIN, LOGIN or with a token (RFC 4954); a server that offers no AUTH lets us in as we are."""
        offered = self.extensions.get("AUTH", "").split()
        username, password = self.settings.username, self.settings.password
        if not offered:
            if self.settings.security == "none":
                return
            raise WrongSettings("auth_not_offered", host=self.settings.host, port=self.settings.port)
        if self.settings.token:
            await self._sign_in_with_token(offered)
            return
        plain = sasl_plain(username, password)
        coded = tuple(base64.b64encode(text.encode()).decode("ascii") for text in (username, password))
        if "PLAIN" in offered:
            answer = await self.ask("AUTH PLAIN", plain)
        elif "LOGIN" in offered:
            answer = await self.ask("AUTH LOGIN")
            for text in coded:
                if answer.number == 334:
                    answer = await self.ask(text)
        else:
            raise WrongSettings("auth_not_offered", host=self.settings.host, server_words=" ".join(offered)[:200])
        if not answer.is_positive:
            raise self.refusal(answer, SignInRefused, secrets=(plain, *coded))

    async def _sign_in_with_token(self, offered: list[str]) -> None:
        mechanism = bearer.choose(offered, self.settings)
        response, challenge = bearer.initial_response(mechanism, self.settings), ""
        answer = await self.ask(f"AUTH {mechanism}", response)
        if answer.number == 334:
            challenge = bearer.challenge_words(answer.text.strip())
            answer = await self.ask(bearer.FAREWELLS[mechanism])
        if not answer.is_positive:
            if challenge:
                answer = Reply(answer.number, (*answer.lines, challenge))
            error = self.refusal(answer, SignInRefused, secrets=(self.settings.token, response))
            raise bearer.refusal(error, self.settings)

    def refusal(
        self, reply: Reply, otherwise: type[ProviderError], code: str = "", *, secrets: tuple[str, ...] = ()
    ) -> ProviderError:
        return error_for_reply(
            self.settings.host,
            reply.number,
            reply.text,
            otherwise,
            code,
            secrets=(self.settings.password, *secrets),
            port=self.settings.port,
            username=self.settings.username,
        )

    async def close(self) -> None:
        self._failure = self._failure or Unreachable("connection_closed", host=self.settings.host)
        if self._transport is not None:
            await close_gently(self._transport, self._lost_for_good.wait())


class SmtpSender:
    """See base.Sender: one open, signed-in conversation that takes messages."""

    def __init__(self, connection: SmtpConnection) -> None:
        self._connection = connection

    @classmethod
    async def open(cls, settings: ServerSettings, policy: NetworkPolicy, timeouts: SmtpTimeouts) -> SmtpSender:
        connection = await open_connection(settings, policy, lambda: SmtpConnection(settings, timeouts))
        try:
            await connection.greet()
            await connection.encrypt(policy)
            await connection.sign_in()
        except BaseException:
            await connection.close()
            raise
        return cls(connection)

    async def send(
        self,
        envelope: Envelope,
        mime: bytes,
        before_no_return: BeforeNoReturn,
        upload: str = "",
        was_tried: bool = False,
    ) -> Receipt:
        if not envelope.recipients:
            raise Refused("no_recipients")
        body = stuffed(mime)
        await self._begin(envelope, mime, len(body))
        refused = await self._name_recipients(envelope)
        answer = await self._connection.ask("DATA")
        if answer.number != 354:
            raise await self._given_up(self._connection.refusal(answer, Refused))
        # From here a server that hangs up has no message: only the final dot makes it one (RFC 5321 section 4.1.1.4).
        await self._connection.write_slowly(body)
        try:
            await before_no_return("")
        except BaseException:
            # The server waits for more of the message, so no command can follow; it drops what has no final dot.
            self._connection.abort(Unreachable("connection_closed", host=self._connection.settings.host))
            raise
        answer = await self._finish()
        if not answer.is_positive:
            raise self._connection.refusal(answer, Refused)
        return Receipt(reply=scrub(answer.words), refused=refused)

    async def _begin(self, envelope: Envelope, mime: bytes, size: int) -> None:
        offered = self._connection.extensions
        limit = offered.get("SIZE", "")
        if limit.isdigit() and 0 < int(limit) < size:
            raise Refused("message_too_large", size=size, limit=int(limit))
        parameters = [f"SIZE={size}"] if "SIZE" in offered else []
        if not mime.isascii() and "8BITMIME" in offered:
            parameters.append("BODY=8BITMIME")
        if not all(address.isascii() for address in (envelope.sender, *envelope.recipients)):
            if "SMTPUTF8" not in offered:
                raise Refused("address_needs_smtputf8", host=self._connection.settings.host)
            parameters.append("SMTPUTF8")
        paths = [path(address) for address in (envelope.sender, *envelope.recipients)]
        answer = await self._connection.ask(f"MAIL FROM:{paths[0]}", *parameters)
        if not answer.is_positive:
            raise await self._given_up(self._connection.refusal(answer, Refused, "sender_refused"))

    async def _name_recipients(self, envelope: Envelope) -> dict[str, str]:
        """Say RCPT for each; return those that were refused, raise when all were."""
        refused: dict[str, str] = {}
        answers: list[Reply] = []
        for address in envelope.recipients:
            answer = await self._connection.ask(f"RCPT TO:{path(address)}")
            if answer.number == 421:
                raise self._connection.refusal(answer, Unreachable, "server_unavailable")
            if not answer.is_positive:
                refused[address] = scrub(answer.words)
                answers.append(answer)
        if len(refused) < len(set(envelope.recipients)):
            return refused
        # Greylisting says 4yz to everybody: worth another try if a single recipient may be taken later.
        worst = next((answer for answer in answers if answer.number < 500), answers[0])
        if worst.number < 500:
            later = self._connection.refusal(worst, Throttled, "recipients_greylisted")
            if not isinstance(later, Throttled) or later.code == "try_later":
                later = Throttled("recipients_greylisted", server_words=scrub(worst.words), retry_after_seconds=300)
            raise await self._given_up(later)
        error = self._connection.refusal(worst, Refused, "recipients_refused")
        error.facts["refused"] = refused
        raise await self._given_up(error)

    async def _finish(self) -> Reply:
        """The final dot and its answer. Without an answer nobody knows."""
        connection = self._connection
        connection.must_be_quiet()  # an answer before the dot is none to the dot; without the dot nothing is sent
        connection.write(END_OF_DATA)
        try:
            return await connection.reply(connection.timeouts.end_of_data_seconds)
        except (Unreachable, WrongSettings, ProtocolViolation) as error:
            raise InDoubt(host=connection.settings.host, server_words=error.server_words) from error

    async def _given_up(self, error: ProviderError) -> ProviderError:
        """RSET, so that the next message finds a clean conversation; `error` is what the caller raises."""
        try:
            await self._connection.ask("RSET")
        except (Unreachable, ProtocolViolation, Unsupported):
            await self._connection.close()
        return error

    async def drop_uploads(self, internet_message_id: str, keep: str = "") -> None:
        """A message without its final dot leaves nothing behind."""

    async def close(self) -> None:
        """QUIT; how the server takes it changes nothing about what it accepted."""
        try:
            if not self._connection.has_failed:
                self._connection.write(command("QUIT"))
                await self._connection.reply(5.0)
        except ProviderError:
            pass
        finally:
            await self._connection.close()
