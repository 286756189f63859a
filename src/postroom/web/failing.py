"""What every page tells the owner of a mailbox that has failed for a day; outbox/owner_notice.py writes to him."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from django.http import HttpRequest
from django.utils import timezone
from django.utils.functional import SimpleLazyObject

from postroom.mailboxes.models import Mailbox
from postroom.workspaces.members import Member

LONG = timedelta(days=1)


def shell(request: HttpRequest) -> dict[str, Any]:
    """Context processor. Lazy: a partial that shows no frame costs no query."""
    member: Member | None = getattr(request, "member", None)
    return {"long_failing": SimpleLazyObject(lambda: long_failing(member)) if member else []}


def long_failing(member: Member) -> list[Mailbox]:
    """The member's own mailboxes, and the shared ones he owns, that have failed for more than a day."""
    own = Mailbox.objects.filter(workspace=member.workspace, owner=member.user, disconnected_at=None, paused_at=None)
    return list(own.filter(failing_since__lt=timezone.now() - LONG).order_by("failing_since"))
