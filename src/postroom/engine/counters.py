"""What this process did since it started, in numbers: for the worker's row, and from there for /metrics.

A name stands here once, with what it means (docs/how-to/watch-postroom.md is checked against it). A label, where a
counter has one, is a word of our own code: never an address, a folder or anything else that came with mail.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass
from typing import Final

from postroom.engine.store import Conflict, Fenced, NewMessage, Page
from postroom.providers.errors import ProviderError
from postroom.sync import asks


@dataclass(frozen=True, slots=True)
class Counter:
    """What a count means, and what its label tells apart ("" none)."""

    meaning: str
    label: str = ""


COUNTERS: Final[dict[str, Counter]] = {
    "pages_saved": Counter("Pages of messages saved, each in one transaction."),
    "messages_saved": Counter("Messages that were new to their workspace and are kept."),
    "messages_fetched": Counter("Whole messages fetched from mail servers."),
    "octets_fetched": Counter("Octets of whole messages fetched from mail servers."),
    "headers_fetched": Counter("Messages of which only the header was fetched."),
    "removals_saved": Counter("Messages that a server no longer had in a folder."),
    "listings": Counter("Times a folder was asked what changed since its cursor."),
    "full_listings": Counter("Of those, listings of a whole folder: a server without a memory, or an expired cursor."),
    "polls": Counter("Looks at the folders that no server pushes."),
    "connects": Counter("Connections opened and signed in."),
    "connect_failures": Counter("Connections that could not be opened or signed in.", "error"),
    "failures": Counter("Work on a mailbox that a mail server's error ended.", "error"),
    "conflicts": Counter("Saves that came second to another save of the same folder, and were done anew."),
    "fenced": Counter("Saves refused because another worker has the mailbox."),
    "rebuilds": Counter("Folders a server had renumbered, matched again with what was stored."),
    "sweeps": Counter("Folders compared with the server whole."),
    "questions": Counter("Questions put to owners, such as a mass deletion.", "question"),
    "unreadable_messages": Counter("Fetched messages that could not be read, kept as unreadable."),
    "imported_slices": Counter("Slices of first imports that were finished."),
}
_SEPARATOR = ":"  # between name and label in the worker's row


class Counters:
    """Counts of one process. Sessions count on the event loop and in threads, hence the lock; it is taken a page at a
    time, not a message."""

    def __init__(self) -> None:
        self._counts: dict[str, int] = {}
        self._lock = threading.Lock()

    def add(self, name: str, count: int = 1, *, label: str = "") -> None:
        """Raises KeyError for a name that COUNTERS does not have."""
        if bool(COUNTERS[name].label) is not bool(label):
            raise KeyError(f"{name} with the label {label!r}")
        if count:
            key = f"{name}{_SEPARATOR}{label}" if label else name
            with self._lock:
                self._counts[key] = self._counts.get(key, 0) + count

    def counts(self) -> dict[str, int]:
        """All that is not 0, as the worker's row keeps it: "name" or "name:label"."""
        with self._lock:
            return dict(self._counts)

    def answered(self, ask: asks.Ask, answer: object) -> None:
        """Count what the driver did for a step (engine/driver.py)."""
        match ask, answer:
            case asks.SavePage(page), _:
                self.add("messages_saved", getattr(answer, "new", 0))
                self._page(page)
            case asks.FetchMessages(), tuple() as messages:
                fetched = [message for message in messages if isinstance(message, NewMessage)]
                self.add("messages_fetched", len(fetched))
                self.add("octets_fetched", sum(message.raw_size for message in fetched))
                self.add("unreadable_messages", sum(not message.parsed.is_readable for message in fetched))
            case asks.FetchHeaders(), tuple() as headers:
                self.add("headers_fetched", len(headers))
            case asks.ListChanges(), _:
                self.add("listings")
                self.add("full_listings", int(getattr(answer, "is_full", False)))
            case asks.SaveRebuild(rebuild), _:
                self.add("rebuilds")
                if rebuild.hold is not None:
                    self.add("questions", label=rebuild.hold.code)

    def _page(self, page: Page) -> None:
        self.add("pages_saved")
        self.add("removals_saved", len(page.removed))
        self.add("sweeps", int(page.is_swept))
        if page.hold is not None:
            self.add("questions", label=page.hold.code)

    def failed(self, error: Exception) -> None:
        """Count what ended an ask."""
        match error:
            case Fenced():
                self.add("fenced")
            case Conflict():
                self.add("conflicts")
            case ProviderError():
                self.add("failures", label=error_label(error))


def error_label(error: ProviderError) -> str:
    """The class of an error: there are few, and codes of servers to come add none."""
    return type(error).__name__


counters: Final = Counters()  # this process's
