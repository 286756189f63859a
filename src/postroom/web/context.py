"""What the frame around every page needs: the workspace, mailboxes in trouble, alarms for administrators."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from django.http import HttpRequest
from django.utils.functional import SimpleLazyObject

from postroom.mailboxes.access import manageable_mailboxes, visible_mailboxes
from postroom.mailboxes.models import Mailbox
from postroom.mailboxes.questions import asking
from postroom.mailboxes.troubles import Trouble, troubles_of
from postroom.web.app_page import alarms
from postroom.workspaces.members import Member

NEEDS_YOU: Final = "needs you"


@dataclass(frozen=True, slots=True)
class Uneasy:
    """A mailbox at the foot of the sidebar: `words` say whom it needs, `is_bad` that nothing goes on without him."""

    mailbox: Mailbox
    words: str
    is_bad: bool


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


def _mailboxes_in_trouble(member: Member) -> list[Uneasy]:
    """Mailboxes with an error, and those that ask what this member may answer; whom he can help first."""
    asked = set(asking(member).values_list("mailbox_id", flat=True))
    troubled = [
        (mailbox, troubles)
        for mailbox in visible_mailboxes(member)
        if (troubles := troubles_of(mailbox)) or mailbox.pk in asked
    ]
    if not troubled:
        return []
    manageable = set(manageable_mailboxes(member).values_list("pk", flat=True))
    found = [
        _uneasy(mailbox, troubles, is_asked=mailbox.pk in asked, may_change=mailbox.pk in manageable)
        for mailbox, troubles in troubled
    ]
    return sorted(found, key=lambda one: one.words != NEEDS_YOU)


def _uneasy(mailbox: Mailbox, troubles: Sequence[Trouble], *, is_asked: bool, may_change: bool) -> Uneasy:
    needs_a_person = any(trouble.needs_a_person for trouble in troubles)
    if is_asked or (needs_a_person and may_change):
        words = NEEDS_YOU
    else:
        words = "needs its owner" if needs_a_person else "is interrupted"
    return Uneasy(mailbox, words, is_bad=mailbox.needs_reconnect)
