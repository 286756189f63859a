"""Bytes to a tree of MIME parts (RFC 2045, 2046), lenient, bounded and without recursion on what others wrote.

Why our own splitter and not a library: the standard library needs 1 ms a message and quadratic time on nested
boundaries; fast-mail-parser is quick but loses messages over one bad base64 line and decodes some texts wrongly
without a word (research/benchmarks.md, C). Splitting is `bytes.find` and slices, so ours is as quick, and every
oddity has one place.

A part's content is decoded when asked for. The budget counts work, not time: parts, depth, header bytes.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from postroom.mail.headers import (
    RawFields,
    decode_header,
    message_ids,
    parse_parameters,
    split_fields,
    split_message,
    unfold,
)
from postroom.mail.mime.decoding import decode_transfer

MOST_PARTS = 2_000
DEEPEST_NESTING = 64
MOST_HEADER_BYTES = 10_000_000
_PART_FIELDS = frozenset(
    (b"content-type", b"content-transfer-encoding", b"content-disposition", b"content-id", b"content-description")
)
_GUESSED_BOUNDARY = re.compile(
    rb"(?:\A|\n)--([^\s\x00-\x1f\x7f-\xff][^\r\n\x00]{0,200}?)(?:--)?[ \t]*\r?\n(?=[Cc]ontent-)"
)
_DELIMITER_END = b" \t\r\n"


@dataclass(slots=True, eq=False)
class Part:
    """One node of the MIME tree. A multipart has `children` and no body; any other part has a body and no children."""

    content_type: str
    parameters: dict[str, str]
    disposition: str = ""  # "attachment", "inline" or "", in lower case
    filename: str = ""  # decoded, not yet cleaned
    content_id: str = ""  # without angle brackets
    encoding: str = ""
    body: bytes = b""  # still transfer-encoded
    children: list[Part] = field(default_factory=list)

    @property
    def is_multipart(self) -> bool:
        return bool(self.children)

    @property
    def is_message(self) -> bool:
        return self.content_type in ("message/rfc822", "message/global", "message/news")

    @property
    def charset(self) -> str:
        return self.parameters.get("charset", "")

    def content(self) -> bytes:
        """The body with its transfer encoding undone, as far as it can be."""
        return decode_transfer(self.body, self.encoding)


@dataclass(slots=True)
class _Budget:
    """What one message may still cost, and what was left out when it was spent."""

    parts: int = MOST_PARTS
    header_bytes: int = MOST_HEADER_BYTES
    defects: list[str] = field(default_factory=list)

    def complain(self, defect: str) -> None:
        if defect not in self.defects:
            self.defects.append(defect)


def read_parts(fields: RawFields, body: bytes) -> tuple[Part, list[str]]:
    """The tree of a message with the top-level `fields` and `body`, and what was wrong with it in words."""
    budget = _Budget()
    root = _describe(fields, "text/plain")
    _fill(root, body, 0, budget)
    return root, budget.defects


def _describe(fields: RawFields, default_type: str) -> Part:
    """A part by its header fields, without its body. The first field of a name counts."""
    named: dict[bytes, str] = {}
    for name, value in fields:
        if name in _PART_FIELDS and name not in named:
            named[name] = unfold(value)
    kind, parameters = parse_parameters(named.get(b"content-type", ""))
    if kind.count("/") != 1:
        kind = "text/plain" if kind == "text" else default_type
    disposition, disposition_parameters = parse_parameters(named.get(b"content-disposition", ""))
    encoding = named.get(b"content-transfer-encoding", "")
    return Part(
        kind,
        parameters,
        disposition="attachment" if disposition and disposition != "inline" else disposition,
        filename=disposition_parameters.get("filename") or parameters.get("name", ""),
        content_id=_content_id(named.get(b"content-id", "")),
        encoding=parse_parameters(encoding)[0] if ";" in encoding or "(" in encoding else encoding.strip().lower(),
    )


def _content_id(value: str) -> str:
    if not value:
        return ""
    ids = message_ids(value)
    return ids[0][1:-1] if ids else decode_header(value).strip("<> ")[:500]


def _fill(part: Part, body: bytes, depth: int, budget: _Budget) -> None:
    """Gives `part` its body or its children. Recurses at most DEEPEST_NESTING levels."""
    budget.parts -= 1
    if not part.content_type.startswith("multipart/"):
        part.body = body
        return
    pieces = _split_multipart(part, body, budget) if depth < DEEPEST_NESTING else None
    if depth >= DEEPEST_NESTING:
        budget.complain(f"nested deeper than {DEEPEST_NESTING} levels, the rest is shown as it came")
    if not pieces:
        # Nothing to split by: what stands there is shown as text rather than lost.
        part.content_type, part.body = "text/plain", body
        return
    default_type = "message/rfc822" if part.content_type == "multipart/digest" else "text/plain"
    for piece in pieces:
        if budget.parts <= 0 or budget.header_bytes <= 0:
            budget.complain(f"more than {MOST_PARTS} parts or {MOST_HEADER_BYTES} header bytes, the rest is left out")
            break
        block, offset = split_message(piece)
        budget.header_bytes -= len(block)
        child = _describe(split_fields(block), default_type)
        _fill(child, piece[offset:], depth + 1, budget)
        part.children.append(child)
    if not part.children:
        part.content_type, part.body = "text/plain", body


def _split_multipart(part: Part, body: bytes, budget: _Budget) -> list[bytes]:
    """The bytes of each part between the delimiter lines of RFC 2046 section 5.1.1, none when there is no such line."""
    boundary = part.parameters.get("boundary", "").encode("utf-8", "replace").rstrip()
    pieces = _cut(body, boundary, budget) if boundary else []
    if pieces:
        return pieces
    guessed = _GUESSED_BOUNDARY.search(body[:100_000])
    budget.complain("the boundary of a multipart is missing or never occurs")
    return _cut(body, guessed[1].rstrip(), budget) if guessed else []


def _cut(body: bytes, boundary: bytes, budget: _Budget) -> list[bytes]:
    delimiter = b"--" + boundary
    pieces: list[bytes] = []
    started = -1  # where the open piece begins
    position = body.find(delimiter)
    while position >= 0:
        after = position + len(delimiter)
        is_line_start = position == 0 or body[position - 1] in b"\r\n"
        closes = body[after : after + 2] == b"--"
        if is_line_start and (closes or after == len(body) or body[after] in _DELIMITER_END):
            if started >= 0:
                pieces.append(_without_last_break(body, started, position))
                if len(pieces) > budget.parts:
                    return pieces
            line_end = body.find(b"\n", after)
            started = line_end + 1 if line_end >= 0 else len(body)
            if closes:
                return pieces
        position = body.find(delimiter, after)
    if started >= 0:
        budget.complain("a multipart is not closed")
        if started < len(body):
            pieces.append(body[started:])
    return pieces


def _without_last_break(body: bytes, start: int, end: int) -> bytes:
    """The line break before a delimiter belongs to the delimiter."""
    if end > start and body[end - 1] == 10:
        end -= 1
    if end > start and body[end - 1] == 13:
        end -= 1
    return body[start:end]
