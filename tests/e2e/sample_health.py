"""The last 90 days of the sample's mailboxes, good and bad."""

from __future__ import annotations

from datetime import timedelta

from django.utils import timezone

from postroom.mailboxes.models import HealthDay, Mailbox

WEEK = (142, 118, 131, 97, 88, 12, 4)  # messages a day, from Monday


def make_days(sales: Mailbox, support: Mailbox, billing: Mailbox) -> None:
    """Sales has worked for long, support for a month, billing is refused since today."""
    _add(sales, 90, slow={31: ["throttled"], 30: ["throttled"]}, failing={12: ["sign_in_refused"]})
    _add(support, 33, slow={2: ["unreachable"]})
    _add(billing, 90, failing={0: ["grant_revoked"]})


def _add(
    mailbox: Mailbox,
    days: int,
    *,
    slow: dict[int, list[str]] | None = None,
    failing: dict[int, list[str]] | None = None,
) -> None:
    today = timezone.now().date()
    slow, failing = slow or {}, failing or {}
    for ago in range(days):
        day = today - timedelta(days=ago)
        received = WEEK[day.weekday()] + ago % 17
        HealthDay.objects.create(
            workspace=mailbox.workspace,
            mailbox=mailbox,
            day=day,
            state="failing" if ago in failing else "slow" if ago in slow else "ok",
            failing_seconds=5 * 3600 if ago in failing else 0,
            slow_seconds=2400 if ago in slow else 0,
            codes=failing.get(ago, slow.get(ago, [])),
            received=0 if ago in failing else received,
            sent=received // 4,
            failed=2 if ago in failing else 0,
        )
