"""The Microsoft identity platform v2.0: what it knows, and who answers what (v2-oauth2-auth-code-flow.md)."""

from __future__ import annotations

import secrets
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from tests.fakes.identity_provider import key_set
from tests.fakes.microsoft.registration import GRAPH, SHARED_TENANTS, short
from tests.fakes.microsoft.sign_in import Code, admin_consent, authorize
from tests.fakes.microsoft.tokens import TokenCall, answer_token
from tests.fakes.served import Answer, Request, json_answer

if TYPE_CHECKING:
    from tests.fakes.microsoft.server import FakeMicrosoft


@dataclass(slots=True)
class Access:
    """An access token. `scopes` have Graph's short names."""

    address: str
    scopes: frozenset[str]
    expires_at: float  # time.monotonic()
    resource: str = GRAPH


@dataclass(slots=True)
class Refresh:
    """A refresh token. Using one gives another; this one stays good (refresh-tokens.md). `dead`: its AADSTS number."""

    address: str
    scopes: tuple[str, ...]
    dead: int = 0


@dataclass(slots=True)
class OAuth:
    """What the identity platform knows."""

    microsoft: FakeMicrosoft
    codes: dict[str, Code] = field(default_factory=dict)
    used_codes: set[str] = field(default_factory=set)
    access: dict[str, Access] = field(default_factory=dict)
    refresh: dict[str, Refresh] = field(default_factory=dict)
    calls: list[TokenCall] = field(default_factory=list)
    consented: set[str] = field(default_factory=set)  # addresses of those who said yes once
    admin_consented: bool = False

    def answer(self, request: Request) -> Answer | None:
        """Answer what is the identity platform's, None for the rest."""
        match request.path.strip("/").split("/"):
            case [tenant, "oauth2", "v2.0", "authorize"]:
                return authorize(self.microsoft, tenant, request)
            case [tenant, "oauth2", "v2.0", "token"] if request.method == "POST":
                return answer_token(self.microsoft, tenant, request)
            case [tenant, "v2.0", "adminconsent"]:
                return admin_consent(self.microsoft, tenant, request)
            case [_, "discovery", "v2.0", "keys"]:
                return json_answer(200, key_set())
            case [tenant, "v2.0", ".well-known", "openid-configuration"]:
                return json_answer(200, self._configuration(tenant))
        return None

    # Acts of tests.

    def give_access(self, address: str, scopes: tuple[str, ...], resource: str = GRAPH) -> str:
        """A new access token."""
        token = f"EwB4.{secrets.token_urlsafe(40)}"
        seconds = self.microsoft.faults.access_token_seconds
        self.access[token] = Access(address, frozenset(short(scopes)), time.monotonic() + seconds, resource)
        return token

    def give_refresh(self, address: str, scopes: tuple[str, ...]) -> str:
        """A new refresh token."""
        token = f"0.AXkA.{secrets.token_urlsafe(60)}"
        self.refresh[token] = Refresh(address, scopes)
        return token

    def revoke(self, address: str, number: int = 50173) -> None:
        """Take back every token of that person. `number`: the AADSTS code that refreshing then gets."""
        for refresh in self.refresh.values():
            if refresh.address == address:
                refresh.dead = number
        self.expire_tokens(address)
        self.consented.discard(address)

    def expire_tokens(self, address: str = "") -> None:
        """Let access tokens be over."""
        for access in self.access.values():
            if not address or access.address == address:
                access.expires_at = 0.0

    def refreshes(self, address: str = "") -> int:
        """How often a refresh token (of that person) was used, with whatever end."""
        return sum(call.grant_type == "refresh_token" and address in ("", call.address) for call in self.calls)

    def _configuration(self, tenant: str) -> dict[str, Any]:
        url = self.microsoft.url
        issuer = "{tenantid}" if tenant in SHARED_TENANTS else tenant
        return {
            "token_endpoint": f"{url}/{tenant}/oauth2/v2.0/token",
            "token_endpoint_auth_methods_supported": ["client_secret_post", "private_key_jwt", "client_secret_basic"],
            "jwks_uri": f"{url}/{tenant}/discovery/v2.0/keys",
            "response_modes_supported": ["query", "fragment", "form_post"],
            "subject_types_supported": ["pairwise"],
            "id_token_signing_alg_values_supported": ["RS256"],
            "response_types_supported": ["code", "id_token", "code id_token", "id_token token"],
            "scopes_supported": ["openid", "profile", "email", "offline_access"],
            "issuer": f"{url}/{issuer}/v2.0",
            "authorization_endpoint": f"{url}/{tenant}/oauth2/v2.0/authorize",
            "claims_supported": ["sub", "iss", "aud", "exp", "iat", "nonce", "preferred_username", "name", "tid"],
        }
