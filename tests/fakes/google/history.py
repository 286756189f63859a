"""What changed in a mailbox, as users.history.list tells it: rising ids with gaps, mailbox-wide."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, Literal

Kind = Literal["messageAdded", "messageDeleted", "labelAdded", "labelRemoved"]
KEYS: dict[str, str] = {
    "messageAdded": "messagesAdded",
    "messageDeleted": "messagesDeleted",
    "labelAdded": "labelsAdded",
    "labelRemoved": "labelsRemoved",
}
FIRST_ID = 1_000
_GAPS = (1, 3, 2, 17, 1, 4)


@dataclass(frozen=True, slots=True)
class Change:
    """One thing that happened to one message. `worn` are its labels after it, `labels` those that changed."""

    history_id: int
    kind: Kind
    remote_id: str
    thread_id: str
    worn: tuple[str, ...]
    labels: tuple[str, ...] = ()

    def shape(self, tells_labels: bool) -> dict[str, Any]:
        """This change as a History of the API."""
        message: dict[str, Any] = {"id": self.remote_id, "threadId": self.thread_id}
        told = {**message, "labelIds": list(self.worn)} if self.worn and tells_labels else message
        change: dict[str, Any] = {"message": told}
        if self.labels:
            change["labelIds"] = list(self.labels)
        return {"id": str(self.history_id), "messages": [message], KEYS[self.kind]: [change]}


class HistoryForgotten(Exception):
    """The mailbox does not remember that far back."""


@dataclass
class History:
    """Changes, oldest first. Ids up to `floor` are forgotten."""

    changes: list[Change] = field(default_factory=list)
    latest: int = FIRST_ID
    floor: int = 0

    def next_id(self) -> int:
        """The id for what happens now."""
        self.latest += _GAPS[self.latest % len(_GAPS)]
        return self.latest

    def add(self, change: Change) -> None:
        """Write down what happened."""
        self.changes.append(change)

    def forget(self) -> None:
        """Remember nothing that happened up to now."""
        self.floor = self.latest
        self.changes.clear()
        self.next_id()

    def since(self, start: int, kinds: Iterable[str], label: str) -> list[Change]:
        """What happened after that id. Raises HistoryForgotten."""
        if start <= self.floor:
            raise HistoryForgotten
        wanted = frozenset(kinds) or frozenset(KEYS)
        return [
            change
            for change in self.changes
            if change.history_id > start
            and change.kind in wanted
            and (not label or label in change.worn or label in change.labels)
        ]
