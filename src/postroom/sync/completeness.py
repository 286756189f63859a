"""Proof of completeness: what the server lists of one month of a folder, and what of it is known here.

A count that fits proves more than a cursor does: deltas are promises of the server, and rows may be lost on our side
too. What turns out to be missing is fetched, so a gap shows and closes itself. Months are the server's: a message
belongs to the day on which the server received it (INTERNALDATE, RFC 3501 section 2.3.3), as its own search has it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime, timedelta
from uuid import UUID

from postroom.sync.asks import KnownMessages, ListWindow, LoadAddresses, Steps
from postroom.sync.manner import WHOLE, Manner
from postroom.sync.remote import RemoteMessage, Window
from postroom.sync.state import Addresses, FolderState, Known, Page
from postroom.sync.taking_in import take_in

MOST_FILLED = 500  # messages of a gap that are fetched in one turn, the newest first; new mail goes between
AGAIN_SOON = timedelta(minutes=10)  # a month of which something is missing
MOST_DOUBLINGS = 7  # of that time, where the server gives nothing of what it lists: 21 hours
AGAIN_DAILY, DAILY_MONTHS = timedelta(hours=20), 2  # this month and the last one
AGAIN_WEEKLY, WEEKLY_MONTHS = timedelta(days=7), 6
AGAIN_SELDOM = timedelta(days=30)


@dataclass(frozen=True, slots=True)
class Tally:
    """One month of one folder, counted: every listed message is `here`, `left_out` (seen, and kept out by a rule),
    `planned` (an open import will fetch it) or `absent`, newest first."""

    month: date
    at_server: int
    here: int
    left_out: int
    planned: int = 0
    absent: tuple[RemoteMessage, ...] = field(default=(), repr=False)

    @property
    def missing(self) -> int:
        """How many are neither here nor left out."""
        return self.planned + len(self.absent)


def months_of(since: date, today: date) -> tuple[date, ...]:
    """The first days of the months from `since` to `today`, newest first."""
    months = []
    month = today.replace(day=1)
    while month >= since.replace(day=1):
        months.append(month)
        month = (month - timedelta(days=1)).replace(day=1)
    return tuple(months)


def next_month(month: date) -> date:
    return (month + timedelta(days=31)).replace(day=1)


def is_due(month: date, checked_at: datetime | None, missing: int, now: datetime, fruitless: int = 0) -> bool:
    """Whether a month is to be counted again: the older it is, the seldomer; soon where something is missing.

    `fruitless` turns in a row brought nothing of it: a server with a broken index lists what it never gives.
    """
    if checked_at is None:
        return True
    if missing:
        return now - checked_at >= AGAIN_SOON * (1 << min(fruitless, MOST_DOUBLINGS))
    age = (now.year - month.year) * 12 + now.month - month.month
    again = AGAIN_DAILY if age < DAILY_MONTHS else AGAIN_WEEKLY if age < WEEKLY_MONTHS else AGAIN_SELDOM
    return now - checked_at >= again


def tally(month: date, listed: Sequence[RemoteMessage], known: Known, read: frozenset[str] | None = None) -> Tally:
    """Compare a listing with what is known of it. `read`: the remote ids that are read at all (None: every one)."""
    stored = {message.remote_id for message in known.messages}
    here = left_out = planned = 0
    absent = []
    for message in {message.remote_id: message for message in listed}.values():
        if message.remote_id in stored:
            here += 1
        elif message.remote_id in known.planned:
            planned += 1
        elif message.remote_id in known.sighted or (read is not None and message.remote_id not in read):
            left_out += 1
        else:
            absent.append(message)
    return Tally(month, here + left_out + planned + len(absent), here, left_out, planned, tuple(absent))


def count_month(folder: FolderState, month: date, manner: Manner = WHOLE) -> Steps[Tally]:
    """List a month of a folder and compare. Only the days from which on the folder is read count.

    Where the provider is asked by address, what no record's address finds is left out.
    """
    since, before = max(month, folder.listed_since or month), next_month(month)
    window: Window = yield ListWindow(folder.remote_name, since, before)
    if not window.messages:
        return Tally(month, 0, 0, 0)
    known: Known = yield KnownMessages(folder.id, remote_ids=tuple(message.remote_id for message in window.messages))
    counted = tally(month, window.messages, known)
    if not (manner.by_address and counted.absent):
        return counted
    addresses: Addresses = yield LoadAddresses()
    found: Window = yield ListWindow(folder.remote_name, since, before, addresses.keys)
    return tally(month, window.messages, known, frozenset(message.remote_id for message in found.messages))


def settle(folder: FolderState, counted: Tally) -> Steps[Tally]:
    """The same count by what is stored now: mail that came while it was counted is no gap."""
    known: Known = yield KnownMessages(folder.id, remote_ids=tuple(message.remote_id for message in counted.absent))
    now = tally(counted.month, counted.absent, known)
    return replace(
        counted,
        here=counted.here + now.here,
        left_out=counted.left_out + now.left_out,
        planned=counted.planned + now.planned,
        absent=now.absent,
    )


def fill_gap(folder: FolderState, mailbox_id: UUID, epoch: int, counted: Tally, manner: Manner = WHOLE) -> Steps[Tally]:
    """Fetch what is absent, MOST_FILLED at most, and count again by what is stored then.

    No cursor moves: what is saved here is what some earlier save lost, and it is no new mail.
    """
    page = Page(mailbox_id, epoch, folder.id, ())
    gap = counted.absent[:MOST_FILLED]
    yield from take_in(folder.remote_name, gap, page, manner.whole if manner.by_address else manner)
    return (yield from settle(folder, counted))
