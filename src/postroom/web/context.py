"""What the frame around every page needs: the workspace, mailboxes in trouble, alarms for administrators."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest
from django.utils.functional import SimpleLazyObject

from postroom.mailboxes.access import visible_mailboxes
from postroom.mailboxes.models import Mailbox
from postroom.mailboxes.questions import asking
from postroom.mailboxes.troubles import troubles_of
from postroom.web.app_page import alarms
from postroom.workspaces.members import Member


def shell(request: HttpRequest) -> dict[str, Any]:
    """Context processor. Lazy: a partial that shows no frame costs no query."""
    member: Member | None = getattr(request, "member", None)
    if member is None:
        return {"member": None}
    return {
        "member": member,
        "mailboxes_in_trouble": SimpleLazyObject(lambda: _mailboxes_in_trouble(member)),
        "app_alarms": SimpleLazyObject(lambda: alarms(member.workspace)) if member.can_administer else (),
    }


def _mailboxes_in_trouble(member: Member) -> list[Mailbox]:
    """Mailboxes with an error, and those that ask what this member may answer."""
    asked = set(asking(member).values_list("mailbox_id", flat=True))
    visible = visible_mailboxes(member)
    return [mailbox for mailbox in visible if troubles_of(mailbox) or mailbox.pk in asked]
