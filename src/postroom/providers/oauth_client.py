"""OAuth 2 with a provider: to its sign-in page, from code to tokens, fresh tokens, and who signed in.

RFC 6749 (code, refresh), RFC 7636 (PKCE, S256 only), RFC 7009 (revocation), OpenID Connect Core 3.1.3.7 (ID token).
Authlib builds the requests and joserfc verifies signatures; our HttpClient carries them. What is done about an error
answer hangs on its `error` alone; what it says besides chooses the words (`OAuth.reasons`).
"""

from __future__ import annotations

import json
import re
import secrets
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any
from urllib.parse import urlsplit

import httpx
from authlib.oauth2.auth import ClientAuth
from authlib.oauth2.rfc6749.parameters import prepare_grant_uri, prepare_token_request
from authlib.oauth2.rfc7636 import create_s256_code_challenge
from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import KeySet

from postroom.providers.errors import (
    NeedsAdministrator,
    NeedsReconnect,
    ProtocolViolation,
    ProviderError,
    Throttled,
    Unreachable,
)
from postroom.providers.http import HttpClient, told
from postroom.providers.oauth import Endpoints, OAuth

SECONDS = 15.0  # for one answer of a token endpoint
MOST_OCTETS = 1024 * 1024
CLOCKS_DIFFER_SECONDS = 60
_USUAL_LIFE_SECONDS = 3600.0  # of an access token whose answer does not say (RFC 6749 section 5.1)
_ALGORITHMS = ["RS256"]
_NUMBER = re.compile(r"\b([A-Z]{4,8}\d{1,9})\b")  # AADSTS65001 in the words of an answer

# `error` -> what is done. Whatever is missing here is a fault of the registration or of ours.
_ASK_AGAIN = {"invalid_grant", "interaction_required", "consent_required", "login_required", "access_denied"}
_BUSY = {"temporarily_unavailable", "server_error", "slow_down", "rate_limit_exceeded"}
_USUAL_CODES = {
    "invalid_grant": "grant_revoked",
    "interaction_required": "grant_expired",
    "login_required": "grant_expired",
    "consent_required": "consent_refused",
    "access_denied": "consent_refused",
    "invalid_client": "app_secret_refused",
}


@dataclass(frozen=True, slots=True)
class Registration:
    """Our registration at a provider, with the endpoints of its tenant and our redirect address."""

    client_id: str
    client_secret: str = field(repr=False)
    endpoints: Endpoints
    redirect_uri: str = ""


@dataclass(frozen=True, slots=True)
class Proofs:
    """What one journey must prove when it comes back. Secret until then."""

    state: str = field(repr=False)
    verifier: str = field(repr=False)
    nonce: str = field(repr=False)

    @classmethod
    def make(cls) -> Proofs:
        return cls(secrets.token_urlsafe(32), secrets.token_urlsafe(64), secrets.token_urlsafe(32))


@dataclass(frozen=True, slots=True)
class TokenAnswer:
    """A successful answer of the token endpoint (RFC 6749 section 5.1). `scope` is "" where it is as asked."""

    access_token: str = field(repr=False)
    refresh_token: str = field(repr=False)
    life_seconds: float
    scope: str
    id_token: str = field(default="", repr=False)
    refresh_life_seconds: float | None = None


@dataclass(frozen=True, slots=True)
class Person:
    """Who signed in: the provider's unchanging name for the account, and its address."""

    subject: str
    address: str


