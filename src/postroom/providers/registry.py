"""The providers there are, one line each."""

from __future__ import annotations

import os
from collections.abc import Mapping

from postroom.providers.base import Provider
from postroom.providers.discovery.discover import Discovery
from postroom.providers.discovery.places import Places
from postroom.providers.errors import Unsupported
from postroom.providers.gmail.oauth import GMAIL
from postroom.providers.gmail.provider import GmailProvider
from postroom.providers.guard import NetworkPolicy
from postroom.providers.imap.provider import ImapProvider
from postroom.providers.memory.provider import MemoryProvider
from postroom.providers.oauth import oauth_endpoints
from postroom.providers.outlook.oauth import OUTLOOK
from postroom.providers.outlook.provider import OutlookProvider
from postroom.providers.pace import poll_seconds_of

PROVIDERS: dict[str, Provider] = {}
_DISCOVERY: list[Discovery] = []  # the one of now


def configure(policy: NetworkPolicy, environ: Mapping[str, str] = os.environ) -> None:
    """Make the providers anew with the operator's network policy, endpoints and pace."""
    poll_seconds = poll_seconds_of(environ)
    made: tuple[Provider, ...] = (
        GmailProvider(policy, endpoints=oauth_endpoints(environ, GMAIL), poll_seconds=poll_seconds),
        OutlookProvider(policy, endpoints=oauth_endpoints(environ, OUTLOOK), poll_seconds=poll_seconds),
        ImapProvider(policy),
        MemoryProvider(),
    )
    for provider_ in made:
        PROVIDERS[provider_.name] = provider_
    _DISCOVERY[:] = [Discovery(policy, Places.from_environment(environ))]


def provider(name: str) -> Provider:
    """The provider of that name; raise Unsupported("unknown_provider")."""
    try:
        return PROVIDERS[name]
    except KeyError:
        raise Unsupported("unknown_provider", provider=name) from None


def discovery() -> Discovery:
    """What finds the servers of an address."""
    return _DISCOVERY[0]


configure(NetworkPolicy.from_environment(os.environ))
