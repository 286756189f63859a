"""The brake on mass deletions: what a server suddenly does not have any more is asked about, not believed.

A server that lost an index, a listing cut short by a bug, a rule that ran wild: all of them look like somebody deleting
his mail. So more than 50 messages that are more than a fifth of a folder do not go unless the owner says so. Messages
and filings stay in any case (correspondence/models.py, Placement); the question is only whether the folder is right.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field

from postroom.sync.state import FolderState, Hold, Known

MASS_DELETION = "mass_deletion"
MOST_GONE = 50
KNOWN_PER_GONE = 5  # a fifth of what is known


@dataclass(frozen=True, slots=True)
class Removal:
    """What is removed of a folder now, and whether its owner is asked about the rest or needs no longer answer."""

    remote_ids: tuple[str, ...] = field(default=(), repr=False)
    hold: Hold | None = None
    releases: bool = False


def mass_deletion(gone: int, known: int) -> Hold | None:
    """The question to be asked when so many of the messages that are known in a folder would go at once."""
    if gone > MOST_GONE and gone * KNOWN_PER_GONE > known:
        return Hold(MASS_DELETION, {"gone": gone, "known": known})
    return None


def is_asked(folder: FolderState) -> bool:
    """Whether the folder's owner was asked and has not said yes: until then nothing is removed."""
    return folder.held == MASS_DELETION and not folder.may_remove


def needs_comparing(folder: FolderState, removed: Collection[str]) -> bool:
    """Whether `restrain` has to be asked before these may go; else they are none, or few enough on any ground."""
    return len(removed) > MOST_GONE or (bool(removed) and is_asked(folder))


def restrain(
    folder: FolderState, known: Known, gone: Collection[str], *, is_whole: bool, moved: Collection[str] = ()
) -> Removal:
    """Decide about remote ids that the server does not have any more.

    `is_whole`: they are all that is missing of the folder, not only what went since the last look; that settles an open
    question one way or the other. A message that sits elsewhere in the folder too, one that is known to have `moved`
    to another, and what was only sighted, is no loss and goes without asking.
    """
    gone = frozenset(gone)
    there = {one.message_id for one in known.messages if one.remote_id not in gone or one.remote_id in moved}
    lost = frozenset(
        message.remote_id for message in known.messages if message.remote_id in gone and message.message_id not in there
    )
    hold = None if folder.may_remove else mass_deletion(len(lost), len(known.messages))
    if hold is not None or (is_asked(folder) and not is_whole):
        return Removal(tuple(sorted(gone - lost)), None if is_asked(folder) and not is_whole else hold)
    return Removal(tuple(sorted(gone)), releases=is_whole and (folder.held == MASS_DELETION or folder.may_remove))