class OAuthClient:
    """Speaks with one provider for one registration. `http` is closed by whoever made it."""

    def __init__(self, http: HttpClient, oauth: OAuth, registration: Registration) -> None:
        self._http = http
        self._oauth = oauth
        self._registration = registration

    async def exchange(self, code: str, verifier: str) -> TokenAnswer:
        """Trade a code for tokens, once. Raises the error's class."""
        registration = self._registration
        return _token_answer(
            await self._ask_token(
                "authorization_code", code=code, redirect_uri=registration.redirect_uri, code_verifier=verifier
            )
        )

    async def refresh(self, refresh_token: str) -> TokenAnswer:
        """A fresh access token for all that was granted, with the next refresh token where there is one with each."""
        answer = _token_answer(await self._ask_token("refresh_token", refresh_token=refresh_token))
        return answer if answer.refresh_token else replace(answer, refresh_token=refresh_token)

    async def revoke(self, token: str) -> None:
        """Take the permission back (RFC 7009), where the provider has an address for it.

        Raises Unreachable where it cannot do it just now; what it refuses for good is not there to be taken back.
        """
        url = self._registration.endpoints.revoke
        if not url:
            return
        answer = await self._post(url, prepare_token_request("", token=token))
        if answer.status_code == 429 or answer.status_code >= 500:
            raise Unreachable("sign_in_busy", host=urlsplit(url).hostname, provider=self._oauth.owner)

    async def check(self) -> None:
        """Ask for tokens with a code that cannot be valid: a refusal of the code says that id and secret are right.

        Raises NeedsAdministrator with the cause when the registration is refused. That Microsoft looks at the secret
        before the code is not documented; a wrong one then shows at the first sign-in.
        """
        try:
            await self.exchange("postroom-checks-its-registration", secrets.token_urlsafe(48))
        except NeedsReconnect:
            return
        raise ProtocolViolation("identity_not_proven", host=urlsplit(self._registration.endpoints.token).hostname)

    async def identify(self, answer: TokenAnswer, nonce: str) -> Person:
        """Who signed in, proven by the ID token; the address as the mailbox itself tells it, where it does."""
        claims = await self._claims(answer.id_token, nonce)
        named = [str(claims.get(name) or "") for name in self._oauth.subject_claims]
        subject = "/".join(named) if all(named) else str(claims["sub"])
        claimed = str(claims.get("email") or claims.get("preferred_username") or "")
        return Person(subject, (await self._address(answer.access_token) or claimed).strip().lower())

    async def _claims(self, id_token: str, nonce: str) -> dict[str, Any]:
        """The claims of an ID token whose signature, issuer, audience, time and nonce are right."""
        keys = await self._read("GET", self._registration.endpoints.keys)
        try:
            claims = jwt.decode(id_token, KeySet.import_key_set(json.loads(keys.content)), _ALGORITHMS).claims
            registry = jwt.JWTClaimsRegistry(
                leeway=CLOCKS_DIFFER_SECONDS,
                exp={"essential": True},
                sub={"essential": True},
                nonce={"essential": True, "value": nonce},
            )
            registry.validate(claims)
        except (JoseError, ValueError, TypeError, KeyError) as error:
            raise self._unproven() from error
        audience = claims.get("aud")
        audiences = audience if isinstance(audience, list) else [audience]
        is_ours = self._registration.client_id in audiences
        if len(audiences) > 1 or "azp" in claims:
            is_ours = is_ours and claims.get("azp") == self._registration.client_id
        if not is_ours or not self.believes(str(claims.get("iss")), str(claims.get("tid") or "")):
            raise self._unproven()
        return claims

    def believes(self, issuer: str, tenant: str = "") -> bool:
        """Whether `iss` is the provider's. Without `tenant` (RFC 9207) any is taken in its place."""
        for known in self._registration.endpoints.issuers:
            before, brace, after = known.partition("{tid}")
            if not brace and issuer == known:
                return True
            if brace and issuer.startswith(before) and issuer.endswith(after):
                named = issuer[len(before) : len(issuer) - len(after)]
                if re.fullmatch(r"[0-9A-Za-z.-]{1,100}", named) and (not tenant or named == tenant):
                    return True
        return False

    async def _address(self, access_token: str) -> str:
        """The address that the mailbox itself names; "" where it may not, since the ID token has one too.

        A provider that cannot answer just now is no reason to believe less.
        """
        if not self._oauth.profile_path:
            return ""
        url = self._registration.endpoints.api + self._oauth.profile_path
        answer = await self._read("GET", url, headers={"Authorization": f"Bearer {access_token}"})
        if answer.status_code == 429 or answer.status_code >= 500:
            raise Unreachable("sign_in_busy", host=urlsplit(url).hostname, provider=self._oauth.owner)
        if answer.status_code != 200:
            return ""
        profile = _json(answer)
        return next((str(profile[name]) for name in self._oauth.profile_fields if profile.get(name)), "")

    async def _ask_token(self, grant_type: str, **parameters: str) -> dict[str, Any]:
        body = prepare_token_request(grant_type, **parameters)
        registration = self._registration
        auth = ClientAuth(registration.client_id, registration.client_secret, self._oauth.authentication)
        _, headers, body = auth.prepare("POST", registration.endpoints.token, {}, body)
        answer = await self._post(registration.endpoints.token, body, headers)
        if answer.status_code != 200:
            raise self._error(answer, (registration.client_secret, *parameters.values()))
        return _json(answer)

    async def _post(self, url: str, body: str, headers: Mapping[str, str] | None = None) -> httpx.Response:
        form = {"Content-Type": "application/x-www-form-urlencoded", "Accept": "application/json"}
        return await self._read("POST", url, headers={**form, **(headers or {})}, content=body.encode())

    async def _read(
        self, method: str, url: str, *, headers: Mapping[str, str] | None = None, content: bytes | None = None
    ) -> httpx.Response:
        """One answer whole, bounded."""
        asked = self._http.stream(method, url, headers=headers, content=content, timeout_seconds=SECONDS)
        octets = bytearray()
        async with asked as response:
            with told(url):
                async for piece in response.aiter_bytes():
                    octets += piece
                    if len(octets) > MOST_OCTETS:
                        raise ProtocolViolation("flood", host=urlsplit(url).hostname, limit=MOST_OCTETS)
        return httpx.Response(
            response.status_code,
            headers={name: response.headers[name] for name in ("retry-after",) if name in response.headers},
            content=bytes(octets),
        )

    def _error(self, answer: httpx.Response, told_secrets: tuple[str, ...]) -> ProviderError:
        host = urlsplit(self._registration.endpoints.token).hostname
        said = _json_or_nothing(answer)
        if answer.status_code == 429:
            seconds = _seconds(answer.headers.get("retry-after"))
            return Throttled("sign_in_busy", retry_after_seconds=seconds, host=host, provider=self._oauth.owner)
        if answer.status_code >= 500 or not said.get("error"):
            return Unreachable("sign_in_busy", host=host, provider=self._oauth.owner)
        words = f"{said['error']}: {said.get('error_description', '')}".strip(": ")[:500]
        for secret in filter(None, told_secrets):
            words = words.replace(secret, "…")
        return error_of(self._oauth, said, server_words=words, host=host)

    def _unproven(self) -> ProviderError:
        host = urlsplit(self._registration.endpoints.token).hostname
        return ProtocolViolation("identity_not_proven", host=host, provider=self._oauth.owner)


