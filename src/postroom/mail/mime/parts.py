"""Bytes to a tree of MIME parts (RFC 2045, 2046), lenient, bounded and without recursion on what others wrote.

Why our own splitter and not a library: the standard library needs 1 ms a message and quadratic time on nested
boundaries; fast-mail-parser is quick but loses messages over one bad base64 line and decodes some texts wrongly
without a word (research/benchmarks.md, C). Splitting is `bytes.find` and slices, so ours is as quick, and every
oddity has one place.

A part's content is copied and decoded when asked for: the tree is made of offsets into the message, which may lie on
the disk. The budget counts work, not time: parts, depth, header bytes, bytes searched for delimiters.

Where mail breaks the rules, these hold, each for a way of breaking them that was met:
- a delimiter is a line of its own; where a boundary never has one, a line that begins with it will do (RFC 2046
  section 5.1.1 asks for no more, but then "b" would cut at "bc", which is another multipart's as a rule);
- where it never occurs at all, or was not declared, the first line that looks like a delimiter above a part counts;
- the type and the parameters may lack the semicolon between them (`parse_parameters`);
- a header that runs into its own multipart's first delimiter without a blank line ends there;
- a closing delimiter that is glued to the last line closes (scripts that forget the line break before it);
- an outer delimiter ends all that is open inside it (section 5.1.2).
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import lru_cache

from postroom.mail.headers import (
    Fields,
    decode_header,
    find_body,
    message_ids,
    parse_parameters,
    read_fields,
)
from postroom.mail.message import Raw
from postroom.mail.mime.decoding import decode_pieces, decode_transfer

MOST_PARTS = 2_000
DEEPEST_NESTING = 64
MOST_HEADER_BYTES = 10_000_000
MOST_PASSES = 12  # over the message in search of delimiters; mail that keeps the rules needs one for each level
_FREE_SEARCH = 10_000_000  # bytes beyond that, so that small messages may be as deep as they like
PART_FIELDS = frozenset(("content-type", "content-transfer-encoding", "content-disposition", "content-id"))
_USUAL_BLOCK = 300  # bytes of a part's header
_GUESSED_BOUNDARY = re.compile(
    rb"(?:\A|\n)--([^\s\x00-\x1f\x7f-\xff][^\r\n\x00]{0,200}?)(?:--)?[ \t]*\r?\n(?=[Cc]ontent-)"
)
_GUESSED_WITHIN = 100_000
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
    raw: Raw = b""  # the message
    start: int = 0  # from here to `end` its body lies, still transfer-encoded
    end: int = 0
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
        return decode_transfer(self.raw, self.start, self.end, self.encoding)

    def pieces(self) -> Iterator[bytes]:
        """The same in pieces of a mebibyte or less."""
        return decode_pieces(self.raw, self.start, self.end, self.encoding)


@dataclass(slots=True)
class _Budget:
    """What one message may still cost, and what was left out when it was spent."""

    parts: int = MOST_PARTS
    header_bytes: int = MOST_HEADER_BYTES
    search_bytes: int = 0  # for delimiters
    defects: list[str] = field(default_factory=list)

    def complain(self, defect: str) -> None:
        if defect not in self.defects:
            self.defects.append(defect)


def read_parts(fields: Fields, raw: Raw, block_end: int, body_start: int) -> tuple[Part, list[str]]:
    """The tree of the message `raw` with the top-level `fields`, and what was wrong with it in words."""
    budget = _Budget(search_bytes=MOST_PASSES * len(raw) + _FREE_SEARCH)
    root = _describe(fields, "text/plain")
    _fill(root, raw, _own_delimiter(root, raw, 0, block_end) or body_start, len(raw), 0, budget)
    return root, budget.defects


def _describe(named: Fields, default_type: str) -> Part:
    """A part by its header fields, without its body. The first field of a name counts."""
    kind, parameters = parse_parameters(named["content-type"][0]) if "content-type" in named else ("", {})
    if kind.count("/") != 1:
        kind = "text/plain" if kind == "text" else default_type
    disposition, filename = "", ""
    if "content-disposition" in named:
        disposition, disposition_parameters = parse_parameters(named["content-disposition"][0])
        filename = disposition_parameters.get("filename", "")
    encoding = named["content-transfer-encoding"][0] if "content-transfer-encoding" in named else ""
    return Part(
        kind,
        parameters,
        disposition="attachment" if disposition and disposition != "inline" else disposition,
        filename=filename or parameters.get("name", ""),
        content_id=_content_id(named["content-id"][0]) if "content-id" in named else "",
        encoding=parse_parameters(encoding)[0] if ";" in encoding or "(" in encoding else encoding.lower(),
    )


@lru_cache(maxsize=512)
def _usual_part(block: bytes, default_type: str) -> Part:
    """Short blocks are remembered: most parts of a mailbox are one of a few kinds of text. To be copied, not used."""
    return _describe(read_fields(block, PART_FIELDS), default_type)


def _read_part(block: bytes, default_type: str) -> Part:
    if len(block) > _USUAL_BLOCK:
        return _describe(read_fields(block, PART_FIELDS), default_type)
    usual = _usual_part(block, default_type)
    return Part(
        usual.content_type, usual.parameters, usual.disposition, usual.filename, usual.content_id, usual.encoding
    )


def _own_delimiter(part: Part, raw: Raw, start: int, end: int) -> int:
    """Where the first delimiter of the multipart `part` stands in its own header, 0 when it does not."""
    if not part.content_type.startswith("multipart/") or not (boundary := _boundary_of(part)):
        return 0
    return raw.find(b"\n--" + boundary, start, end) + 1


def _boundary_of(part: Part) -> bytes:
    return part.parameters.get("boundary", "").encode("utf-8", "replace").rstrip()


def _content_id(value: str) -> str:
    if not value:
        return ""
    ids = message_ids(value)
    return ids[0][1:-1] if ids else decode_header(value).strip("<> ")[:500]


def _fill(part: Part, raw: Raw, start: int, end: int, depth: int, budget: _Budget) -> None:
    """Gives `part` its body, `raw[start:end]`, or its children. Recurses at most DEEPEST_NESTING levels."""
    budget.parts -= 1
    if not part.content_type.startswith("multipart/"):
        part.raw, part.start, part.end = raw, start, end
        return
    spans: list[tuple[int, int]] = []
    if depth >= DEEPEST_NESTING:
        budget.complain(f"nested deeper than {DEEPEST_NESTING} levels, the rest is shown as it came")
    elif budget.search_bytes <= 0:
        budget.complain(f"nested so that it would have to be read {MOST_PASSES} times, the rest is shown as it came")
    else:
        spans = _split_multipart(part, raw, start, end, budget)
    part.children = []
    default_type = "message/rfc822" if part.content_type == "multipart/digest" else "text/plain"
    for child_start, child_end in spans:
        if budget.parts <= 0 or budget.header_bytes <= 0:
            budget.complain(f"more than {MOST_PARTS} parts or {MOST_HEADER_BYTES} header bytes, the rest is left out")
            break
        block_end, body_start = find_body(raw, child_start, child_end)
        budget.header_bytes -= block_end - child_start
        child = _read_part(raw[child_start:block_end], default_type)
        early = _own_delimiter(child, raw, child_start, block_end)
        if early:
            child, body_start = _read_part(raw[child_start:early], default_type), early
        _fill(child, raw, body_start, child_end, depth + 1, budget)
        part.children.append(child)
    if not part.children:
        # Nothing to split by: what stands there is shown as text rather than lost.
        part.content_type, part.raw, part.start, part.end = "text/plain", raw, start, end


def _split_multipart(part: Part, raw: Raw, start: int, end: int, budget: _Budget) -> list[tuple[int, int]]:
    """From where to where the parts lie between the delimiter lines of RFC 2046 section 5.1.1, empty when there is no
    such line."""
    boundary = _boundary_of(part)
    spans = _cut(raw, start, end, boundary, budget) if boundary else []
    if spans:
        return spans
    budget.complain("the boundary of a multipart is missing or never occurs")
    if boundary and (spans := _cut(raw, start, end, boundary, budget, is_prefix=True)):
        return spans
    budget.search_bytes -= min(end - start, _GUESSED_WITHIN)
    guessed = _GUESSED_BOUNDARY.search(raw, max(start - 1, 0), min(end, start + _GUESSED_WITHIN))
    return _cut(raw, start, end, guessed[1].rstrip(), budget) if guessed else []


def _cut(
    raw: Raw, start: int, end: int, boundary: bytes, budget: _Budget, *, is_prefix: bool = False
) -> list[tuple[int, int]]:
    budget.search_bytes -= end - start
    delimiter = b"--" + boundary
    spans: list[tuple[int, int]] = []
    opened = -1  # where the open part begins
    position = raw.find(delimiter, start, end)
    while position >= 0:
        after = position + len(delimiter)
        is_line_start = position == start or raw[position - 1] in b"\r\n"
        closes = raw[after : min(after + 2, end)] == b"--"
        if is_line_start and (closes or is_prefix or after == end or raw[after] in _DELIMITER_END):
            if opened >= 0:
                spans.append((opened, _without_last_break(raw, opened, position)))
                if len(spans) > budget.parts:
                    return spans
            line_end = raw.find(b"\n", after, end)
            opened = line_end + 1 if line_end >= 0 else end
            if closes:
                return spans
        position = raw.find(delimiter, after, end)
    if opened >= 0:
        budget.complain("a multipart is not closed")
        glued = raw.rfind(delimiter + b"--", max(opened, end - len(delimiter) - 10), end)
        if glued >= 0 and not raw[glued + len(delimiter) + 2 : end].strip():
            end = glued
        if opened < end:
            spans.append((opened, end))
    return spans


def _without_last_break(raw: Raw, start: int, end: int) -> int:
    """The line break before a delimiter belongs to the delimiter."""
    if end > start and raw[end - 1] == 10:
        end -= 1
    if end > start and raw[end - 1] == 13:
        end -= 1
    return end
