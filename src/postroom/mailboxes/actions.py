"""What may be asked of a mailbox at each stage: one table, by which pages offer and pages and API refuse.

Whether a member may ask is another question (access.py). Pausing what is paused, letting go on what is not, and a
second yes are no acts at all and refused nowhere; they are only not offered.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import Final

from postroom.mailboxes.models import DirectionState, Mailbox
from postroom.mailboxes.troubles import fails_only_to_send


class Action(StrEnum):
    SYNC = "sync"  # look for new mail now
    BACKFILL = "backfill"  # import further back
    COUNT = "count"  # count its messages at the server again
    PAUSE = "pause"
    RESUME = "resume"
    BEGIN = "begin"  # the import that waits for a yes


class Stage(StrEnum):
    """The first that fits, in this order."""

    DISCONNECTED = "disconnected"
    PAUSED = "paused"
    WAITING = "waiting"  # its import waits for a yes
    OFF = "off"  # it is not read: it only sends, or its provider was not allowed to let it be read
    REFUSED = "refused"  # its sign-in: somebody has to reconnect it
    FAILING = "failing"  # Postroom tries on
    IMPORTING = "importing"
    WORKING = "working"


OFFERED: Final[Mapping[Stage, frozenset[Action]]] = {
    Stage.DISCONNECTED: frozenset(),
    Stage.PAUSED: frozenset({Action.RESUME}),
    Stage.WAITING: frozenset({Action.BEGIN}),
    Stage.OFF: frozenset(),
    Stage.REFUSED: frozenset({Action.SYNC, Action.PAUSE}),  # what refused it may be mended elsewhere: one try more
    Stage.FAILING: frozenset({Action.SYNC, Action.BACKFILL, Action.PAUSE}),
    Stage.IMPORTING: frozenset({Action.SYNC, Action.BACKFILL, Action.COUNT, Action.PAUSE}),
    Stage.WORKING: frozenset({Action.SYNC, Action.BACKFILL, Action.COUNT, Action.PAUSE}),
}

_WHY_NOT: Final[Mapping[Stage, str]] = {
    Stage.DISCONNECTED: "{address} is disconnected.",
    Stage.PAUSED: "{address} is paused. Let it go on first; what arrived meanwhile is fetched then.",
    Stage.WAITING: "Nothing of {address} is read before its import begins. See what would come, and say yes first.",
    Stage.OFF: "The mail of {address} is not read, so there is nothing to look for.",
    Stage.REFUSED: "The sign-in of {address} is refused. Reconnect it first.",
    Stage.FAILING: "{address} cannot be read at the moment. Postroom goes on trying; ask again once it can.",
    Stage.IMPORTING: "{address} is being imported; it is not paused.",
    Stage.WORKING: "{address} works; it is not paused.",
}


class NotNow(Exception):
    """The mailbox is at a stage that has no use for the action. Its text says why, and what to do first."""

    def __init__(self, mailbox: Mailbox, stage: Stage) -> None:
        self.stage = stage
        super().__init__(_WHY_NOT[stage].format(address=mailbox.address))


def stage_of(mailbox: Mailbox) -> Stage:
    if mailbox.disconnected_at:
        return Stage.DISCONNECTED
    if mailbox.paused_at:
        return Stage.PAUSED
    if mailbox.awaits_start:
        return Stage.WAITING
    if not mailbox.reads or mailbox.receiving_state == DirectionState.OFF:
        return Stage.OFF
    if not fails_only_to_send(mailbox):
        if mailbox.needs_reconnect:
            return Stage.REFUSED
        if mailbox.error_code:
            return Stage.FAILING
    return Stage.WORKING if mailbox.import_planned_at and mailbox.import_finished_at else Stage.IMPORTING


def offered(mailbox: Mailbox) -> frozenset[Action]:
    """What makes sense now."""
    return OFFERED[stage_of(mailbox)]


def require(mailbox: Mailbox, action: Action) -> None:
    """Raises NotNow for what makes no sense now."""
    stage = stage_of(mailbox)
    if action not in OFFERED[stage]:
        raise NotNow(mailbox, stage)
