"""Which forms of a user name are tried, and which of them a check found to work. `secrets` as in Credentials."""

from __future__ import annotations

from collections.abc import Sequence
from copy import deepcopy
from typing import Any

from postroom.mail.address import spellings
from postroom.providers.base import CheckStep


def other_forms(address: str, username: str) -> tuple[str, ...]:
    """What to try after `username`: the whole address, in both spellings of an international domain, then the part
    before the @.

    None after a name that is neither: whoever typed it knows what the server calls him.
    """
    forms = (*spellings(address), address.rpartition("@")[0])
    return tuple(form for form in forms if form != username) if username in forms else ()


def forms_besides(address: str, secrets: dict[str, Any]) -> tuple[str, ...]:
    """What a check may try besides the names in `secrets`, each once; a server without one is told the address."""
    servers = [server for server in secrets.values() if isinstance(server, dict)]
    named = [str(server.get("username") or address) for server in servers]
    return tuple(dict.fromkeys(form for username in named for form in other_forms(address, username)))


def settled(secrets: dict[str, Any], steps: Sequence[CheckStep]) -> dict[str, Any]:
    """The secrets with the user names that worked, as the check named them (Credentials.other_usernames)."""
    kept = deepcopy(secrets)
    for step in steps:
        worked = step.facts.get("username") if step.ok and step.name == "sign_in" else None
        if worked and isinstance(kept.get(step.server), dict):
            kept[step.server]["username"] = str(worked)
    return kept
