"""When a session looks: how often at folders that nobody pushes, how often at the list of folders, when it sweeps.

Pure; moments are aware datetimes, lengths are seconds.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from uuid import UUID

FOLDERS_SECONDS = 15 * 60.0  # between two listings of the folders
FLAGS_SECONDS = 15 * 60.0  # between two comparisons of a folder whose server does not tell which flags changed
IDENTITIES_SECONDS = 24 * 3600.0  # between two looks at the addresses a mailbox may send as
PROOF_SECONDS = 60 * 60.0  # between two looks whether months of folders are to be counted (sync/completeness.py)
IMPORTING_SECONDS = 60.0  # the same while an import is under way, which is counted when it is through
SYNCED_SECONDS = 5 * 60.0  # a mailbox where nothing happens is noted as looked at so often

POLL_SECONDS = 60.0
LONGEST_POLL_SECONDS = 5 * 60.0  # the floor: no folder is left alone for longer
FEW_SESSIONS, MANY_SESSIONS = 300, 1_500

_DAY_SECONDS = 24 * 3600


def poll_seconds(sessions: int) -> float:
    """Between two polls of one mailbox, in a worker that has so many: the more, the seldomer."""
    crowd = (sessions - FEW_SESSIONS) / (MANY_SESSIONS - FEW_SESSIONS)
    return POLL_SECONDS + (LONGEST_POLL_SECONDS - POLL_SECONDS) * min(1.0, max(0.0, crowd))


def sweep_is_due(mailbox_id: UUID, swept_at: datetime | None, connected_at: datetime, now: datetime) -> bool:
    """Whether a folder has to be compared with the server: once in 24 hours, at a time of day of the mailbox's own.

    A folder that never was swept waits for the first such time after the sign-in: its import has just listed it.
    """
    return (swept_at or connected_at) < _last_turn(mailbox_id, now)


def _last_turn(mailbox_id: UUID, now: datetime) -> datetime:
    midnight = now.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    turn = midnight + timedelta(seconds=mailbox_id.int % _DAY_SECONDS)
    return turn if turn <= now else turn - timedelta(days=1)
