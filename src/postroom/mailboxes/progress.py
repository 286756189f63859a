"""How long an import still takes. Pure: numbers in, seconds and words out.

A message costs its octets and a fixed part besides (its rows, its filing, its share of a round trip), so that the pace
of many small messages and the pace of few large ones are one number. The estimate takes the mean pace since the
import began: a slow page or a quick one does not make it jump, and it is right at the end whatever came before.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Final

from postroom.mailboxes.models import Mailbox

# What a message costs besides its octets, in octets. It need not be exact: half or twice as much shifts an estimate by
# as much as the sizes of what is done and of what is left differ, which at the end of an import is nothing.
MESSAGE_COST: Final = 50_000
FEWEST_MESSAGES: Final = 20  # before so many are done the pace is chance,
FEWEST_SECONDS: Final = 4.0  # and before that connecting and listing are most of the time
LEAST_DONE: Final = 0.005  # of the work
LONG_ENOUGH_SECONDS: Final = 30.0  # after which a pace may be told however little is done


@dataclass(frozen=True, slots=True)
class Work:
    """Messages and their octets."""

    messages: int
    octets: int

    @property
    def cost(self) -> float:
        return self.octets + MESSAGE_COST * self.messages

    def __sub__(self, other: Work) -> Work:
        return Work(self.messages - other.messages, self.octets - other.octets)


def seconds_left(done: Work, listed: Work, elapsed_seconds: float) -> float | None:
    """How long the rest takes at the mean pace so far; None while that would be a guess, and when nothing is left.

    `done` and `listed` are of the import under way alone, `elapsed_seconds` its time without pauses.
    """
    left = listed.cost - done.cost
    if left <= 0 or done.messages < FEWEST_MESSAGES or elapsed_seconds < FEWEST_SECONDS:
        return None
    if done.cost < LEAST_DONE * listed.cost and elapsed_seconds < LONG_ENOUGH_SECONDS:
        return None
    return elapsed_seconds / done.cost * left


def estimate(mailbox: Mailbox, now: datetime) -> float | None:
    """Seconds that the mailbox's import still takes; None when nobody can say or none is under way."""
    if mailbox.import_started_at is None or not mailbox.import_planned_at or mailbox.import_finished_at:
        return None
    before = Work(mailbox.done_before, mailbox.octets_before)
    elapsed = ((mailbox.paused_at or now) - mailbox.import_started_at).total_seconds()
    done, listed = Work(mailbox.done_count, mailbox.done_octets), Work(mailbox.listed_count, mailbox.listed_octets)
    return seconds_left(done - before, listed - before, elapsed)


def left_in_words(seconds: float | None) -> str:
    """For example "about 4 minutes left"; coarser the longer it takes, "" for None."""
    if seconds is None:
        return ""
    if seconds < 55:
        return "less than a minute left"
    minutes = round(seconds / 60)
    if minutes < 10:
        return f"about {minutes} minute{'' if minutes == 1 else 's'} left"
    if minutes < 55:
        return f"about {5 * round(minutes / 5)} minutes left"
    if minutes < 90:
        return "about an hour left"
    if minutes < 36 * 60:
        return f"about {round(minutes / 60)} hours left"
    return f"about {round(minutes / 1440)} days left"
