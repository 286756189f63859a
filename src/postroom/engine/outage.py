"""The database is away: it restarts, a network lies between, its disk is full, or a transaction has to be repeated."""

from __future__ import annotations

import psycopg

LONGEST_PAUSE_SECONDS = 5.0  # so that work goes on soon after the database is back
RETRY_AFTER_SECONDS = 5  # what web and API tell

# OperationalError has the lost connections, the refused ones, full disks, deadlocks and a pool that has none left.
_CAUSES = (psycopg.OperationalError, psycopg.InterfaceError)


def is_outage(error: BaseException) -> bool:
    """Whether trying again later is all that can be done. Django's own errors carry the driver's as their cause."""
    return isinstance(error, _CAUSES) or isinstance(error.__cause__, _CAUSES)


def pause_seconds(failures: int, chance: float) -> float:
    """The wait after the n-th failure in a row (1, 2 …). `chance` is a random number in [0, 1)."""
    longest = min(LONGEST_PAUSE_SECONDS, 0.5 * 2 ** min(failures, 10))
    return float(longest / 2 + longest / 2 * chance)
