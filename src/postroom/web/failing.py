"""What every page tells those concerned about a mailbox: that it needs them, or that its permission ends soon.

The owner, and for shared mailboxes the administrators, see at once what a person has to mend, and after a day what
might have passed by itself. outbox/owner_notice.py and app_notice.py write to them.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from django.http import HttpRequest
from django.utils import timezone
from django.utils.functional import SimpleLazyObject

from postroom.mailboxes.access import manageable_mailboxes
from postroom.mailboxes.models import Grant, Mailbox
from postroom.mailboxes.oauth_apps import is_of_registration
from postroom.mailboxes.troubles import Trouble, in_trouble, troubles_of
from postroom.web.permission import SHOWN_COUNTDOWN, ends_soon
from postroom.workspaces.members import Member

LONG: Final = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Banner:
    """One line on top of every page: a mailbox with its trouble, or one whose permission ends at `ends_at`."""

    mailbox: Mailbox
    trouble: Trouble | None = None
    ends_at: datetime | None = None


def shell(request: HttpRequest) -> dict[str, Any]:
    """Context processor. Lazy: a partial that shows no frame costs no query."""
    member: Member | None = getattr(request, "member", None)
    return {"mailbox_banners": SimpleLazyObject(lambda: _elsewhere(request, banners(member))) if member else []}


def banners(member: Member) -> list[Banner]:
    """What concerns this member, the worst first."""
    mailboxes = manageable_mailboxes(member).filter(paused_at=None)
    found = [
        Banner(mailbox, trouble)
        for mailbox in in_trouble(mailboxes)
        for trouble in troubles_of(mailbox)
        if _is_told(trouble)
    ]
    found.sort(key=lambda banner: banner.trouble is not None and not banner.trouble.needs_a_person)
    return found + _ending(mailboxes)


def _elsewhere(request: HttpRequest, found: list[Banner]) -> list[Banner]:
    """Without those of the mailbox whose own page this is: it says so itself."""
    return [banner for banner in found if str(banner.mailbox.pk) not in request.path]


def _is_told(trouble: Trouble) -> bool:
    if is_of_registration(trouble.entry.code):
        return False  # one alarm for all its mailboxes (app_page.alarms)
    return trouble.needs_a_person or (trouble.since is not None and trouble.since < timezone.now() - LONG)


def _ending(mailboxes: Any) -> list[Banner]:
    """Mailboxes that work, and whose permission ends within days."""
    moment = timezone.now()
    soon = Grant.objects.filter(
        mailbox__in=mailboxes.filter(error_code="", needs_reconnect=False),
        dies_at__range=(moment, moment + timedelta(days=SHOWN_COUNTDOWN[0] + 1)),
    )
    return [
        Banner(grant.mailbox, ends_at=grant.dies_at)
        for grant in soon.select_related("mailbox").order_by("dies_at")
        if ends_soon(grant, moment)
    ]
