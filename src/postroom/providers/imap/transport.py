"""One IMAP connection on asyncio: octets go through `wire`, commands leave in order, answers come back.

One command at a time. A connection that broke, timed out or sent nonsense is closed and stays closed.

Thousands of connections wait in `idle`, so what each of them keeps meanwhile counts: two kB are 10 MB of a worker.
Hence sets that are nearly always empty are frozen ones (all empty ones are one object, an empty set has 216 octets),
capabilities are shared, and a wait is a future and a timer (asyncio.wait has two coroutines, a future and a set more).
Of the 54 kB of an idle mailbox 38 are OpenSSL's and uvloop's (bench/idle).
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from typing import TypeAlias, TypeVar, cast

from postroom.providers.base import ServerSettings
from postroom.providers.errors import ProtocolViolation, ProviderError, Unreachable, WrongSettings
from postroom.providers.guard import NetworkPolicy
from postroom.providers.imap.commands import Argument, LiteralForm, Verbatim, encode
from postroom.providers.imap.connect import cause_of, close_gently, let_others_read, start_tls
from postroom.providers.imap.errors import before_greeting, error_for
from postroom.providers.imap.fetched import Fetch
from postroom.providers.imap.responses import (
    Capability,
    Continuation,
    Event,
    Exists,
    Expunge,
    Status,
    Stray,
    Vanished,
)
from postroom.providers.imap.tokens import count_in_ranges
from postroom.providers.imap.wire import LARGE_READ, Limits, Wire

Result = TypeVar("Result")
Reply: TypeAlias = Callable[[str], bytes]  # to what stands behind "+"

# Untagged answers that nobody asked for. A folder that a colleague empties sends one EXPUNGE for each message.
MAX_UNASKED = 100_000
MAX_UNASKED_BETWEEN_COMMANDS = 1_000  # when the server has nothing to answer to


@dataclass(frozen=True, slots=True)
class Timeouts:
    """Seconds. `silence_seconds` runs anew with every octet; `command_seconds` bounds a server that drips."""

    greeting_seconds: float = 30.0
    silence_seconds: float = 60.0
    command_seconds: float = 1800.0


@lru_cache(maxsize=256)
def _shared(names: frozenset[str]) -> frozenset[str]:
    """One set for all connections to servers that offer the same: some 2 kB each."""
    return names


@lru_cache(maxsize=256)
def _capabilities(argument: bytes) -> frozenset[str]:
    return _shared(frozenset(argument.decode("ascii", "replace").upper().split()))


class Connection(asyncio.BufferedProtocol):
    """The conversation. `exists` is the latest number of messages that the open folder was said to hold."""

    def __init__(self, settings: ServerSettings, timeouts: Timeouts, limits: Limits) -> None:
        self.settings = settings
        self.capabilities: frozenset[str] = frozenset()
        self.exists = 0
        self.has_changed = False  # the server told of a change in the open folder since this was last cleared
        self.overhear: Callable[[Event], bool] | None = None  # sees what nobody asked for; True ends an idle
        self.is_woken = False  # something has ended an idle, or would have, since this was last cleared
        self._timeouts = timeouts
        self._wire = Wire(limits)
        self._transport: asyncio.Transport | None = None
        self._failure: ProviderError | None = None
        self._farewell = ""  # the words of BYE
        self._greeting: Status | None = None  # it may come before anybody asks for it
        self._tags = 0
        self._tag = ""  # of the command under way
        self._abandoned = frozenset[str]()  # tags whose end nobody waits for any more
        self._answer: Callable[[Event], bool] | None = None  # takes events that the command under way asked for
        self._unasked = 0
        self._is_switching = self._must_be_silent = False  # STARTTLS: asked for, agreed to
        self._last_heard = 0.0
        self._done: asyncio.Future[Status] | None = None
        self._go_ahead: asyncio.Future[Event] | None = None
        self._stir: asyncio.Future[bool] | None = None  # while idle: True by the next event, False by the clock
        self._may_write: asyncio.Future[None] | None = None
        self._is_lost = False
        self._ended: asyncio.Future[None] | None = None  # who closes waits for it

    # asyncio calls these

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)  # uvloop's does not inherit from asyncio's
        self._last_heard = asyncio.get_running_loop().time()
        if self._failure is not None:  # what came with the end of the handshake was nonsense already
            self._transport.abort()

    def get_buffer(self, sizehint: int) -> memoryview:
        return self._wire.get_buffer()

    def buffer_updated(self, nbytes: int) -> None:
        self._last_heard = asyncio.get_running_loop().time()
        self._wire.buffer_updated(nbytes)
        if self._failure is not None:
            return
        try:
            while (event := self._wire.next_event()) is not None:
                self._receive(event)
        except ProtocolViolation as violation:
            self.abort(violation)
        if nbytes >= LARGE_READ // 2 and self._transport is not None:  # half of a buffer may hold a line's beginning
            let_others_read(self._transport)

    def connection_lost(self, exc: Exception | None) -> None:
        self._is_lost = True
        if self._ended is not None and not self._ended.done():
            self._ended.set_result(None)
        if self._failure is None:
            self.abort(self._lost(exc))

    def pause_writing(self) -> None:
        self._may_write = asyncio.get_running_loop().create_future()

    def resume_writing(self) -> None:
        if self._may_write is not None and not self._may_write.done():
            self._may_write.set_result(None)
        self._may_write = None

    # what came

    def _receive(self, event: Event) -> None:
        if self._must_be_silent:
            # Somebody in the middle put plain text behind the OK, to be read as if it were encrypted.
            raise ProtocolViolation("plain_text_after_starttls", host=self.settings.host)
        if isinstance(event, Status):
            self._receive_status(event)
        elif self._greeting is None and (other := before_greeting(event, self.settings)):
            raise other
        elif isinstance(event, Continuation):
            if self._go_ahead is not None and not self._go_ahead.done():
                self._go_ahead.set_result(event)
        else:
            was_asked = self._answer is not None and self._answer(event)
            if not was_asked:
                self._count_unasked(event)
            self._note_change(event, was_asked=was_asked)

    def _receive_status(self, status: Status) -> None:
        if status.code is not None and status.code.name == "CAPABILITY":
            self.capabilities = _capabilities(status.code.argument)
        if status.tag:
            if status.tag in self._abandoned:
                self._abandoned -= {status.tag}
            elif status.tag == self._tag and self._done is not None and not self._done.done():
                self._done.set_result(status)
                self._unasked = 0
                self._must_be_silent = self._is_switching and status.condition == "OK"
                if self._go_ahead is not None and not self._go_ahead.done():
                    self._go_ahead.set_result(status)  # refused instead of "+"
            else:
                raise ProtocolViolation("unreadable_response", server_words=status.words[:200])
        elif status.condition == "BYE":
            self._farewell = status.words
            if self._greeting is None:
                self._receive_greeting(status)
        elif self._greeting is None:
            self._receive_greeting(status)
        elif self._answer is None or not self._answer(status):
            self._count_unasked(status)

    def _receive_greeting(self, status: Status) -> None:
        self._greeting = status
        if self._done is not None and not self._done.done():
            self._done.set_result(status)

    def _note_change(self, event: Event, *, was_asked: bool) -> None:
        if isinstance(event, Exists):
            self.exists = event.count
        elif isinstance(event, Expunge):
            self.exists = max(0, self.exists - 1)
        elif isinstance(event, Vanished) and not event.is_earlier:
            self.exists = max(0, self.exists - count_in_ranges(event.ranges))
        elif not isinstance(event, Fetch) or was_asked:
            return
        self.has_changed = True
        self._wake()

    def _wake(self) -> None:
        self.is_woken = True
        if self._stir is not None:
            _resolve(self._stir, True)

    def _count_unasked(self, event: Event) -> None:
        if isinstance(event, Capability):
            self.capabilities = _shared(event.names)
        if isinstance(event, Stray) and "server unavailable" in event.text.lower():
            self.abort(Unreachable("server_unavailable", server_words=event.text, host=self.settings.host))
        if self.overhear is not None and self.overhear(event):
            self._wake()
        self._unasked += 1
        allowed = MAX_UNASKED if self._done and not self._done.done() else MAX_UNASKED_BETWEEN_COMMANDS
        if self._unasked > allowed:
            raise ProtocolViolation("flood", limit=allowed)

    def _lost(self, exc: Exception | None) -> ProviderError:
        if self._farewell:
            return error_for(self.settings.host, self._farewell, Unreachable, "server_closed", port=self.settings.port)
        if exc is not None:
            return cause_of(exc, self.settings)
        return Unreachable("connection_lost", host=self.settings.host, port=self.settings.port)

    # what we do

    @property
    def is_closed(self) -> bool:
        return self._failure is not None

    def offers(self, *names: str) -> bool:
        """Whether the server announced any of these capabilities."""
        return any(name in self.capabilities for name in names)

    @property
    def literal_form(self) -> LiteralForm:
        return "any" if self.offers("LITERAL+") else "up_to_4096" if self.offers("LITERAL-") else "waiting"

    def abort(self, failure: ProviderError) -> None:
        """Close at once; whoever waits, and every later command, gets `failure`."""
        if self._failure is None:
            self._failure = failure
        for waiting in (self._done, self._go_ahead, self._stir, self._may_write):
            if waiting is not None and not waiting.done():
                waiting.set_exception(self._failure)
                waiting.exception()  # whoever stopped waiting must not be reminded by the loop
        if self._transport is not None:
            self._transport.abort()

    async def greet(self) -> Status:
        """Wait for the greeting: OK, PREAUTH, or BYE as the error that it means."""
        if self._greeting is not None:
            return self._greeting
        with self._one_command(""):
            return await self._finished(self._timeouts.greeting_seconds)

    async def run(
        self, *arguments: Argument, answer: Callable[[Event], bool] | None = None, replies: Sequence[Reply] = ()
    ) -> Status:
        """Send one command and wait for its end, whatever it is (OK, NO, BAD).

        `answer` sees every untagged response and says whether the command asked for it; `replies` answer a "+" each.
        Raises Unreachable for a lost or silent connection, ProtocolViolation for a server that breaks the rules.
        """
        self._tags += 1
        with self._one_command(f"p{self._tags}", answer):
            segments: list[bytes | Reply] = [*encode(self._tag, arguments, self.literal_form), *replies]
            for place, segment in enumerate(segments, 1):
                asked: Event = await self._awaited(self._go_ahead) if self._go_ahead else Continuation("")
                if not isinstance(asked, Continuation):
                    break  # refused before the literal
                octets = segment if isinstance(segment, bytes) else segment(asked.text)
                is_cut = octets.endswith(b"}\r\n") and not octets.endswith(b"+}\r\n")
                is_asked = is_cut or len(segments) - len(replies) <= place < len(segments)
                self._go_ahead = asyncio.get_running_loop().create_future() if is_asked else None
                await self._write(octets)
            return await self._finished()

    async def idle(self, timeout_seconds: float) -> bool:
        """IDLE (RFC 2177) until something happens in the open folder (True) or the time is over (False).

        A cancelled idle leaves the connection usable: DONE is sent, its answer is dropped when it comes.
        """
        self._tags += 1
        loop = asyncio.get_running_loop()
        with self._one_command(f"p{self._tags}"):
            self._go_ahead = loop.create_future()
            await self._write(encode(self._tag, [Verbatim("IDLE")], "waiting")[0])
            refused: Event = await self._awaited(self._go_ahead)
            if isinstance(refused, Status):
                raise error_for(self.settings.host, refused.words, Unreachable, "server_closed")
            self._wire.rest()
            stir: asyncio.Future[bool] = loop.create_future()
            self._stir = stir
            if self.has_changed or self.is_woken:
                stir.set_result(True)
            timer = loop.call_later(timeout_seconds, _resolve, stir, False)
            try:
                has_stirred = await stir
            except asyncio.CancelledError:
                self._abandoned |= {self._tag}
                self._put(b"DONE\r\n")
                self._done = None
                raise
            finally:
                timer.cancel()
            if self._failure is not None:
                raise self._failure
            self._stir = None
            self._last_heard = loop.time()
            self._put(b"DONE\r\n")
            await self._finished()
            return has_stirred

    async def start_tls(self, policy: NetworkPolicy) -> None:
        """STARTTLS; whatever the server said before encryption is forgotten (RFC 3501 section 6.2.1)."""
        if not self.offers("STARTTLS"):
            raise WrongSettings("starttls_not_offered", host=self.settings.host, port=self.settings.port)
        self._is_switching = True
        status = await self.run(Verbatim("STARTTLS"))
        if status.condition != "OK":
            raise error_for(self.settings.host, status.words, WrongSettings, "starttls_not_offered")
        if not self._wire.is_between_responses:
            self.abort(ProtocolViolation("plain_text_after_starttls", host=self.settings.host))
        if self._failure is not None:
            raise self._failure
        assert self._transport is not None
        try:
            self._transport = await start_tls(self._transport, self, self.settings, policy)
        except ProviderError as error:
            self._failure = error  # not even LOGOUT may be said in the clear now, and uvloop has closed the connection
            raise
        self.capabilities = frozenset()
        self._is_switching = self._must_be_silent = False

    async def close(self) -> None:
        """Say LOGOUT without waiting for long, and close."""
        if not self.is_closed and self._done is None:
            self._tags += 1
            self._put(b"p%d LOGOUT\r\n" % self._tags)
        if self._failure is None:
            self._failure = Unreachable("connection_closed", host=self.settings.host)
        if self._transport is not None and not self._is_lost:
            self._ended = asyncio.get_running_loop().create_future()
            await close_gently(self._transport, self._ended)

    @contextmanager
    def _one_command(self, tag: str, answer: Callable[[Event], bool] | None = None) -> Iterator[None]:
        if self._failure is not None:
            raise self._failure
        if self._done is not None:
            raise RuntimeError("a session is not for two tasks at once")
        self._tag, self._answer, self._unasked = tag, answer, 0
        self._done, self._go_ahead = asyncio.get_running_loop().create_future(), None
        try:
            yield
        except asyncio.CancelledError:
            if self._done is not None:  # an answer is under way that nobody would read
                self.abort(Unreachable("connection_closed", host=self.settings.host))
            raise
        finally:
            self._done = self._go_ahead = self._answer = self._stir = None
            self._unasked = 0

    async def _finished(self, silence_seconds: float | None = None) -> Status:
        assert self._done is not None
        return await self._awaited(self._done, silence_seconds)

    async def _awaited(self, future: asyncio.Future[Result], silence: float | None = None) -> Result:
        """The future's result; Unreachable("timed_out") after too long a silence."""
        loop = asyncio.get_running_loop()
        silence = silence or self._timeouts.silence_seconds
        started = self._last_heard = loop.time()
        while not future.done():
            now = loop.time()
            left = min(self._last_heard + silence, started + self._timeouts.command_seconds) - now
            if left <= 0:
                self.abort(Unreachable("timed_out", host=self.settings.host, port=self.settings.port))
                break
            await asyncio.wait((future,), timeout=left)
        return future.result()

    async def _write(self, octets: bytes) -> None:
        self._put(octets)
        if self._may_write is not None:
            await self._awaited(self._may_write)

    def _put(self, octets: bytes) -> None:
        if self._failure is not None:
            raise self._failure
        assert self._transport is not None
        self._transport.write(octets)


def _resolve(stir: asyncio.Future[bool], has_stirred: bool) -> None:
    if not stir.done():
        stir.set_result(has_stirred)


def connection_factory(
    settings: ServerSettings, timeouts: Timeouts | None = None, limits: Limits | None = None
) -> Callable[[], Connection]:
    """What connect.attach and connect.open_connection make a protocol with."""
    return lambda: Connection(settings, timeouts or Timeouts(), limits or Limits())
