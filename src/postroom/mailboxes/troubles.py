"""What keeps a mailbox from working, direction by direction, and what it comes down to: one of five meanings.

A mailbox can fail in one direction only, so it has up to two troubles: one of signing in or receiving, one of sending.
Where both have the same cause they are one, since one act mends both.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final, Literal, cast

from django.db.models import Q, QuerySet

from postroom.mailboxes.models import DirectionState, Mailbox
from postroom.providers import catalogue

Direction = Literal["sign-in", "receiving", "sending"]
Meaning = Literal["reconnect", "administrator", "operator", "slow", "limit"]

NEEDS_A_PERSON: Final = frozenset({"reconnect", "administrator", "operator"})

# Columns of a mailbox that sends: what it was asked last went well, or its servers were checked anew.
SENDING_WELL: Final[Mapping[str, Any]] = {
    "sending_code": "",
    "sending_facts": {},
    "sending_words": "",
    "sending_failing_since": None,
    "sending_told_at": None,
}

# What an entry of the catalogue that is meant for one message or for a form says about a whole mailbox.
_BY_WHO: Final[Mapping[str, Meaning]] = {
    "you": "reconnect",
    "mail administrator": "administrator",
    "Postroom administrator": "operator",
    "nobody": "slow",
}


@dataclass(frozen=True, slots=True)
class MeaningWords:
    """A meaning in words: its title, and who has to act."""

    title: str
    who: str


_WHO: Final[Mapping[Meaning, str]] = {
    "reconnect": "The mailbox's owner has to sign in again, or mend its servers.",
    "administrator": "Whoever administers the mail service has to allow it.",
    "operator": "Whoever runs this Postroom has to act.",
    "slow": "Nobody has to act. Postroom goes on by itself.",
    "limit": "Usually it passes by itself; what to do if not stands below.",
}
# The titles are those of the help pages.
WORDS: Final[Mapping[Meaning, MeaningWords]] = {
    meaning: MeaningWords(catalogue.MEANINGS[meaning][0], who) for meaning, who in _WHO.items()
}


@dataclass(frozen=True, slots=True)
class Trouble:
    """One trouble of a mailbox. `since` is None where it has only just begun to be told."""

    direction: Direction
    meaning: Meaning
    entry: catalogue.Entry
    since: datetime | None
    server_words: str = field(default="", repr=False)

    @property
    def needs_a_person(self) -> bool:
        return self.meaning in NEEDS_A_PERSON

    @property
    def words(self) -> MeaningWords:
        return WORDS[self.meaning]


def meaning_of(entry: catalogue.Entry) -> Meaning:
    """What an error says about the mailbox that it keeps from working."""
    return cast(Meaning, entry.meaning) if entry.meaning in WORDS else _BY_WHO[entry.who]


def passing_codes() -> list[str]:
    """The codes that ask for nobody: of a provider that is slow, or a limit that is reached."""
    return [code for code, entry in catalogue.CATALOGUE.items() if meaning_of(entry) not in NEEDS_A_PERSON]


def in_trouble(mailboxes: QuerySet[Mailbox]) -> QuerySet[Mailbox]:
    """Those of which `troubles_of` may say something."""
    wrong = Q(needs_reconnect=True) | ~Q(error_code="") | Q(sending_state=DirectionState.FAILING)
    return mailboxes.filter(wrong)


def troubles_of(mailbox: Mailbox) -> tuple[Trouble, ...]:
    """What is wrong now, the worse first; () for a mailbox that works."""
    found = [trouble for trouble in (_of_receiving(mailbox), _of_sending(mailbox)) if trouble is not None]
    return tuple(sorted(found, key=lambda one: not one.needs_a_person))


def meaning(mailbox: Mailbox) -> Meaning | None:
    """The worst of its troubles in one word; None while it works."""
    found = troubles_of(mailbox)
    return found[0].meaning if found else None


def fails_only_to_send(mailbox: Mailbox) -> bool:
    """Whether its mail is read as ever, while what sends it is refused or cannot be reached."""
    failing = DirectionState.FAILING
    return mailbox.sending_state == failing and failing not in (mailbox.sign_in_state, mailbox.receiving_state)


def _of_receiving(mailbox: Mailbox) -> Trouble | None:
    entry = mailbox.error
    if not (mailbox.reads or mailbox.needs_reconnect):
        return None  # nobody tries any more, so nothing says that it is over
    if entry is None:
        if not mailbox.needs_reconnect:
            return None
        entry = catalogue.explain("needs_reconnect")
    where = _where(mailbox)
    since = (mailbox.sending_failing_since if where == "sending" else mailbox.failing_since) or mailbox.error_at
    return Trouble(where, _meaning_here(mailbox, entry), entry, since, mailbox.error_words)


def _where(mailbox: Mailbox) -> Direction:
    if fails_only_to_send(mailbox):
        return "sending"
    is_refused = mailbox.needs_reconnect or mailbox.sign_in_state == DirectionState.FAILING
    return "sign-in" if is_refused else "receiving"


def _meaning_here(mailbox: Mailbox, entry: catalogue.Entry) -> Meaning:
    """What is refused until its owner signs in is his, whatever the cause was."""
    found = meaning_of(entry)
    return "reconnect" if mailbox.needs_reconnect and found not in NEEDS_A_PERSON else found


def _of_sending(mailbox: Mailbox) -> Trouble | None:
    if mailbox.sending_state != DirectionState.FAILING or not (mailbox.sends and mailbox.sending_code):
        return None
    if mailbox.sending_code == mailbox.error_code:
        return None  # it is told already
    entry = catalogue.explain(mailbox.sending_code, **mailbox.sending_facts)
    return Trouble("sending", meaning_of(entry), entry, mailbox.sending_failing_since, mailbox.sending_words)
