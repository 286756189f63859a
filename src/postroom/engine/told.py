"""What was told in passing while steps ran, and no step hands on: for the journal, and for when to sweep."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from postroom.sync import asks
from postroom.sync.remote import Changes
from postroom.sync.state import Hold


@dataclass(slots=True)
class Told:
    """`names`: folders' names for people by remote name, as they were last listed. `flags_untold`: Round's."""

    names: dict[str, str] = field(default_factory=dict)
    flags_untold: frozenset[str] = frozenset()
    _renumbered: frozenset[str] = frozenset()
    _hold: Hold | None = None
    _is_released: bool = False

    def note(self, ask: asks.Ask, answer: Any) -> None:
        """Look at what the driver answered."""
        match ask, answer:
            case asks.ListFolders(), _:
                self.names = {folder.remote_name: folder.name for folder in answer}
            case asks.ListChanges(remote_name, _), Changes():
                if answer.was_reset:
                    self._renumbered |= {remote_name}
                this = {remote_name}
                self.flags_untold = self.flags_untold - this if answer.tells_flags else self.flags_untold | this
            case asks.SavePage(page), _:
                self._hold = page.hold or self._hold
                self._is_released = self._is_released or page.releases
            case asks.SaveRebuild(rebuild), _:
                self._hold = rebuild.hold or self._hold

    def take_renumbered(self, remote_name: str) -> bool:
        """Whether the folder was renumbered since this was last asked."""
        was, self._renumbered = remote_name in self._renumbered, self._renumbered - {remote_name}
        return was

    def take_release(self) -> bool:
        """Whether a question was withdrawn since this was last asked."""
        was, self._is_released = self._is_released, False
        return was

    def take_hold(self) -> Hold | None:
        """The question that was put to the owner since this was last asked."""
        hold, self._hold = self._hold, None
        return hold
