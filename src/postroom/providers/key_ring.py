"""A provider's public keys, and what the tokens say that they signed (RFC 7515, 7517, 7519)."""

from __future__ import annotations

import base64
import binascii
import json
import time
from contextlib import suppress
from typing import Any, Final

from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import KeySet

from postroom.providers.http import HttpClient

KEPT_SECONDS: Final = 3600.0
# Between two readings for a key that is not known: whoever forges tokens names such keys.
PATIENCE_SECONDS: Final = 60.0
CLOCKS_DIFFER_SECONDS: Final = 60
_TIMEOUT_SECONDS: Final = 10.0


class KeyRing:
    """The keys at one address, read when they are needed, kept for an hour, and longer when nobody tells newer ones."""

    def __init__(self, http: HttpClient, url: str) -> None:
        self._http = http
        self._url = url
        self._keys: KeySet | None = None
        self._asked_at = float("-inf")

    async def claims(self, token: str) -> dict[str, Any] | None:
        """The claims of a token (RS256) that one of the keys signed and whose time is now; None for any other.

        Raises Unreachable and its like when the keys cannot be read.
        """
        age = time.monotonic() - self._asked_at
        if age > KEPT_SECONDS or (self._keys is None and age > PATIENCE_SECONDS):
            await self._read()
        claims = self._decoded(token)
        if claims is None and age > PATIENCE_SECONDS and self._names_unknown_key(token):
            await self._read()
            claims = self._decoded(token)
        return claims

    async def _read(self) -> None:
        try:
            answer = await self._http.request("GET", self._url, timeout_seconds=_TIMEOUT_SECONDS)
        finally:
            self._asked_at = time.monotonic()
        # What says no, or is no set of keys, does not take away those that are known.
        with suppress(JoseError, ValueError, TypeError, KeyError):
            self._keys = KeySet.import_key_set(json.loads(answer.content))

    def _decoded(self, token: str) -> dict[str, Any] | None:
        if self._keys is None:
            return None
        try:
            claims = jwt.decode(token, self._keys, ["RS256"]).claims
            jwt.JWTClaimsRegistry(leeway=CLOCKS_DIFFER_SECONDS, exp={"essential": True}).validate(claims)
        except (JoseError, ValueError, TypeError):
            return None
        return dict(claims)

    def _names_unknown_key(self, token: str) -> bool:
        known = {key.kid for key in self._keys.keys} if self._keys else set()
        return _key_named_by(token) not in known


def _key_named_by(token: str) -> object:
    head = token.partition(".")[0]
    try:
        header = json.loads(base64.urlsafe_b64decode(head + "=" * (-len(head) % 4)))
    except (binascii.Error, ValueError):
        return None
    return header.get("kid") if isinstance(header, dict) else None
