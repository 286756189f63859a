"""The providers there are, one line each, and those that are announced."""

from __future__ import annotations

import os
from dataclasses import dataclass

from postroom.providers.base import Provider
from postroom.providers.errors import Unsupported
from postroom.providers.guard import NetworkPolicy
from postroom.providers.imap.provider import ImapProvider
from postroom.providers.memory.provider import MemoryProvider

PROVIDERS: dict[str, Provider] = {}


@dataclass(frozen=True, slots=True)
class AnnouncedProvider:
    """A provider that the pages name before it exists, with what is missing."""

    name: str
    title: str
    missing: str


ANNOUNCED = [
    AnnouncedProvider(
        "gmail", "Gmail", "Connecting with Google is being built. Until then Gmail works by IMAP with an app password."
    ),
    AnnouncedProvider(
        "outlook", "Outlook and Microsoft 365", "Connecting with Microsoft is being built; passwords do not work there."
    ),
]


def configure(policy: NetworkPolicy) -> None:
    """Make the providers anew with the operator's network policy."""
    for provider_ in (
        ImapProvider(policy),
        MemoryProvider(),
    ):
        PROVIDERS[provider_.name] = provider_


def provider(name: str) -> Provider:
    """The provider of that name; raise Unsupported("unknown_provider")."""
    try:
        return PROVIDERS[name]
    except KeyError:
        raise Unsupported("unknown_provider", provider=name) from None


configure(NetworkPolicy.from_environment(os.environ))
