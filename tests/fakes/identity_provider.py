"""What every fake identity provider needs: a key, signed ID tokens, PKCE and a page to sign in on."""

from __future__ import annotations

import base64
import hashlib
import html
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

from joserfc import jwt
from joserfc.jwk import RSAKey


@cache
def signing_key() -> RSAKey:
    """The key of this process: making one takes a tenth of a second."""
    return RSAKey.generate_key(2048, {"kid": "fake-1", "use": "sig", "alg": "RS256"})


def sign(claims: Mapping[str, Any], key: RSAKey | None = None) -> str:
    """A JWT with RS256 (RFC 7519); with another `key` it is a forgery."""
    key = key or signing_key()
    return jwt.encode({"alg": "RS256", "typ": "JWT", "kid": "fake-1"}, dict(claims), key)


def key_set() -> dict[str, Any]:
    """The public half (RFC 7517 section 5)."""
    return {"keys": [signing_key().as_dict(private=False)]}


def fits_challenge(verifier: str, challenge: str, method: str) -> bool:
    """Say whether a code verifier belongs to a code challenge (RFC 7636 section 4.6)."""
    if method == "plain":
        return verifier == challenge
    digest = base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest())
    return method == "S256" and digest.rstrip(b"=").decode() == challenge


@dataclass(frozen=True, slots=True)
class Choice:
    """A button of a page: what is posted when it is pressed."""

    name: str
    value: str
    words: str


def page(
    title: str, words: str, choices: Iterable[Choice], kept: Mapping[str, str], fields: Mapping[str, str] | None = None
) -> str:
    """A page that posts to where it came from: what was asked with it (`kept`) and the button that was pressed.

    `fields` are check boxes, all ticked: name → words.
    """
    hidden = "".join(
        f'<input type="hidden" name="{html.escape(name)}" value="{html.escape(value)}">' for name, value in kept.items()
    )
    boxes = "".join(
        f'<p><label><input type="checkbox" name="granted" value="{html.escape(name)}" checked> '
        f"{html.escape(text)}</label></p>"
        for name, text in (fields or {}).items()
    )
    buttons = "".join(
        f'<p><button name="{html.escape(one.name)}" value="{html.escape(one.value)}">'
        f"{html.escape(one.words)}</button></p>"
        for one in choices
    )
    return (
        f'<!doctype html><html lang="en"><title>{html.escape(title)}</title><h1>{html.escape(title)}</h1>'
        f'<p>{html.escape(words)}</p><form method="post">{hidden}{boxes}{buttons}</form></html>'
    )
