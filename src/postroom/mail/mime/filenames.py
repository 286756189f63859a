"""File names from strangers, made safe to show and to offer for download."""

from __future__ import annotations

import re
import unicodedata

LONGEST_NAME = 200
_LONGEST_READ = 10_000
# Everything Unicode calls control, format (zero-width, bidi), surrogate, private, or line and paragraph separator.
_INVISIBLE = frozenset(("Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"))
_NOT_IN_NAMES = re.compile(r'[/\\:*?"<>|]+')
_SPACES = re.compile(r"\s+")
_USUAL_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_ \-]{0,80}\.[A-Za-z0-9]{1,8}\Z")


def clean_filename(name: str) -> str:
    """`name` as a plain file name, "" when nothing is left.

    Cleaned first, then checked, in this order on purpose: a zero-width character before ".htaccess" once hid the dot
    from the check (CVE-2026-28289). No path, no control, no leading dot, no trailing dot or space; at most 200
    characters with the extension kept.
    """
    if _USUAL_NAME.match(name):
        return name
    name = unicodedata.normalize("NFC", name[:_LONGEST_READ])
    name = "".join(
        [" " if c in "\t\r\n" else c for c in name if c in "\t\r\n" or unicodedata.category(c) not in _INVISIBLE]
    )
    name = _SPACES.sub(" ", _NOT_IN_NAMES.sub("_", name)).strip(" .")
    if len(name) > LONGEST_NAME:
        stem, dot, extension = name.rpartition(".")
        name = stem[: LONGEST_NAME - len(extension) - 1] + dot + extension if stem and len(extension) <= 16 else name
        name = name[:LONGEST_NAME].strip(" .")
    return name if name.strip("_ ") else ""
