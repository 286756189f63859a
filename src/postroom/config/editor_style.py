"""The hash of the one <style> that the editor injects, read from the installed package (prototypes.md 6).

Copied by hand it would be wrong after the next update, and the editor would lose its styling without an error.
"""

from __future__ import annotations

import base64
import hashlib
import re
from functools import cache
from importlib.util import find_spec
from pathlib import Path

_STYLE = re.compile(r"`(\.ProseMirror \{.*?)`", re.S)


@cache
def hashes() -> tuple[str, ...]:
    """CSP source expressions for style-src, in the form 'sha256-…'."""
    spec = find_spec("django_prose_editor")
    if spec is None or spec.origin is None:
        return ()
    script = (Path(spec.origin).parent / "static" / "django_prose_editor" / "editor.js").read_text(encoding="utf-8")
    found = (match.group(1).encode().decode("unicode_escape") for match in _STYLE.finditer(script))
    return tuple(
        "'sha256-" + base64.b64encode(hashlib.sha256(style.encode()).digest()).decode() + "'" for style in found
    )
