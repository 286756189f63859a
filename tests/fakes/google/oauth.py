"""Google's side of OAuth 2: a sign-in page, consent scope by scope, codes, tokens and their end.

Sources: developers.google.com/identity/protocols/oauth2/web-server, /openid-connect, /granular-permissions.
"""

from __future__ import annotations

import secrets
import time
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from hashlib import sha256
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

from tests.fakes.identity_provider import Choice, fits_challenge, key_set, page, sign
from tests.fakes.served import Answer, Request, html_answer, json_answer, redirect

if TYPE_CHECKING:
    from tests.fakes.google.server import FakeGoogle

AUTHORIZE, TOKEN, REVOKE = "/o/oauth2/v2/auth", "/token", "/revoke"
KEYS, USERINFO, CONFIGURATION = "/oauth2/v3/certs", "/v1/userinfo", "/.well-known/openid-configuration"
CODE_SECONDS = 600
GMAIL_MODIFY = "https://www.googleapis.com/auth/gmail.modify"

# Google tells the granted scopes by other names than two of them were asked by.
_LONG_NAMES = {
    "email": "https://www.googleapis.com/auth/userinfo.email",
    "profile": "https://www.googleapis.com/auth/userinfo.profile",
}
_NOT_REFUSED_ALONE = {"openid", *_LONG_NAMES.values()}  # signing in has no check boxes
_PAGES = {
    "org_internal": "This app is restricted to users within its organization.",
    "admin_policy_enforced": "Your organization's administrator must review this app before you can sign in with it.",
    "redirect_uri_mismatch": "You can't sign in because this app sent an invalid request.",
    "invalid_client": "The OAuth client was not found.",
    "invalid_request": "Missing required parameter.",
    "invalid_scope": "Some requested scopes were invalid.",
}


@dataclass
class Client:
    """The operator's registration. `redirect_uris` None: any, since the tests' ports change."""

    client_id: str
    secret: str
    redirect_uris: frozenset[str] | None = None


@dataclass
class GoogleGrant:
    """What one person allowed, for as long as it lives; its refresh token never rotates."""

    address: str
    client_id: str
    scopes: tuple[str, ...]
    refresh_token: str
    is_alive: bool = True
    dies_at: float = 0.0  # of a grant for a limited time; 0: never


@dataclass
class AccessToken:
    """What an API call is made with."""

    grant: GoogleGrant
    scopes: tuple[str, ...]
    expires_at: float


@dataclass
class Code:
    """An authorization code with what it has to come back with."""

    asked: Mapping[str, str]
    address: str
    scopes: tuple[str, ...]
    made_at: float
    grant: GoogleGrant | None = None  # that it was used for


