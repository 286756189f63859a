"""What a page listens to, signed into the address of its stream.

The stream is answered before Django's middleware (stream.py), where there is no session: the signed token is the
permission. It names topics only, and an event carries nothing but its topic, so an old token leaks no content.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final
from urllib.parse import urlencode

from django.core import signing

from postroom.workspaces.members import Member

PATH: Final = "/events"
MAX_AGE_SECONDS: Final = 24 * 60 * 60
_SALT: Final = "events"


@dataclass(frozen=True, slots=True)
class Ticket:
    """What a token says: the topics, and when (seconds since 1970) the page that listens to them was drawn."""

    topics: tuple[str, ...]
    drawn_at: float


def stream_url(member: Member, topics: Sequence[str]) -> str:
    """The address of a stream that says when one of `topics` ("record:<uuid>" …) changes."""
    said = {"topics": list(topics), "user": str(member.user.pk), "drawn_at": round(time.time(), 3)}
    return f"{PATH}?{urlencode({'token': signing.dumps(said, salt=_SALT)})}"


def read_token(token: str) -> Ticket | None:
    """None when the token is forged or older than a day."""
    try:
        said = signing.loads(token, salt=_SALT, max_age=MAX_AGE_SECONDS)
    except signing.BadSignature:
        return None
    return Ticket(tuple(said["topics"]), said.get("drawn_at", 0.0))
