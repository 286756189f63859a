"""Named points at which a test lets a process die, stop or fail; inert unless POSTROOM_FAIL is set.

    POSTROOM_FAIL=after_fetch:kill:2            at the second time this process comes to after_fetch
    POSTROOM_FAIL=random:7:0.05:kill,cut        at every point with a chance of 5 %, drawn from seed 7

tests/soak drives them; docs/explanation/faults.md tells what each fault was seen to do.
"""

from __future__ import annotations

import errno
import os
import random
import signal
import threading
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

from psycopg.errors import DeadlockDetected, OperationalError, SerializationFailure

from postroom.providers.errors import Unreachable

VARIABLE: Final = "POSTROOM_FAIL"

POINTS: Final = (
    "claimed",  # mailboxes have a new owner, their sessions have not begun
    "before_list", "after_list",  # changes, a window, or the whole folder
    "before_headers", "after_headers",
    "before_fetch", "after_fetch",
    "before_plan", "after_plan",  # an import, or the rebuild of a folder
    "before_save", "after_save",
    "attachments_written",  # and the page's transaction has not begun
    "before_commit", "after_commit",
    "send_claimed", "send_in_doubt", "send_accepted",  # all after the commit of what they say; the last before its own
)  # fmt: skip


def _kill() -> None:
    os.kill(os.getpid(), signal.SIGKILL)
    time.sleep(60)  # the signal is on its way; not one step further


def _stop() -> None:
    os.kill(os.getpid(), signal.SIGSTOP)


def _cut() -> None:
    raise Unreachable("connection_lost")


def _db_error() -> None:
    raise SerializationFailure("failpoint")


def _deadlock() -> None:
    raise DeadlockDetected("failpoint")


def _db_gone() -> None:
    raise OperationalError("failpoint: server closed the connection unexpectedly")


def _disk_full() -> None:
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


ACTIONS: Final[dict[str, Callable[[], None]]] = {
    "kill": _kill,
    "stop": _stop,
    "cut": _cut,
    "db_error": _db_error,
    "deadlock": _deadlock,
    "db_gone": _db_gone,
    "disk_full": _disk_full,
}


class UnknownFailpoint(ValueError):
    """POSTROOM_FAIL names a point or an action that does not exist."""


@dataclass(slots=True)
class _Trap:
    """What POSTROOM_FAIL asks for. `rate` is 0 for one point, else the chance at every point."""

    point: str
    actions: tuple[str, ...]
    nth: int = 1
    rate: float = 0.0
    chance: random.Random = field(default_factory=random.Random)
    reached: Counter[str] = field(default_factory=Counter)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def reach(self, point: str) -> None:
        with self.lock:
            self.reached[point] += 1
            if self.rate:
                action = self.chance.choice(self.actions) if self.chance.random() < self.rate else ""
            else:
                action = self.actions[0] if (point, self.reached[point]) == (self.point, self.nth) else ""
        if action:
            _act(action)


def _act(action: str) -> None:
    name, _, seconds = action.partition("=")
    if name == "sleep":
        time.sleep(float(seconds))
    else:
        ACTIONS[name]()


def _read(text: str) -> _Trap | None:
    """`POINT:ACTION[:NTH]`, `random:SEED:RATE:ACTION[,ACTION…]`, or nothing. Raises UnknownFailpoint."""
    if not text:
        return None
    point, *rest = text.split(":")
    if point == "random" and len(rest) == 3:
        trap = _Trap(point, tuple(rest[2].split(",")), rate=float(rest[1]), chance=random.Random(rest[0]))  # noqa: S311
    elif point in POINTS and len(rest) in (1, 2):
        trap = _Trap(point, (rest[0],), nth=int(rest[1]) if len(rest) == 2 else 1)
    else:
        raise UnknownFailpoint(text)
    if unknown := [action for action in trap.actions if action.partition("=")[0] not in (*ACTIONS, "sleep")]:
        raise UnknownFailpoint(f"{text}: {unknown}")
    return trap


_trap = _read(os.environ.get(VARIABLE, ""))


def arm(text: str) -> None:
    """Take another POSTROOM_FAIL, or none: for a process that was forked."""
    global _trap
    _trap = _read(text)


def reach(point: str) -> None:
    """The code is at this point. Does nothing but one test unless a trap is set."""
    if _trap is not None:
        _trap.reach(point)
