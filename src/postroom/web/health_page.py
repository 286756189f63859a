"""A mailbox's last 90 days as pages show them: a row of bars, a chart of the mail per day, and a table of the same."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, date, timedelta
from typing import Final
from uuid import UUID

from django.utils import timezone

from postroom.mailboxes.journal import counted, in_words
from postroom.mailboxes.models import HealthDay, Mailbox
from postroom.outbox.health_days import SHOWN_DAYS, history, looked_until
from postroom.providers import catalogue

# The chart in its own units: received above the line, sent below it.
DAY_WIDTH: Final = 8
BAR_WIDTH: Final = 6
HALF_HEIGHT: Final = 48
_MARKS: Final = {HealthDay.State.OK: "", HealthDay.State.SLOW: "warn", HealthDay.State.FAILING: "bad"}


@dataclass(frozen=True, slots=True)
class Day:
    """One bar: `mark` is its class, "none" for a day that nobody looked at to its end. A day that was well all along
    has no `words`."""

    day: date
    mark: str
    words: str


@dataclass(frozen=True, slots=True)
class History:
    """The small picture. `words` say the same to whoever does not see it."""

    days: tuple[Day, ...]
    words: str


@dataclass(frozen=True, slots=True)
class Bar:
    """One day in the chart: `received` and `sent` are heights, `y` is where the upper bar begins."""

    x: int
    y: int
    received: int
    sent: int
    has_failed: bool
    title: str


@dataclass(frozen=True, slots=True)
class Chart:
    """Messages per day. `rows` are the same numbers, newest first, for the table beside it."""

    bars: tuple[Bar, ...]
    rows: tuple[HealthDay, ...]
    most: int
    received: int
    sent: int
    failed: int

    width: int = SHOWN_DAYS * DAY_WIDTH
    height: int = 2 * HALF_HEIGHT + 1
    middle: int = HALF_HEIGHT
    bar_width: int = BAR_WIDTH


def histories(mailboxes: Sequence[Mailbox]) -> dict[UUID, History]:
    """The small pictures of several mailboxes, by one query."""
    return {mailbox_id: _picture(rows) for mailbox_id, rows in history(mailboxes).items()}


def chart(mailbox: Mailbox) -> Chart:
    """The numbers of one mailbox."""
    rows = history([mailbox])[mailbox.pk]
    by_day = {row.day: row for row in rows}
    most = max((max(row.received, row.sent) for row in rows), default=0)
    bars = tuple(_bar(place, by_day[day], most) for place, day in enumerate(_days()) if day in by_day)
    return Chart(
        bars=bars,
        rows=tuple(reversed(rows)),
        most=most,
        received=sum(row.received for row in rows),
        sent=sum(row.sent for row in rows),
        failed=sum(row.failed for row in rows),
    )


def _days() -> Iterable[date]:
    today = timezone.now().astimezone(UTC).date()
    return [today - timedelta(days=ago) for ago in reversed(range(SHOWN_DAYS))]


def _picture(rows: Sequence[HealthDay]) -> History:
    by_day = {row.day: row for row in rows}
    days = tuple(_day(day, by_day.get(day)) for day in _days())
    return History(days, _in_short(rows))


def _day(day: date, row: HealthDay | None) -> Day:
    if row is None:
        return Day(day, "none", "")
    mark = _MARKS[HealthDay.State(row.state)] or ("none" if looked_until(row) else "")
    return Day(day, mark, f"{day:%-d %b}: {state_words(row)}" if mark else "")


def state_words(row: HealthDay) -> str:
    """How a day was: "well", or how long it was not, and why; and from when on nobody looked."""
    until = looked_until(row)
    not_looked = f"not looked at after {until:%H:%M} UTC" if until else ""
    if row.state == HealthDay.State.OK:
        return not_looked or "well"
    reasons = ", ".join(catalogue.explain(code).title.lower() for code in row.codes)
    parts = []
    if row.failing_seconds:
        parts.append(f"{in_words(row.failing_seconds)} not working")
    if row.slow_seconds:
        parts.append(f"{in_words(row.slow_seconds)} slow")
    words = " and ".join(parts) + (f": {reasons}" if reasons else "")
    return f"{words}; {not_looked}" if not_looked else words


def _in_short(rows: Sequence[HealthDay]) -> str:
    if not rows:
        return "Last 90 days: nothing is known yet"
    seen = [row for row in rows if row.state != HealthDay.State.OK or looked_until(row) is None]
    counts = {state: sum(row.state == state for row in seen) for state in HealthDay.State}
    parts = [f"well on {counted(counts[HealthDay.State.OK], 'day')}"]
    if counts[HealthDay.State.SLOW]:
        parts.append(f"slow on {counts[HealthDay.State.SLOW]}")
    if counts[HealthDay.State.FAILING]:
        parts.append(f"not working on {counts[HealthDay.State.FAILING]}")
    unknown = SHOWN_DAYS - len(seen)
    return f"Last 90 days: {', '.join(parts)}" + (f", not looked at on {unknown}" if unknown else "")


def _bar(place: int, row: HealthDay, most: int) -> Bar:
    received, sent = _height(row.received, most), _height(row.sent, most)
    words = f"{row.day:%-d %b}: {row.received:,} received and kept, {row.sent:,} sent"
    return Bar(
        x=place * DAY_WIDTH,
        y=HALF_HEIGHT - received,
        received=received,
        sent=sent,
        has_failed=row.failed > 0,
        title=words + (f", {row.failed:,} failed" if row.failed else ""),
    )


def _height(number: int, most: int) -> int:
    """Of a bar. One message among thousands is seen too."""
    return max(round(number / most * HALF_HEIGHT), 2) if number else 0
