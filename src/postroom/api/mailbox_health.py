"""/mailboxes/{id}/health: each direction's state with who has to act, and the last 90 days."""

from __future__ import annotations

from datetime import date, datetime
from typing import Any, Literal, cast
from uuid import UUID

from django.conf import settings
from ninja import Router, Schema

from postroom.api.auth import ApiRequest
from postroom.api.find import one
from postroom.mailboxes.access import visible_mailboxes
from postroom.mailboxes.models import HealthDay, Mailbox
from postroom.mailboxes.troubles import Direction, Meaning, Trouble, meaning, troubles_of
from postroom.outbox.health_days import history, looked_until

router = Router(tags=["mailboxes"])


class DirectionTrouble(Schema):
    """Why a direction does not work. `meaning` says in one word who has to act: reconnect (its owner),
    administrator (of the mail service), operator (of Postroom), slow and limit (nobody)."""

    code: str
    meaning: Meaning
    title: str
    what: str
    fix: str
    who: str
    docs: str
    since: datetime | None
    server_words: str | None


class DirectionHealth(Schema):
    name: Direction
    state: Literal["unknown", "ok", "failing", "off"]
    trouble: DirectionTrouble | None


class HealthDayOut(Schema):
    """One day (UTC). `state` is the worst that lasted ten minutes; `received` counts what was kept.

    `looked_until` is null for a day that was looked at to its end: after that moment nobody knows how the mailbox was.
    """

    day: date
    state: Literal["ok", "slow", "failing"]
    failing_seconds: int
    slow_seconds: int
    received: int
    sent: int
    failed: int
    codes: list[str]
    looked_until: datetime | None = None


class MailboxHealth(Schema):
    """`meaning` is that of the worst trouble; null while everything works. Days that nobody looked at are left out."""

    meaning: Meaning | None
    directions: list[DirectionHealth]
    days: list[HealthDayOut]


@router.get("/{uuid:mailbox_id}/health", response=MailboxHealth)
def read_mailbox_health(request: ApiRequest, mailbox_id: UUID) -> MailboxHealth:
    """How a mailbox is and was: sign-in, receiving and sending each by itself, and its last 90 days, oldest first."""
    mailbox = one(visible_mailboxes(request.auth), mailbox_id)
    return MailboxHealth(
        meaning=meaning(mailbox),
        directions=show_directions(mailbox),
        days=[show_day(row) for row in history([mailbox])[mailbox.pk]],
    )


def show_directions(mailbox: Mailbox) -> list[DirectionHealth]:
    troubles = {trouble.direction: trouble for trouble in troubles_of(mailbox)}
    states: dict[Direction, str] = {
        "sign-in": mailbox.sign_in_state,
        "receiving": mailbox.receiving_state,
        "sending": mailbox.sending_state,
    }
    return [
        DirectionHealth(name=name, state=cast(Any, state), trouble=_show_trouble(troubles.get(name)))
        for name, state in states.items()
    ]


def _show_trouble(trouble: Trouble | None) -> DirectionTrouble | None:
    if trouble is None:
        return None
    entry = trouble.entry
    return DirectionTrouble(
        code=entry.code,
        meaning=trouble.meaning,
        title=entry.title,
        what=entry.what,
        fix=" ".join(entry.fix),
        who=entry.who,
        docs=f"{settings.BASE_URL}/{entry.docs}",
        since=trouble.since,
        server_words=trouble.server_words or None,
    )


def show_day(row: HealthDay) -> HealthDayOut:
    return HealthDayOut(
        day=row.day,
        state=cast(Any, row.state),
        failing_seconds=row.failing_seconds,
        slow_seconds=row.slow_seconds,
        received=row.received,
        sent=row.sent,
        failed=row.failed,
        codes=row.codes,
        looked_until=looked_until(row),
    )
