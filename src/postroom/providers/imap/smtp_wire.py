"""SMTP without I/O: replies in, commands and message octets out (RFC 5321 sections 4.2 and 4.5.2)."""

from __future__ import annotations

import re
from dataclasses import dataclass

from postroom.providers.errors import ProtocolViolation, Unsupported

MAX_LINE_BYTES = 8 * 1024  # RFC 5321 section 4.5.3.1.5 says 512; servers exceed it
MAX_REPLY_LINES = 200

_LINE = re.compile(rb"([2-5][0-9][0-9])([ -]?)(.*)", re.DOTALL)
_FORBIDDEN = re.compile(r"[\x00-\x1f\x7f]")
_BARE_ENDS = re.compile(rb"\r\n|\r|\n")
# RFC 5321 Path, checked for what would end it or add a parameter; what a domain may be is the server's business.
_PATH = re.compile(r"[^\s<>\x00-\x1f\x7f]{1,320}")


@dataclass(frozen=True, slots=True)
class Reply:
    """A whole reply. `lines` without the number."""

    number: int
    lines: tuple[str, ...]

    @property
    def text(self) -> str:
        return " ".join(self.lines)

    @property
    def words(self) -> str:
        """The reply as a person would quote it."""
        return f"{self.number} {self.text}".strip()

    @property
    def is_positive(self) -> bool:
        return 200 <= self.number < 300


class ReplyReader:
    """Octets in, replies out."""

    def __init__(self) -> None:
        self._buffer = bytearray()
        self._lines: list[str] = []

    @property
    def is_between_replies(self) -> bool:
        return not self._buffer and not self._lines

    def receive_data(self, octets: bytes) -> None:
        self._buffer += octets

    def next_reply(self) -> Reply | None:
        """The next whole reply or None; raise ProtocolViolation for what is none."""
        while (end := self._buffer.find(b"\n")) >= 0:
            line = bytes(self._buffer[:end]).rstrip(b"\r")
            del self._buffer[: end + 1]
            match = _LINE.fullmatch(line)
            if match is None or len(line) > MAX_LINE_BYTES or len(self._lines) >= MAX_REPLY_LINES:
                raise ProtocolViolation("unreadable_reply", server_words=line[:200].decode("utf-8", "replace"))
            self._lines.append(match[3].decode("utf-8", "replace"))
            if match[2] != b"-":
                lines, self._lines = tuple(self._lines), []
                return Reply(int(match[1]), lines)
        if len(self._buffer) > MAX_LINE_BYTES:
            raise ProtocolViolation("line_too_long", limit=MAX_LINE_BYTES)
        return None


def command(*words: str) -> bytes:
    """One command line: the choke point for everything but message octets. Raise Unsupported for controls."""
    line = " ".join(words)
    if _FORBIDDEN.search(line):
        raise Unsupported("unsafe_argument")
    return line.encode("utf-8") + b"\r\n"


def path(address: str) -> str:
    """An address between angle brackets, "" as the empty path of bounces; raise Unsupported if it could do more."""
    if address and not _PATH.fullmatch(address):
        raise Unsupported("unsafe_argument")
    return f"<{address}>"


def stuffed(mime: bytes) -> bytes:
    """A message as DATA wants it: every line end CRLF, leading dots doubled, a line end last; no final dot.

    Bare CR and LF must not survive: a server that takes one for a line end would read "." as the end of the message
    and the rest as commands (SMTP smuggling, CVE-2023-51764).
    """
    octets = _BARE_ENDS.sub(b"\r\n", mime)
    octets = (b"." + octets if octets.startswith(b".") else octets).replace(b"\r\n.", b"\r\n..")
    return octets if octets.endswith(b"\r\n") else octets + b"\r\n"


END_OF_DATA = b".\r\n"


def extensions(greeting: Reply) -> dict[str, str]:
    """What EHLO's answer offers: keyword in upper case to parameters."""
    offered: dict[str, str] = {}
    for line in greeting.lines[1:]:
        keyword, _, parameters = line.replace("AUTH=", "AUTH ", 1).partition(" ")
        known = offered.get(keyword.upper())
        offered[keyword.upper()] = f"{known} {parameters.upper()}" if known else parameters.upper()
    return offered
