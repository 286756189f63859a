"""One cause in words for people, and how a part of the catalogue writes it down."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

Who = Literal["you", "mail administrator", "Postroom administrator", "nobody"]
# The same as pages and commands say it.
WHO_ACTS: Final[dict[Who, str]] = {
    "you": "Who can fix it: you",
    "mail administrator": "Who can fix it: your mail administrator",
    "Postroom administrator": "Who can fix it: your Postroom administrator",
    "nobody": "Nobody has to act: wait",
}

# What a trouble comes down to. The first five are what can be wrong with a mailbox that is connected:
#   reconnect      its owner signs in again, or types a new password
#   administrator  the administrator of the mail service must allow it
#   operator       who runs Postroom, or registered its app, must mend the set-up
#   slow           the provider or the network has trouble of its own; Postroom goes on by itself
#   limit          something is used up: room, messages a day, sign-ins, connections
# and the rest never is the state of a mailbox:
#   message        about one message
#   settings       what was typed does not fit; said while connecting, and after servers moved
#   none           nothing is wrong with any mailbox
Meaning = Literal["reconnect", "administrator", "operator", "slow", "limit", "message", "settings", "none"]

# The same in words for people: title, and what follows for the mailbox.
MEANINGS: Final[dict[Meaning, tuple[str, str]]] = {
    "reconnect": ("Reconnect needed", "The mailbox stands still until its owner has signed in again."),
    "administrator": ("An administrator must act", "Whoever runs the mail service has to allow it."),
    "operator": ("The set-up of Postroom must be fixed", "Whoever runs this Postroom has to change something."),
    "slow": ("The provider is slow", "Nothing is lost and nobody has to act: Postroom goes on by itself."),
    "limit": ("A limit is reached", "Something is used up at the provider; Postroom goes on when there is room again."),
    "message": ("About one message", "The mailbox goes on as before."),
    "settings": ("The settings do not fit", "Compare host, port and encryption with the provider's help page."),
    "none": ("Nothing is wrong with a mailbox", "No mailbox is touched by it."),
}

RETRY = "Postroom tries again by itself. Mail that arrives meanwhile stays on the server and is fetched then."


@dataclass(frozen=True, slots=True)
class Entry:
    """One code. `fix` are steps in order, empty when there is nothing to do; `docs` is its help page, relative to the
    address of Postroom; `meaning` is what to do about it in one word."""

    code: str
    title: str
    what: str
    fix: tuple[str, ...]
    who: Who
    docs: str
    meaning: Meaning

    @property
    def who_acts(self) -> str:
        return WHO_ACTS[self.who]


def entry(code: str, title: str, what: str, *fix: str, meaning: Meaning, who: Who = "you") -> Entry:
    """An entry as the parts of the catalogue write it: words with braces for facts (words.py), one step an argument."""
    return Entry(code, title, what, fix, who, f"help/{code}/", meaning)
