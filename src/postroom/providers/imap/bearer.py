"""Signing in with an access token: XOAUTH2 (Google's and Microsoft's own) and OAUTHBEARER (RFC 7628).

A server that refuses a token answers with a challenge in JSON and waits for an empty answer before it says no. Such a
token is replaced once: it may have been taken back, or have ended early.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Awaitable, Callable, Collection
from dataclasses import replace
from typing import Final, TypeVar

from postroom.providers.base import Credentials, ServerSettings
from postroom.providers.errors import NeedsReconnect, ProviderError, SignInRefused, Unsupported, WrongSettings

Opened = TypeVar("Opened")

REFUSED: Final = "token_refused"
# Mechanism -> what is said after the challenge (RFC 7628 section 3.2.3). Microsoft offers the first one only.
FAREWELLS = {"XOAUTH2": "", "OAUTHBEARER": base64.b64encode(b"\x01").decode("ascii")}


def choose(offered: Collection[str], settings: ServerSettings) -> str:
    """The mechanism to use; raise WrongSettings("auth_not_offered")."""
    mechanism = next((name for name in FAREWELLS if name in offered), "")
    if not mechanism or settings.security == "none":  # a token is as good as a password to whoever listens
        words = " ".join(sorted(offered))[:200]
        raise WrongSettings("auth_not_offered", host=settings.host, port=settings.port, server_words=words)
    return mechanism


def initial_response(mechanism: str, settings: ServerSettings) -> str:
    """The one answer of the mechanism, base64."""
    if any(letter < " " for letter in settings.username + settings.token):
        raise Unsupported("unsafe_argument")
    if mechanism == "XOAUTH2":
        said = f"user={settings.username}\x01auth=Bearer {settings.token}\x01\x01"
    else:
        name = settings.username.replace("=", "=3D").replace(",", "=2C")  # RFC 5801 section 4
        said = f"n,a={name},\x01host={settings.host}\x01port={settings.port}\x01auth=Bearer {settings.token}\x01\x01"
    return base64.b64encode(said.encode()).decode("ascii")


def challenge_words(challenge: str) -> str:
    """What a server says in its challenge, as text: {"status":"401","schemes":"bearer","scope":"…"}."""
    try:
        return base64.b64decode(challenge, validate=True).decode("utf-8", "replace")[:300]
    except (binascii.Error, ValueError):
        return ""


def refusal(error: ProviderError, settings: ServerSettings) -> ProviderError:
    """What the words of a refusal mean for a token: hints about passwords do not fit."""
    if isinstance(error, SignInRefused) or type(error) is NeedsReconnect:
        return NeedsReconnect(
            REFUSED,
            server_words=error.server_words,
            host=settings.host,
            port=settings.port,
            username=settings.username,
        )
    return error


async def open_with_token(
    credentials: Credentials, settings: ServerSettings, open_: Callable[[ServerSettings], Awaitable[Opened]]
) -> Opened:
    """Open a conversation, with a token where the grant has one; a refused token is replaced once."""
    if credentials.tokens is None:
        return await open_(settings)
    token = await credentials.tokens.access_token()
    try:
        return await open_(replace(settings, token=token))
    except NeedsReconnect as error:
        if error.code != REFUSED:
            raise
    token = await credentials.tokens.access_token(refused=token)
    return await open_(replace(settings, token=token))
