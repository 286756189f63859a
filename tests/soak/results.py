"""What one run of a fault showed."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tests.soak.rig import Rig


@dataclass(frozen=True, slots=True)
class Result:
    """One seed. `lost` and `doubled` count messages; `seconds` from the end of the fault until all is equal.

    `notes` says what was unequal, or what broke a promise besides; such a run has not converged.
    """

    fault: int
    seed: int
    lost: int = 0
    doubled: int = 0
    seconds: float = 0.0
    notes: tuple[str, ...] = ()

    @property
    def is_good(self) -> bool:
        return not (self.lost or self.doubled or self.notes)


@dataclass(frozen=True, slots=True)
class Fault:
    """A number of the list in reliability-security.md 2.4, and what runs it: a result for every seed."""

    number: int
    name: str
    expected: str
    run: Callable[[Rig, Sequence[int]], Iterator[Result]]