@dataclass
class GoogleOAuth:
    """Grants, codes and tokens. `refreshes` counts refresh calls that were answered with a token, by address."""

    google: FakeGoogle
    clients: dict[str, Client] = field(default_factory=dict)
    names: dict[str, str] = field(default_factory=dict)  # the people who can sign in, by address
    subjects: dict[str, str] = field(default_factory=dict)
    grants: list[GoogleGrant] = field(default_factory=list)
    access_tokens: dict[str, AccessToken] = field(default_factory=dict)
    codes: dict[str, Code] = field(default_factory=dict)
    refreshes: Counter[str] = field(default_factory=Counter)
    time_limited_seconds: int = 0  # of the grants that are made from now on; 604800 for a project in testing

    def add_person(self, address: str, name: str = "", subject: str = "") -> None:
        """Let somebody sign in."""
        self.names.setdefault(address, name or address.partition("@")[0].title())
        digits = str(int(sha256(address.lower().encode()).hexdigest(), 16))[:20]
        self.subjects.setdefault(address, subject or f"1{digits}")

    def make_grant(self, address: str, scopes: tuple[str, ...], client_id: str) -> GoogleGrant:
        """Write down that somebody allowed it."""
        dies_at = time.time() + self.time_limited_seconds if self.time_limited_seconds else 0.0
        grant = GoogleGrant(address, client_id, scopes, f"1//{secrets.token_urlsafe(32)}", dies_at=dies_at)
        self.grants.append(grant)
        return grant

    def make_access_token(self, grant: GoogleGrant, scopes: tuple[str, ...] = ()) -> str:
        """A fresh access token."""
        token = f"ya29.{secrets.token_urlsafe(48)}"
        expires_at = time.time() + self.google.faults.access_token_seconds
        self.access_tokens[token] = AccessToken(grant, scopes or grant.scopes, expires_at)
        return token

    def find_token(self, token: str) -> AccessToken | None:
        """The access token, while it is good for anything."""
        found = self.access_tokens.get(token)
        return found if found and found.grant.is_alive and found.expires_at > time.time() else None

    def revoke(self, address: str) -> None:
        """End everything that person allowed, for every client of the project."""
        for grant in self.grants:
            if grant.address.lower() == address.lower():
                grant.is_alive = False

    def expire_tokens(self, address: str = "") -> None:
        """Let access tokens be over."""
        for token in self.access_tokens.values():
            if not address or token.grant.address.lower() == address.lower():
                token.expires_at = 0.0

    def answer(self, request: Request) -> Answer | None:
        """What Google answers there; None where OAuth has no such address."""
        match request.method, request.path:
            case ("GET" | "POST", path) if path == AUTHORIZE:
                return self._authorize(request)
            case ("POST", path) if path == TOKEN:
                return self._token(request)
            case ("POST", path) if path == REVOKE:
                return self._revoke(request)
            case ("GET", path) if path == KEYS:
                return json_answer(200, key_set(), {"Cache-Control": "public, max-age=20000"})
            case ("GET", path) if path == USERINFO:
                return self._userinfo(request)
            case ("GET", path) if path == CONFIGURATION:
                return json_answer(200, self._configuration())
        return None

    # The pages

    def _authorize(self, request: Request) -> Answer:
        asked = dict(request.query)
        if problem := self._problem(asked):
            return _error_page(problem)
        pressed = request.form() if request.method == "POST" else {}
        if "account" not in pressed:
            return html_answer(200, self._sign_in_page(asked))
        address = pressed["account"]
        refusal = self.google.faults.refuses_to_ask.get(address, "")
        if refusal and refusal != "access_denied":
            return _error_page(refusal)
        if refusal or pressed.get("decision") == "refuse":
            return self._back(asked, {"error": "access_denied"})
        scopes = self._asked_scopes(asked)
        if "decision" not in pressed:
            return html_answer(200, self._consent_page(asked, address, scopes))
        ticked = {value for name, value in request.pairs() if name == "granted"}
        granted = tuple(one for one in scopes if one in _NOT_REFUSED_ALONE or one in ticked)
        if asked.get("include_granted_scopes") == "true":
            earlier = [one for grant in self.grants if self._is_of(grant, address, asked) for one in grant.scopes]
            granted = tuple(dict.fromkeys((*granted, *earlier)))
        code = f"4/0A{secrets.token_urlsafe(40)}"
        self.codes[code] = Code(asked, address, granted, time.time())
        return self._back(asked, {"code": code, "scope": " ".join(granted), "authuser": "0", "prompt": "consent"})

    def _problem(self, asked: Mapping[str, str]) -> str:
        client = self.clients.get(asked.get("client_id", ""))
        if client is None:
            return "invalid_client"
        if client.redirect_uris is not None and asked.get("redirect_uri") not in client.redirect_uris:
            return "redirect_uri_mismatch"
        if asked.get("response_type") != "code" or not asked.get("redirect_uri") or not asked.get("scope"):
            return "invalid_request"
        if "code_challenge" in asked and asked.get("code_challenge_method") != "S256":
            return "invalid_request"
        return ""

    def _sign_in_page(self, asked: Mapping[str, str]) -> str:
        hinted = asked.get("login_hint", "").lower()
        people = sorted(self.names, key=lambda address: (address.lower() != hinted, address))
        choices = [Choice("account", address, f"{self.names[address]} {address}") for address in people]
        return page("Choose an account", "to continue to the application", choices, {})

    def _consent_page(self, asked: Mapping[str, str], address: str, scopes: tuple[str, ...]) -> str:
        boxes = {one: one for one in scopes if one not in _NOT_REFUSED_ALONE}
        choices = [Choice("decision", "allow", "Continue"), Choice("decision", "refuse", "Cancel")]
        words = f"The application wants access to the Google Account of {address}"
        return page("Select what the application can access", words, choices, {"account": address}, boxes)

    def _back(self, asked: Mapping[str, str], told: Mapping[str, str]) -> Answer:
        query = {"state": asked["state"]} if "state" in asked else {}
        if self.google.faults.tells_issuer:
            query["iss"] = self.google.url
        glue = "&" if "?" in asked["redirect_uri"] else "?"
        return redirect(f"{asked['redirect_uri']}{glue}{urlencode({**query, **told})}")

    def _asked_scopes(self, asked: Mapping[str, str]) -> tuple[str, ...]:
        return tuple(dict.fromkeys(_LONG_NAMES.get(one, one) for one in asked["scope"].split()))

    def _is_of(self, grant: GoogleGrant, address: str, asked: Mapping[str, str]) -> bool:
        return grant.is_alive and grant.address == address and grant.client_id == asked["client_id"]

    # The token endpoint

    def _token(self, request: Request) -> Answer:
        faults, form = self.google.faults, request.form()
        if faults.token_endpoint_status:
            return json_answer(faults.token_endpoint_status, {"error": "internal_failure"})
        client = self.clients.get(form.get("client_id", ""))
        if client is None or faults.refuse_client:
            return _refused(401, "invalid_client", "The OAuth client was not found.")
        if not secrets.compare_digest(client.secret, form.get("client_secret", "")):
            return _refused(401, "invalid_client", "Unauthorized")
        if faults.client_not_authorized:
            return _refused(401, "unauthorized_client", "Unauthorized")
        answer = {"authorization_code": self._redeem, "refresh_token": self._refresh}.get(form.get("grant_type", ""))
        if answer is None:
            return _refused(400, "unsupported_grant_type", f"Invalid grant_type: {form.get('grant_type', '')}")
        told = answer(form)
        told.delay_seconds = faults.token_endpoint_delay_seconds
        return told

    def _redeem(self, form: Mapping[str, str]) -> Answer:
        code = self.codes.get(form.get("code", ""))
        if code is None or code.made_at < time.time() - CODE_SECONDS or code.asked["client_id"] != form["client_id"]:
            return _refused(400, "invalid_grant", "Malformed auth code.")
        if code.grant is not None:
            return _refused(400, "invalid_grant", "Bad Request")
        if code.asked["redirect_uri"] != form.get("redirect_uri"):
            return _refused(400, "redirect_uri_mismatch", "Bad Request")
        challenge = code.asked.get("code_challenge", "")
        if challenge and not form.get("code_verifier"):
            return _refused(400, "invalid_grant", "Missing code verifier.")
        if challenge and not fits_challenge(form["code_verifier"], challenge, "S256"):
            return _refused(400, "invalid_grant", "Invalid code verifier.")
        code.grant = self.make_grant(code.address, code.scopes, form["client_id"])
        told = self._tokens(code.grant, code.asked.get("nonce", ""))
        if code.asked.get("access_type") == "offline":  # and only at consent, which this page always asks for
            told["refresh_token"] = code.grant.refresh_token
            if code.grant.dies_at:
                told["refresh_token_expires_in"] = int(code.grant.dies_at - time.time())
        return json_answer(200, told)

    def _refresh(self, form: Mapping[str, str]) -> Answer:
        wanted = form.get("refresh_token", "")
        grant = next((one for one in self.grants if one.refresh_token == wanted), None)
        if grant is None or grant.client_id != form["client_id"]:
            return _refused(400, "invalid_grant", "Bad Request")
        if not grant.is_alive or (grant.dies_at and grant.dies_at < time.time()):
            return _refused(400, "invalid_grant", "Token has been expired or revoked.")
        self.refreshes[grant.address] += 1
        return json_answer(200, self._tokens(grant, ""))

    def _tokens(self, grant: GoogleGrant, nonce: str) -> dict[str, Any]:
        told = {
            "access_token": self.make_access_token(grant),
            "expires_in": self.google.faults.access_token_seconds,
            "scope": " ".join(grant.scopes),
            "token_type": "Bearer",
        }
        if "openid" in grant.scopes:
            told["id_token"] = sign(self._claims(grant, nonce))
        return told

    def _claims(self, grant: GoogleGrant, nonce: str) -> dict[str, Any]:
        now = int(time.time())
        claims: dict[str, Any] = {
            "iss": self.google.url,
            "azp": grant.client_id,
            "aud": grant.client_id,
            "sub": self.subjects[grant.address],
            "iat": now,
            "exp": now + 3600,
        }
        if _LONG_NAMES["email"] in grant.scopes:
            claims |= {"email": grant.address, "email_verified": True}
        if nonce:
            claims["nonce"] = nonce
        return {**claims, **self.google.faults.id_token_claims}

    def _revoke(self, request: Request) -> Answer:
        token = (request.form() or request.query).get("token", "")
        found = self.access_tokens.get(token)
        grant = found.grant if found else next((one for one in self.grants if one.refresh_token == token), None)
        if grant is None or not grant.is_alive:
            return _refused(400, "invalid_token", "Token expired or revoked")
        self.revoke(grant.address)
        return json_answer(200, {})

    def _userinfo(self, request: Request) -> Answer:
        found = self.find_token(request.bearer)
        if found is None or "openid" not in found.scopes:
            return _refused(401, "invalid_request", "Invalid Credentials")
        told: dict[str, Any] = {"sub": self.subjects[found.grant.address]}
        if _LONG_NAMES["email"] in found.scopes:
            told |= {"email": found.grant.address, "email_verified": True}
        return json_answer(200, told)

    def _configuration(self) -> dict[str, Any]:
        url = self.google.url
        return {
            "issuer": url,
            "authorization_endpoint": url + AUTHORIZE,
            "token_endpoint": url + TOKEN,
            "userinfo_endpoint": url + USERINFO,
            "revocation_endpoint": url + REVOKE,
            "jwks_uri": url + KEYS,
            "response_types_supported": ["code"],
            "subject_types_supported": ["public"],
            "id_token_signing_alg_values_supported": ["RS256"],
            "scopes_supported": ["openid", "email", "profile"],
            "token_endpoint_auth_methods_supported": ["client_secret_post", "client_secret_basic"],
            "code_challenge_methods_supported": ["plain", "S256"],
        }


def _error_page(code: str) -> Answer:
    """A page of Google's own; the browser never comes back from it."""
    return html_answer(400, page("Access blocked", f"{_PAGES.get(code, '')} Error 400: {code}", [], {}))


def _refused(status: int, error: str, words: str) -> Answer:
    return json_answer(status, {"error": error, "error_description": words})
