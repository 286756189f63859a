"""The words for the steps of a connection check."""

from __future__ import annotations

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


def words(step: CheckStep) -> str:
    """What the step did, or why it did not: "Signed in", "The server refused the password"."""
    return STEPS.get(step.name, step.name.replace("_", " ").capitalize()) if step.ok else entry(step).title


def entry(step: CheckStep) -> catalogue.Entry:
    """The catalogue's entry for a step that failed."""
    return catalogue.explain_check(step.code, **step.facts)
