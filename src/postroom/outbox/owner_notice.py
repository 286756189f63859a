"""Tells those concerned about a mailbox that fails, by mail from another mailbox of the workspace; once.

What a person has to mend is told after an hour, what may pass by itself after a day. The owner is always told;
administrators too where he cannot mend it alone, or is gone. Receiving and sending are told apart, since either may
fail alone, but not twice: what stops both is told with receiving.

Who is told is claimed in the transaction that queues the letters, so two workers tell nobody twice, and one that dies
in between has told nobody. A mailbox that works again forgets that its owner was told (mailboxes/health.py). While the
workspace has no other mailbox that works nothing is claimed, and the notice on every page is all there is
(web/failing.py).
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Final, Literal
from uuid import UUID

from django.conf import settings
from django.db.models import Exists, F, OuterRef, Q, QuerySet
from django.utils import timezone

from postroom.mailboxes.models import DirectionState, Mailbox, OAuthApp
from postroom.mailboxes.troubles import Trouble, passing_codes, troubles_of
from postroom.outbox.notices import Letter, each_once, find_sender, has_sender, numbered, send_letter, tell_each
from postroom.workspaces.members import administrators
from postroom.workspaces.models import User

MOST_AT_ONCE = 50
PATIENCE: Final = timedelta(hours=1)  # with what a person has to mend
LONG_PATIENCE: Final = timedelta(days=1)  # with what may pass

Told = Literal["owner_told_at", "sending_told_at"]  # the columns that say who knows; which trouble they are about


def tell_owners() -> int:
    """Write to those who were not told yet; return to how many people."""
    waiting: list[tuple[UUID, Told]] = [
        (mailbox_id, column)
        for column in ("owner_told_at", "sending_told_at")
        for mailbox_id in _untold(column, timezone.now()).values_list("pk", flat=True)[:MOST_AT_ONCE]
    ]
    return tell_each(waiting, _tell)


def _tell(waiting: tuple[UUID, Told]) -> int:
    mailbox_id, column = waiting
    now = timezone.now()
    # Whoever comes second waits for our transaction and then finds it told.
    untold = _untold(column, now).select_for_update(of=("self",)).select_related("owner")
    failing = untold.filter(pk=mailbox_id).first()
    sender = find_sender(failing.workspace_id, besides=mailbox_id) if failing else None
    if failing is None or sender is None:
        return 0
    Mailbox.objects.filter(pk=mailbox_id).update(**{column: now})
    found = troubles_of(failing)
    trouble = next((one for one in found if (one.direction == "sending") == (column == "sending_told_at")), None)
    trouble = trouble or (found[0] if found else None)
    return send_letter(sender, concerned(failing, trouble), letter(failing, trouble))


def _untold(column: Told, now: datetime) -> QuerySet[Mailbox]:
    """Mailboxes that have failed for so long that somebody must know, and whose letter can be carried."""
    refused = OAuthApp.objects.filter(workspace_id=OuterRef("workspace_id"), provider=OuterRef("grant__app"))
    wanted = Mailbox.objects.filter(disconnected_at=None, paused_at=None).filter(
        ~Exists(refused.exclude(error_code="")),  # app_notice.py tells
        has_sender(besides="pk"),
    )
    if column == "owner_told_at":
        failing = wanted.filter(Q(reads=True) | Q(needs_reconnect=True))
        return failing.filter(_lasted("failing_since", "error_code", now), _not_told_since(column, "failing_since"))
    failing = wanted.filter(sends=True, sending_state=DirectionState.FAILING, failing_since=None)
    since = "sending_failing_since"
    return failing.filter(_lasted(since, "sending_code", now), _not_told_since(column, since))


def _lasted(since: str, code: str, now: datetime) -> Q:
    passes = Q(**{f"{code}__in": passing_codes()})
    patiently, at_once = (Q(**{f"{since}__lt": now - patience}) for patience in (LONG_PATIENCE, PATIENCE))
    return patiently | (~passes & at_once)


def _not_told_since(column: Told, since: str) -> Q:
    return Q(**{column: None}) | Q(**{f"{column}__lt": F(since)})


def concerned(failing: Mailbox, trouble: Trouble | None) -> list[User]:
    """Whom a trouble of a mailbox concerns: its owner; the administrators where he alone cannot mend it."""
    is_beyond_him = trouble is not None and trouble.meaning in ("administrator", "operator")
    is_without_owner = not failing.owner.is_active
    others = administrators(failing.workspace_id) if is_beyond_him or is_without_owner else []
    return each_once([failing.owner, *others])


def letter(failing: Mailbox, trouble: Trouble | None) -> Letter:
    """The letter, in the catalogue's words."""
    is_sending = trouble is not None and trouble.direction == "sending"
    since = failing.sending_failing_since if is_sending else failing.failing_since
    lines = [f"Postroom has not been able to {'send from' if is_sending else 'read'} the mailbox {failing.address}"]
    lines.append(f"since {since:%d %B %Y, %H:%M} UTC." if since else "for a while.")
    if trouble is not None:
        lines += ["", f"{trouble.words.title}. {trouble.words.who}", "", trouble.entry.what]
        lines += numbered(trouble.entry.fix)
    lines += ["", f"See the mailbox: {settings.BASE_URL}/settings/mailboxes/{failing.pk}/", ""]
    if is_sending:
        lines.append("Nothing is lost: what waits to be sent leaves as soon as it can. Receiving goes on meanwhile.")
    else:
        lines.append("Nothing is lost: mail stays in the mailbox and is fetched as soon as it can be read again.")
    lines.append("Postroom goes on trying, and writes to you about this once.")
    return Letter(f"Postroom cannot {'send from' if is_sending else 'read'} {failing.address}", tuple(lines))
