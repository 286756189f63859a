"""Many calls in one request: multipart/mixed with a whole HTTP message in each part. No I/O.

Source: developers.google.com/workspace/gmail/api/guides/batch. Answers come in any order and name their call by the
Content-ID that we gave, with "response-" before it. An answer is read part by part, so that of a batch of bodies one
part is held at a time.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from email.message import Message
from typing import Final

from postroom.providers.errors import ProtocolViolation

PATH: Final = "/batch/gmail/v1"
MOST_PARTS: Final = 50  # 100 are allowed, and more than 50 are throttled more often than not (guides/batch)
MOST_PART_OCTETS: Final = 80 * 1024 * 1024  # Gmail takes 50 MB in, which base64 makes 67
_MOST_HEAD_OCTETS: Final = 64 * 1024
_OUR_BOUNDARY: Final = "postroom_batch"

_GAP = re.compile(rb"\r?\n\r?\n")
_STATUS_LINE = re.compile(rb"HTTP/\d(?:\.\d)? (\d{3})(?: |\r?\n|\Z)")
_CONTENT_ID = re.compile(r"<?response-(\d{1,3})>?")


@dataclass(frozen=True, slots=True)
class Part:
    """The answer to one call: which of those that were asked, counted from 0, and what it says."""

    number: int
    status: int
    headers: dict[str, str] = field(repr=False)
    body: bytes = field(repr=False)


def content_type() -> str:
    """The Content-Type of `compose`."""
    return f"multipart/mixed; boundary={_OUR_BOUNDARY}"


def compose(paths: Sequence[str]) -> bytes:
    """The body of a request that GETs all of these, each with its query."""
    head = f"--{_OUR_BOUNDARY}\r\nContent-Type: application/http\r\nContent-ID: "
    parts = [f"{head}<{number}>\r\n\r\nGET {path} HTTP/1.1\r\n\r\n" for number, path in enumerate(paths)]
    return "".join([*parts, f"--{_OUR_BOUNDARY}--\r\n"]).encode("ascii")


class BatchReader:
    """Reads the answer as it comes. Every part answers another of `asked` calls, or the answer is refused."""

    def __init__(self, content_type: str, asked: int, most_octets: int = MOST_PART_OCTETS) -> None:
        """Raises ProtocolViolation for another type of content."""
        told = Message()
        told["Content-Type"] = content_type[:1_000]
        boundary = told.get_boundary()
        if told.get_content_type() != "multipart/mixed" or not boundary or len(boundary) > 200:
            raise ProtocolViolation("unexpected_answer", server_words=content_type[:100])
        # Of our own line end before it the first has none (RFC 2046 section 5.1.1).
        self._delimiter = b"--" + boundary.encode("latin-1", "replace")
        self._buffer = bytearray(b"\n")
        self._searched = 0
        self._is_inside = False
        self._is_over = False
        self._left = set(range(asked))
        self._most = most_octets

    def feed(self, octets: bytes) -> Iterator[Part]:
        """Take in what came, and give out the parts that are whole by now."""
        if self._is_over:
            return
        self._buffer += octets
        while not self._is_over and (end := self._find_delimiter()) is not None:
            start, after = end
            part = bytes(self._buffer[:start]).removesuffix(b"\n").removesuffix(b"\r") if self._is_inside else None
            is_last = self._buffer[after : after + 2] == b"--"
            del self._buffer[:after]
            self._searched = 0
            self._is_inside, self._is_over = True, is_last
            if part is not None:
                yield self._read(part)
        if len(self._buffer) > self._most:
            raise ProtocolViolation("flood", limit=self._most)

    def end(self) -> frozenset[int]:
        """The numbers of the calls that were not answered; raise ProtocolViolation when the end did not come."""
        if not self._is_over:
            raise ProtocolViolation("unexpected_answer", server_words="the batch was cut off")
        return frozenset(self._left)

    def _find_delimiter(self) -> tuple[int, int] | None:
        """Where the next delimiter begins and ends, once the two octets after it are there too."""
        at = self._buffer.find(b"\n" + self._delimiter, self._searched)
        if at < 0:
            self._searched = max(0, len(self._buffer) - len(self._delimiter) - 1)
            return None
        after = at + 1 + len(self._delimiter)
        if len(self._buffer) < after + 2:
            self._searched = at
            return None
        return at + 1, after

    def _read(self, part: bytes) -> Part:
        outer, inner = _split(part.lstrip(b"\r\n\t "))
        content_id = _CONTENT_ID.fullmatch(_headers(outer).get("content-id", ""))
        status = _STATUS_LINE.match(inner)
        number = int(content_id[1]) if content_id else -1
        if status is None or number not in self._left:
            raise ProtocolViolation("unexpected_answer", server_words="a part of the batch answers nothing we asked")
        self._left.remove(number)
        head, body = _split(inner)
        return Part(number, int(status[1]), _headers(head.partition(b"\n")[2]), body)


def _split(octets: bytes) -> tuple[bytes, bytes]:
    """A head and its body."""
    gap = _GAP.search(octets, 0, _MOST_HEAD_OCTETS)
    if gap is None:
        if len(octets) > _MOST_HEAD_OCTETS:
            raise ProtocolViolation("unexpected_answer", server_words="a part of the batch has no end of its head")
        return octets, b""
    return octets[: gap.start()], octets[gap.end() :]


def _headers(head: bytes) -> dict[str, str]:
    fields = (line.partition(":") for line in head.decode("latin-1").splitlines())
    return {name.strip().lower(): value.strip() for name, _, value in fields}
