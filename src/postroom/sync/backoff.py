"""How long to wait after an error: doubling with jitter, so that a thousand mailboxes do not come back at once."""

from __future__ import annotations

FIRST_SECONDS = 2.0
LONGEST_SECONDS = 15 * 60.0


def delay_seconds(failures: int, chance: float) -> float:
    """The wait after the n-th failure in a row (1, 2 …). `chance` is a random number in [0, 1)."""
    longest = min(LONGEST_SECONDS, FIRST_SECONDS * 2 ** min(failures - 1, 20))
    return float(longest / 2 + longest / 2 * chance)
