"""Mail addresses: reading header values strictly and comparing what was read.

The standard library's `getaddresses` takes `alice@example.org)bob@example.com` for Alice (CVE-2023-27043 and its
kin), so an address here is only what stands there whole: what is not an addr-spec by itself is kept as a name with an
empty address. One pass over the value, no recursion, linear time.
"""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache
from ipaddress import AddressValueError, IPv4Address, IPv6Address

import idna

from postroom.mail.headers import decode_words, one_line
from postroom.mail.message import Address

LONGEST_ADDRESS = 320  # 64 octets local part, "@", 255 octets domain: RFC 5321 section 4.5.3.1
LONGEST_NAME = 500
LONGEST_VALUE = 1_000_000  # characters, 10,000 recipients of 100
MOST_ADDRESSES = 50_000
MOST_TOKENS = 150_000
_USUAL_VALUE = 200

_ATEXT = r"A-Za-z0-9!#$%&'*+\-/=?^_`{|}~"  # RFC 5322 section 3.2.3
_PLAIN = rf"[{_ATEXT}.]{{1,64}}@[A-Za-z0-9.\-]{{1,255}}"
# The usual forms of one entry, whole: name <a@b>, "name" <a@b>, a@b. Everything else goes through the tokens.
_USUAL = re.compile(rf'\s*(?:(?:"([^"\\\r\n]*)"|([^"<>(),:;@\\\[\]\r\n]*?))\s*<({_PLAIN})>|({_PLAIN}))\s*(?:,|\Z)')
_TOKEN = re.compile(
    r"""(?P<space>\s+)
      | (?P<word>=\?[^?\s]{1,90}\?[bBqQ]\?[^?]*\?=)
      | "(?P<quoted>(?:[^"\\]|\\.)*)"?
      | <(?P<angle>(?:"(?:[^"\\]|\\.)*"|[^<>"])*)>?
      | (?P<literal>\[[^\[\]]*\]?)
      | (?P<mark>[(),:;@])
      | (?P<atom>(?:(?!=\?)[^\s"<>()\[\],:;@]|=\?)+)
      | (?P<stray>.)""",
    re.VERBOSE | re.DOTALL,
)
_COMMENT_MARK = re.compile(r"\\.|[()]", re.DOTALL)
_ESCAPE = re.compile(r"\\(.)", re.DOTALL)
_SPACE = re.compile(r"\s+")
# What we take as an address from a header: atext or anything beyond ASCII, or a quoted local part.
_READABLE = re.compile(
    rf'(?:[{_ATEXT}.\x80-\U0010ffff]{{1,200}}|"(?:[^"\\\x00-\x1f\x7f]|\\[ -~]){{0,200}}")'
    r"@(?:[A-Za-z0-9._\-\x80-\U0010ffff]{1,255}|\[[!-Z^-~]{1,255}\])\Z"
)
_DOT_ATOM = re.compile(rf"[{_ATEXT}]+(?:\.[{_ATEXT}]+)*\Z")
_QUOTED_LOCAL = re.compile(r'"(?:[ !#-\[\]-~]|\\[ -~])*"\Z')  # RFC 5321 section 4.1.2, Quoted-string
_DOMAIN = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9-]*[A-Za-z0-9])?(?:\.[A-Za-z0-9](?:[A-Za-z0-9-]*[A-Za-z0-9])?)*\Z")


def parse_addresses(value: str) -> tuple[Address, ...]:
    """The mailboxes of an address header (unfolded, encoded words still encoded), groups flattened, in order.

    Entries that hold no addr-spec come as a name with an empty address. Never raises. Bounded by the
    limits above; what lies beyond them is left out.
    """
    if len(value) <= _USUAL_VALUE:
        return _parse_usual_value(value)
    return _parse_value(value[:LONGEST_VALUE])


