"""What history.list tells, replayed: what it means for one folder. No I/O.

History is a list of events about messages, mailbox-wide: it came, it went for good, labels were put on, taken off. What
a folder has to be told follows from where a message is now, where it was at the cursor, and where it was in between: a
listing takes a while, so what is stored may be of any moment since its cursor. Hence these rules, which a property
test holds against a model of a mailbox (tests/unit/gmail/test_history.py):

- What is in the folder now, and was not there all the time, is told as added, though it may be stored already.
- What is not in the folder now, and was at any moment since the cursor, is told as removed, though it may never have
  been seen there.
- Whose marks changed and is in the folder is told as flagged.

An event may tell the labels that the message wears (Google does, and does not promise it). Whether they are those from
before the event, after it or of now makes no difference: what follows is applied to them in order. A message without
labels looks as one whose labels are not told.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Literal

from postroom.providers.errors import ProtocolViolation
from postroom.providers.gmail.labels import ARCHIVE, DRAFT, STARRED, UNREAD, Labels

Kind = Literal["added", "worn", "taken_off", "gone"]
Outcome = Literal["added", "flagged", "removed"]

# In this order where one record holds several.
_KINDS: Final[Mapping[str, Kind]] = {
    "messagesAdded": "added",
    "labelsAdded": "worn",
    "labelsRemoved": "taken_off",
    "messagesDeleted": "gone",
}
MARKS: Final = frozenset({UNREAD, STARRED, DRAFT})
_NOTHING: Final[frozenset[Outcome]] = frozenset()
_ADDED: Final[frozenset[Outcome]] = frozenset({"added"})
_FLAGGED: Final[frozenset[Outcome]] = frozenset({"flagged"})
_REMOVED: Final[frozenset[Outcome]] = frozenset({"removed"})


@dataclass(frozen=True, slots=True)
class Event:
    """One thing that happened to one message. `worn` is what it wears, None where that is not told."""

    at: int
    remote_id: str
    kind: Kind
    labels: frozenset[str] = frozenset()
    worn: frozenset[str] | None = None


@dataclass(frozen=True, slots=True)
class HistoryPage:
    """One answer of history.list. `latest` is the mailbox's id of now."""

    events: tuple[Event, ...]
    latest: int
    next_page: str


def history_of(answer: Mapping[str, Any]) -> HistoryPage:
    """An answer of history.list; raise ProtocolViolation for one that is none."""
    try:
        latest = int(answer["historyId"])
        events = [event for record in answer.get("history", ()) for event in _events(record)]
        next_page = str(answer.get("nextPageToken") or "")
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise ProtocolViolation("unexpected_answer") from error
    return HistoryPage(tuple(events), latest, next_page)


def _events(record: Mapping[str, Any]) -> Iterable[Event]:
    at = int(record["id"])
    for name, kind in _KINDS.items():
        for change in record.get(name, ()):
            message = change["message"]
            told = message.get("labelIds")
            yield Event(
                at,
                str(message["id"]),
                kind,
                frozenset(map(str, change.get("labelIds", ()))),
                frozenset(map(str, told)) if told else None,
            )


