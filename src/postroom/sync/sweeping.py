"""Sweeping: a folder compared with the server whole, and repaired. Nothing is trusted but the listing of now.

Deltas are promises of the server; a nightly sweep is how a promise it did not keep comes to light. It is also how flags
are had where the server does not tell which changed, and how a full listing is answered (catching_up.py).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Set
from dataclasses import replace
from datetime import date
from uuid import UUID

from postroom.sync.asking import read_window
from postroom.sync.asks import KnownMessages, ListAll, ListChanges, SavePage, Steps
from postroom.sync.brake import needs_comparing, restrain
from postroom.sync.manner import WHOLE, Manner
from postroom.sync.placing import match_placed, moved_on
from postroom.sync.rebuilding import is_resting, rebuild
from postroom.sync.remote import Changes, CursorExpired, RemoteMessage
from postroom.sync.reused import has_reused
from postroom.sync.state import FolderState, Known, Page, Saved
from postroom.sync.taking_in import take_in

FLAGS_AT_ONCE = 5_000
PLACED_AT_ONCE = 500
RECENT = "\\Recent"  # of the session that looks, not of the message (RFC 3501 section 2.3.2)

Flagged = tuple[str, tuple[str, ...]]


def sweep(
    folder: FolderState,
    mailbox_id: UUID,
    epoch: int,
    since: date,
    manner: Manner = WHOLE,
    *,
    is_nightly: bool = False,
) -> Steps[Saved]:
    """Make what is stored of a folder what the server has. `since` bounds what is fetched, as in catch_up.

    `is_nightly`: the first comparison since the mailbox's time of day (engine/rhythm.py). It also looks whether ids
    were used again, which costs headers: too many for each look at flags, where a server's sizes are always wrong.
    """
    if is_resting(folder):
        return Saved()
    # Only a look from the cursor tells whether the remote ids that are stored still mean anything.
    try:
        listing: Changes = yield ListChanges(folder.remote_name, folder.cursor)
    except CursorExpired:
        listing = yield ListAll(folder.remote_name)
        if not manner.ids_are_mailbox_wide:  # such ids are never void, whatever came into the folder and went
            listing = replace(listing, was_reset=(yield from _is_strange(folder, listing)))
    if listing.was_reset:
        return (yield from rebuild(folder, mailbox_id, epoch, since, listing, manner))
    if not listing.is_full:
        listing = yield ListAll(folder.remote_name)
    return (yield from compare(folder, mailbox_id, epoch, since, listing, manner, is_nightly=is_nightly))


def _is_strange(folder: FolderState, listing: Changes) -> Steps[bool]:
    """Whether not one of the remote ids that are stored is listed, though many things are: then they are void."""
    known: Known = yield KnownMessages(folder.id)
    stored = known.sighted.keys() | {message.remote_id for message in known.messages}
    return bool(stored and listing.added) and stored.isdisjoint(message.remote_id for message in listing.added)


def compare(
    folder: FolderState,
    mailbox_id: UUID,
    epoch: int,
    since: date,
    listing: Changes,
    manner: Manner,
    *,
    is_nightly: bool = False,
) -> Steps[Saved]:
    """Repair what is stored by a full listing: fetch what is missing, remove what is gone, correct the flags.

    Everything the folder holds tells what is gone; what is missing here is only what lies in the window, and of that
    what the search finds where the provider is asked by address. A listing whose ids mean other messages (`is_nightly`:
    it is looked whether they do) is answered as a renumbering is; ids that outlive a move are never used again.
    """
    known: Known = yield KnownMessages(folder.id)
    if is_nightly and not manner.ids_are_mailbox_wide and (yield from has_reused(folder, known, listing)):
        reset = replace(listing, was_reset=True)
        return (yield from rebuild(folder, mailbox_id, epoch, since, reset, manner))
    listed = {message.remote_id: message.flags for message in listing.added}
    stored = known.sighted.keys() | {message.remote_id for message in known.messages}
    # What was planned and left is gone too where the import would find it by its id; elsewhere its fetch finds nothing,
    # and an empty listing by mistake must not empty the import, which the brake knows nothing of.
    gone = (stored | known.planned if manner.ids_are_mailbox_wide else stored) - listed.keys()
    moved = (yield from moved_on(gone, manner)) if needs_comparing(folder, gone) else frozenset[str]()
    removal = restrain(folder, known, gone, is_whole=True, moved=moved)
    added = yield from _missing(folder, since, listing, stored | known.planned, manner)
    flagged = list(_flagged(known, listed))
    while len(flagged) > FLAGS_AT_ONCE:
        yield SavePage(Page(mailbox_id, epoch, folder.id, (), flagged=tuple(flagged[:FLAGS_AT_ONCE])))
        del flagged[:FLAGS_AT_ONCE]
    last = Page(
        mailbox_id,
        epoch,
        folder.id,
        (),
        cursor=listing.cursor,
        version=folder.version,
        removed=removal.remote_ids,
        flagged=tuple(flagged),
        is_live=True,
        hold=removal.hold,
        releases=removal.releases or bool(folder.held and not removal.hold),
        is_swept=True,
    )
    # What a search found is fetched whole; its header would cost as much.
    return (yield from take_in(folder.remote_name, added, last, manner.whole if manner.by_address else manner))


def _missing(
    folder: FolderState, since: date, listing: Changes, stored: Set[str], manner: Manner
) -> Steps[list[RemoteMessage]]:
    """What the folder has and we have not, of that what is read; newest first."""
    missing = {message.remote_id: message for message in listing.added if message.remote_id not in stored}
    if not missing:
        return []
    window = yield from read_window(folder, since, manner)
    found = [
        replace(message, flags=missing[message.remote_id].flags)
        for message in window.messages
        if message.remote_id in missing
    ]
    if manner.by_address:  # and what no search finds, but is stored of another folder
        found_ids = {message.remote_id for message in found}
        others = [message for remote_id, message in missing.items() if remote_id not in found_ids]
        for start in range(0, len(others), PLACED_AT_ONCE):
            matches = yield from match_placed(others[start : start + PLACED_AT_ONCE], manner)
            found += [match.listed for match in matches]
    return found


def _flagged(known: Known, listed: Mapping[str, tuple[str, ...]]) -> Iterator[Flagged]:
    """The messages whose flags are others at the server, with those."""
    for message in known.messages:
        flags = listed.get(message.remote_id)
        if flags is not None and flags != message.flags and _as_set(flags) != _as_set(message.flags):
            yield message.remote_id, flags


def _as_set(flags: tuple[str, ...]) -> frozenset[str]:
    return frozenset(flags) - {RECENT}