@lru_cache(maxsize=4096)
def _parse_usual_value(value: str) -> tuple[Address, ...]:
    """Short values are remembered: a mailbox is full of the same few correspondents."""
    return _parse_value(value)


def _parse_value(value: str) -> tuple[Address, ...]:
    if not value.isprintable() or "  " in value:
        value = _SPACE.sub(" ", value)  # runs of spaces would make the patterns below quadratic
    found: list[Address] = []
    position, end = 0, len(value)
    while position < end and len(found) < MOST_ADDRESSES:
        usual = _USUAL.match(value, position)
        if usual is None:
            found += _EntryReader(value).read(position)
            break
        quoted, words, angle, bare = usual.groups()
        found.append(Address(angle or bare, _name(quoted or words) if quoted or words else ""))
        position = usual.end()
    return tuple(found[:MOST_ADDRESSES])


class _EntryReader:
    """Reads the rest of a value token by token: one entry is what stands between commas, colons and semicolons."""

    def __init__(self, value: str) -> None:
        self.value = value
        self.found: list[Address] = []
        self._start_entry()

    def _start_entry(self) -> None:
        self.words: list[str] = []  # the entry as written, without comments and angles
        self.name_words: list[str] = []  # the same, unquoted
        self.comments: list[str] = []
        self.angle: str | None = None

    def read(self, position: int) -> list[Address]:
        value = self.value
        for _ in range(MOST_TOKENS):
            token = _TOKEN.match(value, position)
            if token is None or len(self.found) >= MOST_ADDRESSES:
                break
            position = token.end()
            kind, text = token.lastgroup, token[0]
            if kind == "mark":
                position = self._read_mark(text, position)
            elif kind == "angle":
                if self.angle is not None:
                    self._end_entry()
                self.angle = token["angle"]
            elif kind == "quoted":
                self.words.append(text)
                self.name_words.append(_ESCAPE.sub(r"\1", token["quoted"]))
            elif kind == "space":
                self.words.append(" ")
                self.name_words.append(" ")
            else:
                self.words.append(text)
                self.name_words.append(text)
        self._end_entry()
        return self.found

    def _read_mark(self, mark: str, position: int) -> int:
        if mark == "(":
            comment, position = _read_comment(self.value, position)
            self.comments.append(comment)
        elif mark in ",;":
            self._end_entry()
        elif mark == ":" and self.angle is None and "@" not in self.words:
            self._start_entry()  # the name of a group, RFC 5322 section 3.4
        else:
            self.words.append(mark)
            self.name_words.append(mark)
        return position

    def _end_entry(self) -> None:
        comment = self.comments[-1] if self.comments else ""
        written, said = "".join(self.words).strip(), "".join(self.name_words).strip()
        if self.angle is not None:
            address = _addr_spec(self.angle)
            name = _name(said or comment)
            if not address and self.angle.strip():
                name = _name(f"{said} <{self.angle}>")
            if address or name:
                self.found.append(Address(address, name))
        elif written:
            address = _addr_spec(written) if "@" in written else ""
            self.found.append(Address(address, _name(comment if address else said)))
        self._start_entry()


def _read_comment(value: str, position: int) -> tuple[str, int]:
    """The text of the comment that was opened before `position`, and where it ends. Comments nest: RFC 5322 section
    3.2.2."""
    depth, start = 1, position
    for mark in _COMMENT_MARK.finditer(value, position):
        depth += {"(": 1, ")": -1}.get(mark[0], 0)
        if depth == 0:
            return _ESCAPE.sub(r"\1", value[start : min(mark.start(), start + LONGEST_NAME)]), mark.end()
    return "", len(value)


