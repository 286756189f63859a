"""The words for the steps of a connection check."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

from postroom.providers import catalogue
from postroom.providers.base import CheckStep

SERVERS: Final = {"imap": "Receiving", "smtp": "Sending"}

STEPS: Final = {
    "name": "Found the server",
    "reach": "Reached it",
    "tls": "Encrypted",
    "greeting": "Greeted",
    "sign_in": "Signed in",
    "folders": "Read the folders",
    "sender": "May send as this address",
}


@dataclass(frozen=True, slots=True)
class Verdict:
    """Why a check did not pass: one entry, and the steps that it explains."""

    entry: catalogue.Entry
    steps: tuple[CheckStep, ...]

    @property
    def server_words(self) -> list[tuple[str, str]]:
        """What each server said, with which one it was where they say two things: ("receiving", "NO …")."""
        said: dict[str, list[str]] = {}
        for step in self.steps:
            if step.server_words and not any(step.server_words in words for words in said.values()):
                said.setdefault(SERVERS.get(step.server, "").lower(), []).append(step.server_words)
        return [(which if len(said) > 1 else "", "\n".join(words)) for which, words in said.items()]


def verdicts(steps: Sequence[CheckStep]) -> list[Verdict]:
    """One for each cause. What both servers say in the same words, such as of a mistyped password, is said once."""
    return _by_cause([step for step in steps if not step.ok])


def warnings(steps: Sequence[CheckStep]) -> list[Verdict]:
    """The same for the steps that passed with a warning."""
    return _by_cause([step for step in steps if step.ok and step.code])


def _by_cause(steps: Sequence[CheckStep]) -> list[Verdict]:
    found: list[Verdict] = []
    for step in steps:
        explained = entry(step)
        for place, earlier in enumerate(found):
            if (earlier.entry.code, earlier.entry.fix) == (explained.code, explained.fix):
                what = (
                    earlier.entry.what
                    if earlier.entry.what == explained.what
                    else f"{earlier.entry.what} {explained.what}"
                )
                both = replace(explained, title=f"Both servers: {explained.title}", what=what)
                found[place] = Verdict(both, (*earlier.steps, step))
                break
        else:
            found.append(Verdict(explained, (step,)))
    return found


def words(step: CheckStep) -> str:
    """What the step did, or why it did not or should be thought about: "Signed in", "Not encrypted"."""
    done = STEPS.get(step.name, step.name.replace("_", " ").capitalize())
    return entry(step).title if not step.ok or step.code else done


def entry(step: CheckStep) -> catalogue.Entry:
    """The catalogue's entry for a step that failed, or passed with a warning."""
    return catalogue.explain_check(step.code, **step.facts)
