"""The mark of one exam of `bench/exams.py`."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass
class Mark:
    """The outcome of one exam. `must_be_all`: a single miss fails the run."""

    name: str
    must_be_all: bool = False
    right: int = 0
    asked: int = 0
    wrong: list[str] = field(default_factory=list)

    def add(self, is_right: bool, what: str) -> None:
        self.asked += 1
        self.right += is_right
        if not is_right:
            self.wrong.append(what)

    @property
    def percent(self) -> float:
        return 100 * self.right / self.asked if self.asked else 0.0

    @property
    def has_failed(self) -> bool:
        return self.asked == 0 or (self.must_be_all and self.right < self.asked)
