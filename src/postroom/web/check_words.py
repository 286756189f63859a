"""The words for the steps of a connection check."""

from __future__ import annotations

from typing import Final

from postroom.providers import catalogue
from postroom.providers.base import CheckStep

SERVERS: Final = {"imap": "Receiving", "smtp": "Sending"}

# step name: (what was done, what could not be done)
STEPS: Final = {
    "name": ("Found the server", "Found no server of that name"),
    "reach": ("Reached it", "Could not reach it"),
    "tls": ("Encrypted", "Could not encrypt"),
    "greeting": ("Greeted", "Did not greet as a mail server"),
    "capabilities": ("Said what it can do", "Did not say what it can do"),
    "sign_in": ("Signed in", "Sign-in refused"),
    "folders": ("Read the folders", "Could not read the folders"),
    "inbox": ("Opened the inbox", "Could not open the inbox"),
    "sender": ("May send as this address", "May not send as this address"),
}


def words(step: CheckStep) -> str:
    """What the step did, or did not: "Signed in", "Sign-in refused"."""
    done, not_done = STEPS.get(step.name, (step.name.replace("_", " ").capitalize(), f"{step.name} failed"))
    return done if step.ok else not_done


def entry(step: CheckStep) -> catalogue.Entry:
    """The catalogue's entry for a step that failed."""
    return catalogue.explain(step.code or "provider_error", **step.facts)
