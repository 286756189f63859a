"""Placing: where a remote id means the same message in all folders, what is stored under it is not fetched again.

So a message that wears five labels is fetched once, and one that was moved to another folder not at all.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import replace

from postroom.sync.asks import FindPlaced, Steps
from postroom.sync.manner import Manner
from postroom.sync.remote import RemoteMessage
from postroom.sync.state import Match, Placed


def match_placed(
    listed: Sequence[RemoteMessage], manner: Manner, *, tells_flags: bool = True
) -> Steps[tuple[Match, ...]]:
    """Those of the messages that are stored somewhere in the mailbox, to be placed.

    Without `tells_flags` the listing had none (a planned slice), and they are those of the other place: flags belong
    to the message where its id does.
    """
    if not manner.ids_are_mailbox_wide or not listed:
        return ()
    found: tuple[Placed, ...] = yield FindPlaced(tuple(message.remote_id for message in listed))
    placed = {one.remote_id: one for one in found}
    matches = []
    for message in listed:
        if one := placed.get(message.remote_id):
            flags = message.flags if tells_flags else one.flags
            there = replace(message, size=message.size or one.size, flags=flags)
            matches.append(Match(one.message_id, there, one.received_at))
    return tuple(matches)


def moved_on(remote_ids: Collection[str], manner: Manner) -> Steps[frozenset[str]]:
    """Those of a folder's messages that sit in another folder as well: archived, say, and no loss."""
    if not manner.ids_are_mailbox_wide or not remote_ids:
        return frozenset()
    found: tuple[Placed, ...] = yield FindPlaced(tuple(remote_ids))
    return frozenset(one.remote_id for one in found if one.folders > 1)


def without(listed: Sequence[RemoteMessage], matches: Sequence[Match]) -> list[RemoteMessage]:
    """The messages that are still to be read."""
    if not matches:
        return list(listed)
    placed = {match.listed.remote_id for match in matches}
    return [message for message in listed if message.remote_id not in placed]
