"""What a session did, for people: the kinds of journal entries and the protocol that takes them.

mailboxes/journal.py stores them and has the sentence of each kind. A look that found nothing is no entry: a quiet
mailbox has a quiet journal.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import Protocol
from uuid import UUID

Facts = Mapping[str, str | int]


class Kind(StrEnum):
    """One entry each; behind it the facts that its sentence may use. `folder` is the folder's name for people."""

    CONNECTED = "connected"  # host
    PLANNED = "planned"  # messages: how many were listed to be imported
    IMPORTED = "imported"  # messages, kept: the import that was planned is through
    CAUGHT_UP = "caught_up"  # folder, new, filed, removed; only when one of the numbers is not 0
    WANTED_FETCHED = "wanted_fetched"  # count, filed: sighted earlier, fetched because a record wants them now
    RENUMBERED = "renumbered"  # folder, matched, fetched: the server numbered the folder anew (UIDVALIDITY)
    HELD = "held"  # folder, code (mass_deletion, renumbered_often), and the facts of the question
    RELEASED = "released"  # folder: the question is answered, or its cause is gone
    SWEPT = "swept"  # folder, repaired: compared with the server whole; only when something was repaired
    GAP_FILLED = "gap_filled"  # folder, month (2026-11), count: were missing when the month was counted, fetched
    FOLDER_RENAMED = "folder_renamed"  # folder, was
    FOLDER_GONE = "folder_gone"  # folder
    FAILED = "failed"  # code and the error's facts; once when a failure begins, not at every try
    WAITING = "waiting"  # seconds, code: left alone for so long; only from a minute on
    # What people did; `by` is the member's name.
    PAUSED = "paused"  # by
    RESUMED = "resumed"  # by
    EXTENDED = "extended"  # days, by: the import goes further back
    FOLDERS_CHOSEN = "folders_chosen"  # added, left_out: how many folders; by
    RECONNECTED = "reconnected"  # by: with new servers, a new password or a new permission
    HANDED_OVER = "handed_over"  # to: the new owner's name; by
    ANSWERED = "answered"  # folder, answer (mailboxes/questions.py), by


class Journal(Protocol):
    """Blocking; called from threads. An entry that cannot be written raises what the database raises."""

    def note(self, mailbox_id: UUID, kind: Kind, facts: Facts) -> None: ...


class SilentJournal:
    """Keeps nothing: for tests, and for whoever does not want one."""

    def note(self, mailbox_id: UUID, kind: Kind, facts: Facts) -> None: ...
