"""Transfer encodings of RFC 2045 section 6, undone as far as they can be."""

from __future__ import annotations

import re
from binascii import Error as BinasciiError
from binascii import a2b_base64, a2b_qp, a2b_uu

from pybase64 import b64decode

_BLANKS = b" \t\r\n"
_BASE64_RUN = re.compile(rb"[A-Za-z0-9+/]*")
# Blocks padded each for itself begin each on a line of its own; words behind the padding are a remark.
_PADDING = re.compile(rb"(?<!=)=++[ \t]*+(?:\r?\n|\Z)")
_UU_BEGIN = re.compile(rb"^begin [0-7]{3,4} [^\r\n]*\r?\n", re.MULTILINE)


def decode_transfer(body: bytes, encoding: str) -> bytes:
    """`body` decoded. What cannot be decoded is left out (the end of base64) or left as it is. Never raises."""
    if encoding == "base64":
        return _decode_base64(body)
    if encoding == "quoted-printable":
        return a2b_qp(body)
    if encoding in ("x-uuencode", "uuencode", "x-uue", "uue"):
        return _decode_uu(body)
    return body


def _decode_base64(body: bytes) -> bytes:
    """The quick decoder drops what is not base64 without a word; that nothing was dropped shows in the length."""
    letters = len(body) - body.count(b"\n") - body.count(b"\r")
    padding = body[-8:].count(b"=")
    try:
        content = b64decode(body)
        if letters % 4 == 0 and len(content) == letters // 4 * 3 - padding:
            return content
        return b64decode(body.translate(None, _BLANKS), validate=True)
    except BinasciiError:
        return _decode_broken_base64(body) or body


def _decode_broken_base64(body: bytes) -> bytes:
    """Base64 up to the first strange character, such as the footer that a mailing list wrote below it, or up to what
    stands behind the padding. Blocks that were padded each for itself are decoded each for itself.
    """
    out: list[bytes] = []
    for block in _PADDING.split(body):
        run = _BASE64_RUN.match(block.translate(None, _BLANKS))
        letters = run[0] if run else b""
        whole = len(letters) - (len(letters) % 4 == 1)
        out.append(a2b_base64(letters[:whole] + b"=" * (-whole % 4)))
        if not run or run.end() < len(run.string):
            break
    return b"".join(out)


def _decode_uu(body: bytes) -> bytes:
    begin = _UU_BEGIN.search(body)
    if begin is None:
        return body
    out: list[bytes] = []
    for line in body[begin.end() :].splitlines():
        if line in (b"end", b"`", b""):
            break
        try:
            out.append(a2b_uu(line))
        except BinasciiError:
            # Writers that pad wrongly: take what the length byte promises, as uudecode does.
            needed = ((line[0] - 32) & 63) * 4 // 3 + 2
            try:
                out.append(a2b_uu(line[:needed]))
            except BinasciiError:
                break
    return b"".join(out)