def authorization_url(
    oauth: OAuth,
    registration: Registration,
    proofs: Proofs,
    *,
    scope: str,
    login_hint: str = "",
    asks_consent: bool = False,
) -> str:
    """Where the browser goes to sign in."""
    more = dict(oauth.authorize_parameters) | ({"prompt": "consent"} if asks_consent else {})
    url: str = prepare_grant_uri(
        registration.endpoints.authorize,
        registration.client_id,
        "code",
        redirect_uri=registration.redirect_uri,
        scope=scope,
        state=proofs.state,
        nonce=proofs.nonce,
        code_challenge=create_s256_code_challenge(proofs.verifier),
        code_challenge_method="S256",
        login_hint=login_hint or None,
        **more,
    )
    return url


def error_of(oauth: OAuth, said: Mapping[str, Any], *, server_words: str = "", **facts: Any) -> ProviderError:
    """An error answer (RFC 6749 sections 4.1.2.1 and 5.2) in our classes, by `error` alone."""
    error = str(said.get("error") or "")
    code = next((oauth.reasons[one] for one in _hints(said) if one in oauth.reasons), "") or _USUAL_CODES.get(error, "")
    facts |= {"provider": oauth.owner}
    if error in _ASK_AGAIN:
        return NeedsReconnect(code or "grant_revoked", server_words=server_words, **facts)
    if error in _BUSY:
        return Unreachable("sign_in_busy", server_words=server_words, **facts)
    return NeedsAdministrator(code or "app_misconfigured", server_words=server_words, **facts)


def _hints(said: Mapping[str, Any]) -> Iterator[str]:
    """What an answer says besides `error`, the most exact first."""
    numbers = said.get("error_codes")
    words = str(said.get("error_description") or "")
    if isinstance(numbers, list) and (prefix := _NUMBER.search(words)):
        letters = prefix[1].rstrip("0123456789")
        yield from (f"{letters}{number}" for number in numbers)
    yield from _NUMBER.findall(words)
    for name in ("error_subtype", "suberror", "error_subcode", "error"):
        if said.get(name):
            yield str(said[name])


def _token_answer(said: Mapping[str, Any]) -> TokenAnswer:
    access_token = said.get("access_token")
    if not isinstance(access_token, str) or not access_token:
        raise ProtocolViolation("identity_not_proven")
    return TokenAnswer(
        access_token,
        str(said.get("refresh_token") or ""),
        _seconds(said.get("expires_in")) or _USUAL_LIFE_SECONDS,
        str(said.get("scope") or ""),
        str(said.get("id_token") or ""),
        _seconds(said.get("refresh_token_expires_in")),
    )


def _seconds(value: Any) -> float | None:
    try:
        seconds = float(value)
    except (TypeError, ValueError):
        return None
    return seconds if 0 < seconds < 10 * 365 * 86400 else None


def _json(answer: httpx.Response) -> dict[str, Any]:
    said = _json_or_nothing(answer)
    if not said:
        raise ProtocolViolation("identity_not_proven")
    return said


def _json_or_nothing(answer: httpx.Response) -> dict[str, Any]:
    try:
        said = json.loads(answer.content)
    except ValueError:
        return {}
    return said if isinstance(said, dict) else {}