def _addr_spec(text: str) -> str:
    """The addr-spec in `text`, "" when there is none. Source routes (RFC 5321 appendix C) and outer comments are
    dropped."""
    text = text.strip()
    if len(text) > 4 * LONGEST_ADDRESS:
        return ""
    if text[:7].lower() == "mailto:":
        text = text[7:]
    if text.startswith("@") and ":" in text:
        text = text.rpartition(":")[2].strip()
    if "(" in text and '"' not in text:
        text = _without_comments(text)
    local, at, domain = text.rpartition("@")
    spec = local.strip() + at + domain.strip()
    return spec if len(spec) <= LONGEST_ADDRESS and _READABLE.match(spec) and spec.isprintable() else ""


def _without_comments(text: str) -> str:
    kept: list[str] = []
    position = 0
    while (opened := text.find("(", position)) >= 0:
        kept.append(text[position:opened])
        _, position = _read_comment(text, opened + 1)
    return "".join(kept) + text[position:]


def _name(text: str) -> str:
    """A display name as a person reads it, on one line, at most 500 characters."""
    text = decode_words(text[: 8 * LONGEST_NAME])
    if not text.isprintable() or "  " in text:
        text = _SPACE.sub(" ", one_line(text))
    return text.strip().strip('"')[:LONGEST_NAME]


def parse_address(text: str) -> Address | None:
    """What a person typed as one recipient, "a@b.c" or "Name <a@b.c>"; None unless it is exactly one that can be sent
    to."""
    if len(text) > LONGEST_ADDRESS + LONGEST_NAME or any(mark in text for mark in "\r\n\0"):
        return None
    found = parse_addresses(text)
    if len(found) != 1 or not is_valid(found[0].address):
        return None
    return found[0]


def is_valid(addr_spec: str) -> bool:
    """Whether RFC 5321 section 4.1.2 would carry it in an envelope. A domain beyond ASCII counts by its A-labels."""
    local, at, domain = addr_spec.rpartition("@")
    if not at or not local.isascii() or not 0 < len(local) <= 64 or "\0" in addr_spec:
        return False
    if not (_DOT_ATOM.match(local) or _QUOTED_LOCAL.match(local)):
        return False
    if domain.startswith("[") and domain.endswith("]"):
        return _is_address_literal(domain[1:-1])
    if not domain.isascii():
        domain = _a_labels(domain)
    labels = domain.split(".")
    # 254 octets: a path of RFC 5321 section 4.5.3.1.3 is 256 with its angle brackets.
    return bool(_DOMAIN.match(domain)) and len(addr_spec) <= 254 and len(domain) <= 253 and max(map(len, labels)) <= 63


def _is_address_literal(literal: str) -> bool:
    """RFC 5321 section 4.1.3. Its "::" stands for two groups at least, and no other tag than IPv6 was ever
    registered."""
    try:
        if literal[:5].lower() != "ipv6:":
            IPv4Address(literal)
            return True
        IPv6Address(literal[5:])
    except AddressValueError:
        return False
    groups = [group for group in literal[5:].split(":") if group]
    return "::" not in literal or len(groups) + ("." in groups[-1] if groups else 0) <= 6


def address_key(address: str) -> str:
    """What two spellings of one address share: trimmed, whole in lower case, domain in A-labels (IDNA 2008, UTS 46)."""
    key = address.strip().lower()
    if key.isascii():
        return key
    local, at, domain = unicodedata.normalize("NFC", key).rpartition("@")
    return local + at + _a_labels(domain)


def spellings(address: str) -> tuple[str, ...]:
    """The address as it is, then with its domain in A-labels and as people write it (U-labels), each once."""
    local, at, domain = address.rpartition("@")
    if domain.isascii() and "xn--" not in domain.lower():
        return (address,)
    return tuple(dict.fromkeys((address, local + at + _a_labels(domain), local + at + _u_labels(domain))))


def _a_labels(domain: str) -> str:
    try:
        return idna.encode(domain, uts46=True).decode("ascii")
    except (idna.IDNAError, UnicodeError):
        return domain


def _u_labels(domain: str) -> str:
    try:
        return idna.decode(domain, uts46=True)
    except (idna.IDNAError, UnicodeError):
        return domain
