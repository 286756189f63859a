"""What a mailbox has no use for at its stage, refused on a page in the words that say what comes first."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from django.contrib import messages

from postroom.mailboxes.actions import NotNow
from postroom.web.rights import MemberRequest


@contextmanager
def refusal_told(request: MemberRequest) -> Iterator[None]:
    """End what is within at a NotNow, and say on the next page why."""
    try:
        yield
    except NotNow as refused:
        messages.error(request, str(refused))
