"""What a page listens to, signed into the address of its stream.

The stream is answered before Django's middleware (stream.py), where there is no session: the signed token is the
permission. It names topics only, and an event carries nothing but its topic, so an old token leaks no content.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final
from urllib.parse import urlencode

from django.core import signing

from postroom.workspaces.members import Member

PATH: Final = "/events"
MAX_AGE_SECONDS: Final = 24 * 60 * 60
_SALT: Final = "events"


def stream_url(member: Member, topics: Sequence[str]) -> str:
    """The address of a stream that says when one of `topics` ("record:<uuid>" …) changes."""
    token = signing.dumps({"topics": list(topics), "user": str(member.user.pk)}, salt=_SALT)
    return f"{PATH}?{urlencode({'token': token})}"


def read_token(token: str) -> tuple[str, ...] | None:
    """The topics of a token; None when it is forged or older than a day."""
    try:
        said = signing.loads(token, salt=_SALT, max_age=MAX_AGE_SECONDS)
    except signing.BadSignature:
        return None
    return tuple(said["topics"])
