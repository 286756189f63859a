"""What a session does about an error: one table over the classes of providers/errors.py, without I/O.

Seconds get their jitter here, and only upwards where a server said how long it wants to be left alone.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum, auto

from postroom.providers.errors import (
    AllowanceUsed,
    FolderGone,
    InDoubt,
    ListingExpired,
    MessageGone,
    NeedsAdministrator,
    NeedsReconnect,
    ProtocolViolation,
    ProviderError,
    Refused,
    SignInRefused,
    StorageFull,
    Throttled,
    TooMuch,
    Unreachable,
    Unsupported,
    WrongSettings,
)
from postroom.sync.backoff import delay_seconds

# A password is not thought wrong at its first refusal: a server takes a moment to know a new one, and sign-in services
# stumble. Not more often than this, since some lock an account after five wrong passwords.
REFUSED_SECONDS = (30.0, 300.0)
PROBE_SECONDS = 3600.0  # what only a person can mend is tried again once an hour, and when somebody asks
DOUBTS = 8  # failures in a row, some eight minutes
THROTTLED_FIRST_SECONDS = 60.0  # by servers that do not say for how long
THROTTLED_LONGEST_SECONDS = 3600.0
BELIEVED = 3  # times in a row that a server names too short a wait
LOOK_SOON_SECONDS = 45.0
LATE_SHARE = 0.1  # of a wait that was asked for: so much later at most, else all mailboxes of a host return together
_CLOSED_BY_US = "connection_closed"


class Act(Enum):
    """What happens next."""

    ASK = auto()  # stop and say so; a person has to do something
    DOUBT = auto()  # try again for a while, then ask: a server that restarts refuses connections as a wrong port does
    WAIT = auto()  # leave the server alone for as long as it asked, or longer and longer
    LOOK_SOON = auto()  # our own disk is full: a look at the mailbox shows whether there is room again
    BACK_OFF = auto()  # drop the connection, try again later and later
    LIST_FOLDERS = auto()  # go on with the same connection: look which folders there are
    LIST_IN_FULL = auto()  # go on: compare the folder with the server whole
    GO_ON = auto()  # go on: what was asked for is not there any more


ACTS: dict[type[ProviderError], Act] = {
    NeedsReconnect: Act.ASK,
    NeedsAdministrator: Act.ASK,
    WrongSettings: Act.DOUBT,
    Refused: Act.ASK,
    Unsupported: Act.ASK,
    InDoubt: Act.ASK,  # never a session's: only sending knows doubt
    Throttled: Act.WAIT,
    StorageFull: Act.LOOK_SOON,
    Unreachable: Act.BACK_OFF,
    ProtocolViolation: Act.BACK_OFF,
    TooMuch: Act.BACK_OFF,  # reading takes smaller pieces (sync/reading.py): here only when even those did not fit
    FolderGone: Act.LIST_FOLDERS,
    ListingExpired: Act.LIST_IN_FULL,
    MessageGone: Act.GO_ON,
    ProviderError: Act.BACK_OFF,
}


@dataclass(frozen=True, slots=True)
class Reaction:
    """`seconds` until the next try; 0 for what goes on at once. `is_told`: the owner sees the error."""

    act: Act
    seconds: float = 0.0
    is_told: bool = True


def act_of(error: ProviderError) -> Act:
    """The table's entry for the nearest class."""
    return next(ACTS[kind] for kind in type(error).__mro__ if kind in ACTS)


def reaction_to(error: ProviderError, failures: int, chance: float) -> Reaction:
    """React to the n-th failure in a row (1, 2 …). `chance` is a random number in [0, 1)."""
    act = act_of(error)
    if act is Act.DOUBT:
        act = Act.BACK_OFF if failures <= DOUBTS else Act.ASK
    if act is Act.ASK:
        is_early = isinstance(error, SignInRefused) and failures <= len(REFUSED_SECONDS)
        seconds = REFUSED_SECONDS[failures - 1] if is_early else PROBE_SECONDS
        return Reaction(act, seconds * (1 + LATE_SHARE * chance))
    if act is Act.WAIT:
        return _wait(error, failures, chance)
    if act is Act.LOOK_SOON:
        return Reaction(act, LOOK_SOON_SECONDS * (1 - LATE_SHARE * chance))
    if act is Act.BACK_OFF:
        if (
            error.code == _CLOSED_BY_US and failures == 1
        ):  # a wait was broken off in the middle of an answer: nobody's failure
            return Reaction(act, is_told=False)
        return Reaction(act, delay_seconds(failures, chance))
    # What goes on at once must not go on for ever: from the second time in a row it is a failure like another.
    if failures > 1:
        return Reaction(Act.BACK_OFF, delay_seconds(failures, chance))
    return Reaction(act, is_told=False)


def _wait(error: ProviderError, failures: int, chance: float) -> Reaction:
    """Not a moment less than was asked for; and not much more, as long as that helps."""
    told = error.retry_after_seconds
    if isinstance(error, AllowanceUsed):  # nobody's failure, and no server that all mailboxes return to
        return Reaction(Act.WAIT, told or 1.0, is_told=False)
    longest = min(THROTTLED_LONGEST_SECONDS, THROTTLED_FIRST_SECONDS * 2 ** min(failures - 1, 20))
    if told is not None:
        longest = told if failures <= BELIEVED else max(told, longest)
    return Reaction(Act.WAIT, longest * (1 + LATE_SHARE * chance))
