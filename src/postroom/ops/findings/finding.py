"""One thing that was looked at."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any


@dataclass(frozen=True, slots=True)
class Finding:
    """`fix` says what to do when it is not `ok`; `facts` are for programs only."""

    name: str
    ok: bool
    what: str
    fix: str = ""
    facts: Mapping[str, Any] = field(default_factory=dict)

    def as_json(self) -> dict[str, Any]:
        told = {"name": self.name, "ok": self.ok, "what": self.what}
        return told | ({} if self.ok else {"fix": self.fix}) | dict(self.facts)


def since(moment: datetime) -> str:
    """Roughly how long it is since then, in one unit."""
    seconds = max((datetime.now(UTC) - moment).total_seconds(), 0)
    for unit, length in (("days", 86_400), ("hours", 3_600), ("minutes", 60)):
        if seconds >= 2 * length:
            return f"{seconds // length:.0f} {unit}"
    return f"{seconds:.0f} seconds"
