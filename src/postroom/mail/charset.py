"""Bytes of mail to text, whatever the mail says about them. Never raises, never gives a lone surrogate."""

from __future__ import annotations

import re
from encodings.aliases import aliases
from functools import lru_cache

_NOT_FOR_MAIL = frozenset(
    "base64_codec bz2_codec hex_codec quopri_codec rot_13 uu_codec zlib_codec mbcs oem idna punycode undefined "  # noqa: SIM905
    "unicode_escape raw_unicode_escape unicode_internal".split()
)
_WITHOUT_ALIAS = frozenset(
    "cp720 cp737 cp856 cp874 cp875 cp1006 koi8_t koi8_u mac_croatian mac_farsi utf_8_sig".split()  # noqa: SIM905
)
_KNOWN = (frozenset(aliases.values()) | _WITHOUT_ALIAS) - _NOT_FOR_MAIL

# What senders mean by a name, where that is more than the name's own standard (encoding.spec.whatwg.org, "Names and
# labels").
_MEANT = {
    "iso8859_1": "cp1252",
    "latin_1": "cp1252",
    "iso_8859_1": "cp1252",
    "iso8859_9": "cp1254",
    "iso_8859_8_i": "iso8859_8",
    "iso_8859_8_e": "iso8859_8",
    "iso_8859_6_i": "iso8859_6",
    "iso_8859_11": "cp874",
    "tis_620": "cp874",
    "gb2312": "gb18030",
    "gbk": "gb18030",
    "x_gbk": "gb18030",
    "euc_kr": "cp949",
    "ks_c_5601_1987": "cp949",
    "ks_c_5601": "cp949",
    "shift_jis": "cp932",
    "x_sjis": "cp932",
    "windows_31j": "cp932",
    "big5": "big5hkscs",
    "x_mac_roman": "mac_roman",
    "x_cp1252": "cp1252",
    "unicode_1_1_utf_7": "utf_7",
    "unicode_1_1_utf_8": "utf_8",
}
_UTF8_NAMES = frozenset(("", "utf-8", "us-ascii", "utf8", "ascii"))
# Codecs of Python that hand out lone surrogates, which neither UTF-8 nor PostgreSQL can hold.
_MAY_GIVE_SURROGATES = frozenset(
    ("utf_7", "utf_16", "utf_16_le", "utf_16_be", "utf_32", "utf_32_le", "utf_32_be", "gb18030", "cp949")
)
_HOLDS_ASCII = ("cp125", "iso8859_", "koi8")  # the ASCII codec is twenty times as quick as theirs
_NOT_BYTE_WISE = frozenset(("utf_7", "utf_16", "utf_16_le", "utf_16_be", "utf_32", "utf_32_le", "utf_32_be"))
_SURROGATE = re.compile("[\ud800-\udfff]")
_NOT_NAME = re.compile(r"[^a-z0-9]+")
_ISO_2022_JP_ESCAPES = (b"\x1b$", b"\x1b(J")


@lru_cache(maxsize=512)
def codec_name(charset: str) -> str | None:
    """The Python codec for the charset name of a mail, None when it is unknown or not for text.

    Only names of a closed list reach Python's codec registry: it remembers every name it was ever asked for.
    """
    name = _NOT_NAME.sub("_", charset[:60].lower()).strip("_")
    name = _MEANT.get(name) or aliases.get(name, name)
    name = _MEANT.get(name, name)
    if name.startswith("cp_"):
        name = "cp" + name[3:]
    return name if name in _KNOWN else None


def is_byte_wise(charset: str) -> bool:
    """Whether CR, LF and NUL in this charset are the bytes 13, 10 and 0 and nothing else is: not in UTF-7, 16, 32."""
    return codec_name(charset) not in _NOT_BYTE_WISE


def decode_bytes(data: bytes, charset: str = "") -> str:
    """`data` as text: as `charset` says, else UTF-8, else Windows-1252. What fits nothing becomes U+FFFD."""
    if charset.lower() in _UTF8_NAMES:
        return _decode_undeclared(data)
    codec = codec_name(charset)
    if codec is None or codec in ("utf_8", "ascii"):
        return _decode_undeclared(data)
    try:
        text = data.decode("ascii" if codec.startswith(_HOLDS_ASCII) and data.isascii() else codec)
    except UnicodeDecodeError:
        if codec == "cp1252":
            return data.decode("latin-1")  # WHATWG: the five holes of Windows-1252 are C1 controls
        text = _decode_broken(data, codec)
    if codec in _MAY_GIVE_SURROGATES:
        text = _SURROGATE.sub("\ufffd", text)
    return text


def _decode_broken(data: bytes, codec: str) -> str:
    """Text whose declared charset does not fit: UTF-8 if it is exactly that, since 8-bit text is so seldom by
    chance."""
    if codec != "utf_7" and not data.isascii():
        try:
            return data.decode("utf-8")
        except UnicodeDecodeError:
            pass
    if codec.startswith("iso2022_jp"):
        codec = "iso2022_jp_ext"
    return data.decode(codec, "replace")


def _decode_undeclared(data: bytes) -> str:
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError:
        return _decode_8_bit(data)
    if b"\x1b" in data and any(escape in data for escape in _ISO_2022_JP_ESCAPES):
        return data.decode("iso2022_jp_ext", "replace")
    return text


def _decode_8_bit(data: bytes) -> str:
    """Not UTF-8 as a whole: UTF-8 with damage (cut in a character) or an 8-bit charset, whichever explains more
    bytes."""
    as_utf8 = data.decode("utf-8", "replace")
    damaged = as_utf8.count("\ufffd")
    sound = sum(1 for character in as_utf8[:200_000] if character > "\x7f") - damaged
    if sound > damaged:
        return as_utf8
    try:
        return data.decode("cp1252")
    except UnicodeDecodeError:
        return data.decode("latin-1")
