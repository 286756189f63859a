"""The IMAP wire without any I/O: octets in, events out.

    receive_data(octets) or get_buffer() + buffer_updated(count)     →     next_event() until it returns None

`get_buffer` exists for asyncio.BufferedProtocol: while a literal is under way it gives out the literal's own memory,
so that a message's octets are copied by the kernel and by nobody else.

Reading alternates between two states, both inside one response:

    LINE     look for the line's end. Ends in {n}  → LITERAL.   Else the response is whole → event.
    LITERAL  take n octets.                        → LINE, of the same response

Every size a server announces or exceeds is held against `Limits`: RFC 3501 sets none, and a hostile or broken
server must cost a connection and never the process.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from postroom.providers.errors import ProtocolViolation
from postroom.providers.imap.responses import Event, parse_response

_LITERAL_END = re.compile(rb"~?\{(\d{1,19})\+?\}$")
# Words for people may end in anything, "{3}" too: only data responses carry literals (RFC 3501 section 9, resp-text).
_TEXT_LINE = re.compile(rb"\+|\S+ (?:OK|NO|BAD|BYE|PREAUTH)\b", re.IGNORECASE)
_RESTING_BUFFER = 128  # an idle mailbox costs this much
_SMALLEST_BUFFER = 4 * 1024
LARGE_READ = 64 * 1024  # of a long list: some 15 ms to take apart, in which the other connections wait
_FIRST_LITERAL_STEP = 256 * 1024


@dataclass(frozen=True, slots=True)
class Limits:
    """What one response may cost, in octets and pieces."""

    line_bytes: int = 1024 * 1024  # a SEARCH answer with 50,000 UIDs has 550 kB
    literal_bytes: int = 150 * 1024 * 1024
    literals: int = 1_000


class _Literal:
    """Octets being received. Memory grows with what really came, not with what was announced."""

    __slots__ = ("filled", "octets", "size")

    def __init__(self, size: int) -> None:
        self.size = size
        self.filled = 0
        self.octets = bytearray(min(size, _FIRST_LITERAL_STEP))

    def free(self) -> memoryview:
        if self.filled == len(self.octets):
            larger = bytearray(min(self.size, 4 * len(self.octets)))
            larger[: self.filled] = self.octets
            self.octets = larger
        return memoryview(self.octets)[self.filled :]

    @property
    def is_whole(self) -> bool:
        return self.filled == self.size


class Wire:
    """One connection's incoming octets. After a ProtocolViolation the connection is of no more use."""

    def __init__(self, limits: Limits | None = None) -> None:
        self._limits = limits or Limits()
        self._buffer = bytearray(_SMALLEST_BUFFER)
        self._start = self._end = self._searched = 0  # unread octets are _buffer[_start:_end]
        self._parts: list[bytes | bytearray] = []
        self._literal: _Literal | None = None
        self._line_bytes = self._literal_bytes = 0  # of the response under way

    @property
    def is_between_responses(self) -> bool:
        """Whether nothing is left over: must hold when STARTTLS switches to encryption (CVE-2011-0411)."""
        return self._start == self._end and not self._parts and self._literal is None

    def receive_data(self, octets: bytes) -> None:
        """Take octets by copying them; call next_event() afterwards."""
        rest = memoryview(octets)
        while rest:
            free = self.get_buffer()
            count = min(len(free), len(rest))
            free[:count] = rest[:count]
            self.buffer_updated(count)
            rest = rest[count:]

    def get_buffer(self) -> memoryview:
        """Memory to receive into, never empty."""
        if self._literal is not None and self._start == self._end and not self._literal.is_whole:
            return self._literal.free()
        if self._start == self._end:
            self._start = self._end = self._searched = 0
        if self._end == len(self._buffer):
            self._make_room()
        return memoryview(self._buffer)[self._end :]

    def buffer_updated(self, count: int) -> None:
        """Note that `count` octets were received into what get_buffer() gave."""
        if self._literal is not None and self._start == self._end and not self._literal.is_whole:
            self._literal.filled += count
        else:
            self._end += count

    def rest(self) -> None:
        """Give memory back before a long wait."""
        if self._start == self._end and len(self._buffer) > _RESTING_BUFFER:
            self._buffer = bytearray(_RESTING_BUFFER)
            self._start = self._end = self._searched = 0

    def next_event(self) -> Event | None:
        """The next response that has fully arrived, or None until more octets came."""
        while True:
            if self._literal is not None:
                if not self._fill_literal(self._literal):
                    return None
                self._parts.append(self._literal.octets)
                self._literal = None
            line = self._take_line()
            if line is None:
                return None
            if (size := self._announced(line)) is not None:
                self._begin_literal(line, size)
                continue
            self._parts.append(line)
            parts, self._parts = self._parts, []
            self._line_bytes = self._literal_bytes = 0
            if len(parts) > 1 or parts[0]:  # an empty line means nothing (Exchange sends them after literals)
                return parse_response(parts)

    def _announced(self, line: bytes) -> int | None:
        if not line.endswith(b"}"):
            return None
        match = _LITERAL_END.search(line[-24:])
        if match is None or (not self._parts and _TEXT_LINE.match(line)):
            return None
        return int(match[1])

    def _begin_literal(self, line: bytes, size: int) -> None:
        self._literal_bytes += size
        if self._literal_bytes > self._limits.literal_bytes:
            raise ProtocolViolation("literal_too_large", size=size, limit=self._limits.literal_bytes)
        if len(self._parts) // 2 >= self._limits.literals:
            raise ProtocolViolation("too_many_literals", limit=self._limits.literals)
        self._parts.append(line[: line.rindex(b"{")].removesuffix(b"~"))
        self._literal = _Literal(size)

    def _fill_literal(self, literal: _Literal) -> bool:
        while self._start < self._end and not literal.is_whole:
            free = literal.free()
            count = min(len(free), self._end - self._start)
            free[:count] = memoryview(self._buffer)[self._start : self._start + count]
            literal.filled += count
            self._start += count
        self._searched = self._start
        return literal.is_whole

    def _take_line(self) -> bytes | None:
        """A line without its end; a bare LF ends it too, since some gateways send that."""
        newline = self._buffer.find(b"\n", self._searched, self._end)
        stop = self._end if newline < 0 else newline
        if self._line_bytes + stop - self._start > self._limits.line_bytes:
            raise ProtocolViolation("line_too_long", limit=self._limits.line_bytes)
        if newline < 0:
            self._searched = self._end
            return None
        line = bytes(memoryview(self._buffer)[self._start : newline])
        self._start = self._searched = newline + 1
        self._line_bytes += len(line)
        return line.removesuffix(b"\r")

    def _make_room(self) -> None:
        unread = self._buffer[self._start : self._end]
        larger = bytearray(max(_SMALLEST_BUFFER, min(4 * len(self._buffer), LARGE_READ), 2 * len(unread)))
        larger[: len(unread)] = unread
        self._searched -= self._start
        self._buffer, self._start, self._end = larger, 0, len(unread)
