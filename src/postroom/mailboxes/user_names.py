"""Which forms of a user name are tried, and which of them a check found to work."""

from __future__ import annotations

from collections.abc import Sequence
from copy import deepcopy
from dataclasses import replace

from postroom.mailboxes.connect import ConnectRequest
from postroom.providers.base import CheckStep


def other_forms(address: str, username: str) -> tuple[str, ...]:
    """What to try after `username`: the whole address, then the part before the @.

    None after a name that is neither: whoever typed it knows what the server calls him.
    """
    forms = (address, address.rpartition("@")[0])
    return tuple(form for form in forms if form != username) if username in forms else ()


def with_other_forms(request: ConnectRequest) -> ConnectRequest:
    """The request with the forms that its check may try besides."""
    typed = [str(server["username"]) for server in request.secrets.values() if server.get("username")]
    others = dict.fromkeys(form for username in typed for form in other_forms(request.address, username))
    return replace(request, other_usernames=tuple(others))


def settled(request: ConnectRequest, steps: Sequence[CheckStep]) -> ConnectRequest:
    """The request with the user names that worked, as its check named them (Credentials.other_usernames)."""
    secrets = deepcopy(request.secrets)
    for step in steps:
        worked = step.facts.get("username") if step.ok and step.name == "sign_in" else None
        if worked and step.server in secrets:
            secrets[step.server]["username"] = str(worked)
    return replace(request, secrets=secrets, other_usernames=())
