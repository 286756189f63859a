"""Where a folder goes on: a place in the mailbox's history, and the day it was taken."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import date, timedelta

from postroom.providers.errors import ListingExpired

MOST_DIGITS = 40  # twice what a uint64 has
# Google keeps history "at least a week", rarely only hours: a cursor is renewed long before that.
RENEWED_AFTER = timedelta(days=2)


@dataclass(frozen=True, slots=True)
class Cursor:
    """JSON {"history": "123", "day": "2026-11-23"}."""

    history: int
    day: date

    @classmethod
    def parse(cls, text: str) -> Cursor:
        """The cursor in a text of ours; raise ListingExpired for any other."""
        try:
            told = json.loads(text)
            history, day = told["history"], date.fromisoformat(told["day"])
        except (ValueError, TypeError, KeyError, RecursionError) as error:
            raise ListingExpired from error
        if not isinstance(history, str) or not (history.isascii() and history.isdigit()) or len(history) > MOST_DIGITS:
            raise ListingExpired
        return cls(int(history), day)

    def __str__(self) -> str:
        return json.dumps({"history": str(self.history), "day": self.day.isoformat()})

    def is_old(self, today: date) -> bool:
        """Whether it should be renewed, though nothing happened."""
        return today - self.day >= RENEWED_AFTER
