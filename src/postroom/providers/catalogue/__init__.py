"""The words for people about every error code: what happened, who can act, what to do.

Web, API, command line and docs read this and nothing else. One part a subject; a part is a tuple of entries.
"""

from __future__ import annotations

from dataclasses import replace

from postroom.providers.catalogue import (
    answers,
    approval,
    classes,
    completeness,
    connection_test,
    consent,
    discovery,
    encryption,
    handover,
    health,
    journeys,
    limits,
    passwords,
    postroom,
    programs,
    reaching,
    sending,
    warnings,
)
from postroom.providers.catalogue.entry import MEANINGS, WHO_ACTS, Entry, Meaning, Who
from postroom.providers.catalogue.words import filled, for_a_check

__all__ = ["CATALOGUE", "ENTRIES", "MEANINGS", "WHO_ACTS", "Entry", "Meaning", "Who", "explain", "explain_check"]

ENTRIES: tuple[Entry, ...] = (
    *classes.ENTRIES,
    # connecting
    *discovery.ENTRIES,
    *reaching.ENTRIES,
    *encryption.ENTRIES,
    *passwords.ENTRIES,
    *warnings.ENTRIES,
    *consent.ENTRIES,
    *journeys.ENTRIES,
    *approval.ENTRIES,
    *connection_test.ENTRIES,
    # running
    *health.ENTRIES,
    *limits.ENTRIES,
    *answers.ENTRIES,
    *programs.ENTRIES,
    *completeness.ENTRIES,
    *sending.ENTRIES,
    *handover.ENTRIES,
    *postroom.ENTRIES,
)
CATALOGUE: dict[str, Entry] = {entry.code: entry for entry in ENTRIES}


def explain(code: str, **facts: object) -> Entry:
    """The entry of that code with the facts filled in; an unknown code gets the words of "provider_error"."""
    return filled(CATALOGUE.get(code) or replace(CATALOGUE["provider_error"], code=code), facts)


def explain_check(code: str, **facts: object) -> Entry:
    """The entry for a step of a connection check, after which nothing goes on by itself."""
    return for_a_check(explain(code or "provider_error", **facts))