@dataclass(slots=True)
class Story:
    """What happened to one message, as one would tell it at the end.

    `changed` are the labels that were put on or taken off, `ever` all that it is known to have worn, and `worn` those
    that it wears at the end (None: not known).
    """

    at: int = 0
    is_new: bool = False
    is_gone: bool = False
    is_told: bool = False  # its labels were, at some moment
    worn: frozenset[str] | None = None
    changed: set[str] = field(default_factory=set)
    ever: set[str] = field(default_factory=set)

    def go_on(self, event: Event) -> None:
        """Apply the next event."""
        self.is_new = self.is_new or (event.kind == "added" and not self.at)
        self.at = max(self.at, event.at)
        if event.worn is not None:
            self.worn = event.worn
            self.ever |= event.worn
            self.is_told = True
        match event.kind:
            case "worn":
                self._change(event.labels, is_worn=True)
            case "taken_off":
                self._change(event.labels, is_worn=False)
            case "gone":
                self.is_gone = True

    def _change(self, labels: frozenset[str], *, is_worn: bool) -> None:
        self.changed |= labels
        self.ever |= labels
        if self.worn is not None:
            self.worn = self.worn | labels if is_worn else self.worn - labels

    @property
    def is_unknown(self) -> bool:
        """Whether somebody has to ask what the message wears now."""
        return self.worn is None and not self.is_gone

    def know(self, worn: frozenset[str] | None) -> None:
        """It was asked what the message wears; None: it is gone."""
        self.worn, self.is_gone = worn, worn is None
        self.is_told = self.is_told or worn is not None
        self.ever |= worn or frozenset()

    def outcomes(self, remote_name: str, labels: Labels) -> frozenset[Outcome]:
        """What it means for that folder."""
        may_have_been = self._may_have_been(remote_name, labels)
        if self.is_gone or self.worn is None:
            return _REMOVED if may_have_been or not self.is_told else _NOTHING
        may_have_moved = self.is_new or labels.moves(remote_name, self.changed)
        if not labels.holds(remote_name, self.worn):
            return _REMOVED if may_have_been and may_have_moved else _NOTHING
        was_marked = not MARKS.isdisjoint(self.changed)
        return (_ADDED if may_have_moved else _NOTHING) | (_FLAGGED if was_marked else _NOTHING)

    def _may_have_been(self, remote_name: str, labels: Labels) -> bool:
        """Whether it was in that folder at any moment, of a message whose labels were told."""
        if remote_name != ARCHIVE:  # whatever it wore at any moment it wears at the end, or that label changed
            return remote_name in self.ever
        return labels.holds(ARCHIVE, (self.worn or frozenset()) - self.changed)  # what it wore all the time

    def folders(self, labels: Labels) -> frozenset[str] | None:
        """The folders that have to be told; None: any."""
        if self.is_gone and not self.is_told:
            return None
        candidates = self.ever.intersection(labels.names) | {ARCHIVE}
        return frozenset(name for name in candidates if self.outcomes(name, labels))


def replay(events: Iterable[Event]) -> dict[str, Story]:
    """The story of every message that something happened to, by remote id, in the order of their beginnings."""
    stories: dict[str, Story] = {}
    for event in events:
        stories.setdefault(event.remote_id, Story()).go_on(event)
    return stories


def sorted_out(
    stories: Mapping[str, Story], remote_name: str, labels: Labels
) -> tuple[Sequence[str], Sequence[str], Sequence[str]]:
    """Remote ids that a folder has to be told as added, flagged and removed; the newest of those added first."""
    told: dict[Outcome, list[str]] = {"added": [], "flagged": [], "removed": []}
    for remote_id, story in stories.items():
        for outcome in story.outcomes(remote_name, labels):
            told[outcome].append(remote_id)
    told["added"].reverse()
    return told["added"], told["flagged"], told["removed"]


@dataclass(slots=True)
class Track:
    """Which folders had to be told something, and of when the last of it is. What is known holds from `since` on.

    `any_at` is the last time that something happened of which it is not known where.
    """

    since: int
    until: int
    touched: dict[str, int] = field(default_factory=dict)
    any_at: int = 0

    def go_on(self, stories: Collection[Story], labels: Labels, until: int) -> None:
        """Take in what happened up to `until`."""
        for story in stories:
            folders = story.folders(labels)
            if folders is None:
                self.any_at = max(self.any_at, story.at)
            for name in folders or ():
                self.touched[name] = max(self.touched.get(name, 0), story.at)
        self.until = max(self.until, until)

    def changed(self, remote_name: str, at: int) -> bool:
        """Whether something that the folder has to be told happened after that."""
        return max(self.touched.get(remote_name, 0), self.any_at) > at
