"""Transfer encodings of RFC 2045 section 6, undone as far as they can be: at once, or a mebibyte at a time."""

from __future__ import annotations

import re
from binascii import Error as BinasciiError
from binascii import a2b_base64, a2b_qp, a2b_uu
from collections.abc import Iterator

from pybase64 import b64decode

from postroom.mail.message import Raw

PIECE_OCTETS = 1 << 20
_BLANKS = b" \t\r\n"
_UU_NAMES = frozenset(("x-uuencode", "uuencode", "x-uue", "uue"))
_BASE64_RUN = re.compile(rb"[A-Za-z0-9+/]*")
# Blocks padded each for itself begin each on a line of its own; words behind the padding are a remark.
_PADDING = re.compile(rb"(?<!=)=++[ \t]*+(?:\r?\n|\Z)")
_UU_BEGIN = re.compile(rb"^begin [0-7]{3,4} [^\r\n]*\r?\n", re.MULTILINE)


def decode_transfer(raw: Raw, start: int, end: int, encoding: str) -> bytes:
    """`raw[start:end]` decoded. What cannot be decoded is left out (the end of base64) or left as it is. Never raises.

    The decoders read where the message lies: a copy of an attachment costs a third of decoding it.
    """
    if encoding == "base64":
        return _decode_base64(raw, start, end)
    if encoding == "quoted-printable":
        return a2b_qp(memoryview(raw)[start:end])
    body = raw[start:end]
    return _decode_uu(body) if encoding in _UU_NAMES else body


def _decode_base64(raw: Raw, start: int, end: int) -> bytes:
    """The quick decoder drops what is not base64 without a word; that nothing was dropped shows in the length."""
    letters = end - start - _line_breaks(raw, start, end)
    padding = raw[max(start, end - 8) : end].count(b"=")
    try:
        content = b64decode(memoryview(raw)[start:end])
        if letters % 4 == 0 and len(content) == letters // 4 * 3 - padding:
            return content
        return b64decode(raw[start:end].translate(None, _BLANKS), validate=True)
    except BinasciiError:
        return _decode_broken_base64(raw[start:end]) or raw[start:end]


def _line_breaks(raw: Raw, start: int, end: int) -> int:
    """How many bytes are CR or LF, if all lines are as long as the first one, else too few perhaps.

    Only the bytes at the ends of such lines are looked at: to count all of them took longer than decoding.
    """
    line_end = raw.find(b"\n", start, end)
    if line_end < 0:
        return 0
    length = line_end + 1 - start
    lines = raw[line_end:end:length].count(b"\n")
    rest = raw[start + lines * length : end]
    each = 2 if raw[line_end - 1] == 13 and length > 1 else 1
    return lines * each + rest.count(b"\n") + rest.count(b"\r")


def _decode_broken_base64(body: bytes) -> bytes:
    """Base64 up to the first strange character, such as the footer that a mailing list wrote below it, or up to what
    stands behind the padding. Blocks that were padded each for itself are decoded each for itself.
    """
    blocks, _ = _sound_blocks(body)
    return b"".join(map(_decode_block, blocks))


def _sound_blocks(body: bytes) -> tuple[list[bytes], bool]:
    """The letters of each padded block up to the first strange character, and whether there is none."""
    blocks: list[bytes] = []
    for block in _PADDING.split(body):
        letters = block.translate(None, _BLANKS)
        run = _BASE64_RUN.match(letters)
        end = run.end() if run else 0
        blocks.append(letters[:end])
        if end < len(letters):
            return blocks, False
    return blocks, True


def _decode_block(letters: bytes) -> bytes:
    whole = len(letters) - (len(letters) % 4 == 1)
    return a2b_base64(letters[:whole] + b"=" * (-whole % 4))


def decode_pieces(raw: Raw, start: int, end: int, encoding: str) -> Iterator[bytes]:
    """`raw[start:end]` decoded, as `decode_transfer` does it, a mebibyte at a time. Never raises.

    It differs where base64 is broken so that nothing of it can be decoded: then it is nothing, not the body as it came.
    """
    if encoding == "base64":
        yield from _base64_pieces(raw, start, end)
    elif encoding == "quoted-printable":
        yield from map(a2b_qp, _pieces(raw, start, end))
    elif encoding in _UU_NAMES:
        yield from _uu_pieces(raw, start, end)
    else:
        yield from _pieces(raw, start, end)


def _pieces(raw: Raw, start: int, end: int) -> Iterator[bytes]:
    """Cut behind a line break where there is one, so that no line and no escape is torn."""
    while start < end:
        cut = end
        if end - start > PIECE_OCTETS:
            cut = raw.rfind(b"\n", start, start + PIECE_OCTETS) + 1
            if not cut:
                cut = start + PIECE_OCTETS
                escape = raw[cut - 2 : cut].find(b"=")
                cut -= 2 - escape if escape >= 0 else 0
        yield raw[start:cut]
        start = cut


def _base64_pieces(raw: Raw, start: int, end: int) -> Iterator[bytes]:
    rest = b""  # letters that do not fill a quantum yet
    for piece in _pieces(raw, start, end):
        letters = rest + piece.translate(None, _BLANKS)
        whole = len(letters) - len(letters) % 4
        try:
            yield b64decode(letters[:whole], validate=True)
            rest = letters[whole:]
        except BinasciiError:
            (*blocks, last), is_sound = _sound_blocks(rest + piece)
            rest = b""
            if is_sound:
                rest = last[len(last) - len(last) % 4 :]
                last = last[: len(last) - len(rest)]
            yield b"".join(map(_decode_block, [*blocks, last]))
            if not is_sound:
                return
    yield b"".join(map(_decode_block, _sound_blocks(rest)[0]))


def _uu_pieces(raw: Raw, start: int, end: int) -> Iterator[bytes]:
    begin = _UU_BEGIN.search(raw, start, min(end, start + PIECE_OCTETS))
    if begin is None:
        yield from _pieces(raw, start, end)
        return
    for piece in _pieces(raw, begin.end(), end):
        content, is_over = _decode_uu_lines(piece)
        yield content
        if is_over:
            return


def _decode_uu(body: bytes) -> bytes:
    begin = _UU_BEGIN.search(body)
    if begin is None:
        return body
    return _decode_uu_lines(body[begin.end() :])[0]


def _decode_uu_lines(body: bytes) -> tuple[bytes, bool]:
    """The content of the lines, and whether one of them is the last."""
    out: list[bytes] = []
    for line in body.splitlines():
        if line in (b"end", b"`", b""):
            return b"".join(out), True
        try:
            out.append(a2b_uu(line))
        except BinasciiError:
            # Writers that pad wrongly: take what the length byte promises, as uudecode does.
            needed = ((line[0] - 32) & 63) * 4 // 3 + 2
            try:
                out.append(a2b_uu(line[:needed]))
            except BinasciiError:
                return b"".join(out), True
    return b"".join(out), False
