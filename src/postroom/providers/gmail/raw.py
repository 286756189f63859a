"""A message out of an answer with format=raw, as it comes: never whole in memory. No I/O.

The answer is a JSON object; its member "raw" is the message in base64url (RFC 4648 section 5). All other members are
short.
"""

from __future__ import annotations

import base64
import binascii
import json
import re
from collections.abc import Iterator
from typing import Final

from postroom.providers.errors import ProtocolViolation

PIECE_LETTERS: Final = 1_398_100  # 1 MiB, decoded
_MOST_OTHER_OCTETS: Final = 256 * 1024  # of the other members before it

_TOKEN = re.compile(rb'\s*(?:("(?:[^"\\]|\\.)*")|([{}\[\],:])|([-+.0-9A-Za-z]+)(?=[\s,}\]]))')
_URL_LETTERS = bytes.maketrans(b"-_", b"+/")
_EQUALS = b"\\u003d"  # how some of Google's servers write "="


def decoded(text: str) -> bytes:
    """base64url with padding or without; raise ProtocolViolation for anything else."""
    return _decode(text.encode("ascii", "replace").rstrip(b"="))


class RawReader:
    """Reads an answer and gives out the message in pieces of 1 MiB at most."""

    def __init__(self) -> None:
        self.is_over = False
        self._buffer = bytearray()
        self._letters = bytearray()
        self._is_inside = False
        self._depth = 0
        self._before: bytes = b""
        self._key: bytes = b""

    def feed(self, octets: bytes) -> Iterator[bytes]:
        """Take in what came."""
        if self.is_over:
            return
        self._buffer += octets
        if not self._is_inside:
            self._seek()
        if self._is_inside:
            self._take()
            while len(self._letters) >= PIECE_LETTERS or (self.is_over and self._letters):
                piece = _decode(bytes(self._letters[:PIECE_LETTERS]))
                del self._letters[:PIECE_LETTERS]
                yield piece

    def end(self) -> None:
        """Raise ProtocolViolation when the message did not end."""
        if not self.is_over:
            raise ProtocolViolation("unexpected_answer", server_words="the message was cut off")

    def _seek(self) -> None:
        """Go on to the first letter of the message."""
        at = 0
        while not self._is_inside and (token := _TOKEN.match(self._buffer, at)) is not None:
            word = token[0].strip()
            if word in (b"{", b"["):
                self._depth += 1
            elif word in (b"}", b"]"):
                self._depth -= 1
            elif self._depth == 1 and word.startswith(b'"') and self._before in (b"{", b","):
                self._key = word
            self._before = word
            at = token.end()
            if self._depth == 1 and word == b":" and _is_raw(self._key):
                start = re.compile(rb'\s*"').match(self._buffer, at)
                self._is_inside = start is not None
                at = start.end() if start is not None else token.start()
                if start is None:
                    self._before = self._key
                    break
        del self._buffer[:at]
        if len(self._buffer) > _MOST_OTHER_OCTETS and not self._is_inside:
            raise ProtocolViolation("unexpected_answer", server_words="an answer without a message")

    def _take(self) -> None:
        """Take letters out of the buffer, up to the closing quote."""
        end = self._buffer.find(b'"')
        stop = end
        if end < 0:  # an escape may have been cut in two: its beginning waits for the rest
            cut = self._buffer.rfind(b"\\", max(0, len(self._buffer) - len(_EQUALS) + 1))
            stop = cut if cut >= 0 else len(self._buffer)
        self._letters += bytes(self._buffer[:stop]).replace(_EQUALS, b"=").replace(b"=", b"")
        self.is_over = end >= 0
        del self._buffer[:stop]


def _is_raw(key: bytes) -> bool:
    try:
        return bool(json.loads(key) == "raw")
    except ValueError:
        return False


def _decode(letters: bytes) -> bytes:
    try:
        return base64.b64decode(letters.translate(_URL_LETTERS) + b"=" * (-len(letters) % 4), validate=True)
    except binascii.Error as error:
        raise ProtocolViolation("unexpected_answer", server_words="a message that is not base64url") from error
