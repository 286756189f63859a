"""What Graph shows of a message's state, as flags (RFC 9051 section 2.3.2): isRead, flag, isDraft, categories."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

# Without one of them a message's flags are not known: an update may hold nothing but what changed.
NEEDED = ("isRead", "isDraft", "flag", "categories")

_NOT_A_WORD = re.compile(r"\W+")


def flags_of(message: Mapping[str, Any]) -> tuple[str, ...] | None:
    """The flags, None where the message is shown without a part of them. A category "Red, big" is "$Redbig"."""
    if any(name not in message for name in NEEDED):
        return None
    flag, categories = message["flag"], message["categories"]
    is_flagged = isinstance(flag, dict) and flag.get("flagStatus") == "flagged"
    words = {_NOT_A_WORD.sub("", str(one)) for one in categories} if isinstance(categories, list) else set()
    return (
        *(("\\Seen",) if message["isRead"] is True else ()),
        *(("\\Flagged",) if is_flagged else ()),
        *(("\\Draft",) if message["isDraft"] is True else ()),
        *sorted(f"${word}" for word in words if word),
    )
