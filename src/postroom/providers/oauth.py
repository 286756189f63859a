"""How a member's permission is had at a provider that asks for OAuth 2 (RFC 6749, 7636, 9207), as data.

Nothing here speaks HTTP: `providers/oauth_client.py` does, with the endpoints and words of an `OAuth`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Literal

Feature = Literal["sign_in", "receiving", "sending"]
Way = Literal["api", "servers"]  # by the provider's own interface, or by IMAP and SMTP with XOAUTH2


@dataclass(frozen=True, slots=True)
class Scope:
    """One permission that is asked for. `words` say what it lets Postroom do, and `feature` is off without it.

    `implies` are scopes that do as well: the provider may grant a broader one under another name. One name may stand
    here once for each feature that needs it. `for_shared`: asked for only when one sign-in opens another's mailbox.
    """

    name: str
    words: str
    feature: Feature
    implies: tuple[str, ...] = ()
    for_shared: bool = False


@dataclass(frozen=True, slots=True)
class MailServers:
    """Where IMAP and SMTP with XOAUTH2 are spoken, by the provider of that name."""

    imap_host: str
    imap_port: int
    smtp_host: str
    smtp_port: int
    smtp_security: Literal["tls", "starttls"]
    provider: str = "imap"

    def settings(self, username: str) -> dict[str, dict[str, str | int]]:
        """The servers as that provider's secrets name them, without a password."""
        return {
            "imap": {"host": self.imap_host, "port": self.imap_port, "security": "tls", "username": username},
            "smtp": {
                "host": self.smtp_host,
                "port": self.smtp_port,
                "security": self.smtp_security,
                "username": username,
            },
        }


@dataclass(frozen=True, slots=True)
class Endpoints:
    """Where OAuth is spoken. `{tenant}` stands for the operator's own part of the address where there is one.

    `issuers` are the values of `iss` that are believed; `{tid}` in one stands for the `tid` that the ID token claims,
    which is the tenant of the account and not the operator's. `api` is where the mail is.
    """

    authorize: str
    token: str
    keys: str
    issuers: tuple[str, ...]
    api: str
    revoke: str = ""
    admin_consent: str = ""

    def at(self, tenant: str) -> Endpoints:
        """The endpoints of one tenant."""
        return Endpoints(
            authorize=self.authorize.replace("{tenant}", tenant),
            token=self.token.replace("{tenant}", tenant),
            keys=self.keys.replace("{tenant}", tenant),
            issuers=self.issuers,
            api=self.api,
            revoke=self.revoke.replace("{tenant}", tenant),
            admin_consent=self.admin_consent.replace("{tenant}", tenant),
        )


@dataclass(frozen=True, slots=True)
class OAuth:
    """What a provider needs for its OAuth. `owner` is the company that people know: "Google", "Microsoft".

    `environment` is the middle of POSTROOM_{environment}_CLIENT_ID and its like. `not_asked` says in words what is
    never done with the permission. `asks_tenant`: the operator's registration belongs to a tenant of the provider.
    `subject_claims` name who signed in, for good, in an ID token; `sub` alone where one of them is missing.
    `profile_path` (below Endpoints.api) tells the mailbox's own address in the first of `profile_fields` that is
    filled. `reasons` maps what an error answer says besides `error` (a subtype, a number, or the error itself) to a
    code of the catalogue: it chooses the words, never what is done.
    """

    owner: str
    environment: str
    endpoints: Endpoints
    scopes: Mapping[Way, tuple[Scope, ...]]
    not_asked: tuple[str, ...]
    servers: MailServers
    authorize_parameters: Mapping[str, str] = field(default_factory=dict)
    asks_tenant: bool = False
    default_tenant: str = ""
    subject_claims: tuple[str, ...] = ("sub",)
    profile_path: str = ""
    profile_fields: tuple[str, ...] = ()
    reasons: Mapping[str, str] = field(default_factory=dict)
    authentication: Literal["client_secret_post", "client_secret_basic"] = "client_secret_post"  # at the token endpoint
    testing_days: int = 0  # how long a permission lives while the registration is being tested; 0: as ever
    asks_topic: bool = False  # push needs a topic of the operator's own
    domains: tuple[str, ...] = ()  # whose addresses surely are there; companies' own domains are looked up

    def asked(self, way: Way, *, is_shared: bool = False) -> str:
        """What the authorization request asks for (RFC 6749 section 3.3), each scope once."""
        return " ".join(dict.fromkeys(one.name for one in self._needed(way, is_shared)))

    def missing(self, way: Way, scope: str, *, is_shared: bool = False) -> tuple[Scope, ...]:
        """What a token answer's `scope` lacks (RFC 6749 section 5.1). Who signed in is proven by the ID token, and not
        by the scopes for it, which providers leave out of their answers."""
        have = set(scope.lower().split())
        return tuple(
            one
            for one in self._needed(way, is_shared)
            if one.feature != "sign_in" and not any(name.lower() in have for name in (one.name, *one.implies))
        )

    def granted(self, way: Way, scope: str, *, is_shared: bool = False) -> frozenset[Feature]:
        """The features that a token answer's `scope` allows."""
        missing = {one.feature for one in self.missing(way, scope, is_shared=is_shared)}
        return frozenset({one.feature for one in self._needed(way, is_shared)} - missing)

    def _needed(self, way: Way, is_shared: bool) -> tuple[Scope, ...]:
        return tuple(one for one in self.scopes[way] if is_shared or not one.for_shared)


# The end of each variable's name -> the field of Endpoints it replaces.
_ENDPOINTS = {
    "AUTHORIZE_URL": "authorize",
    "TOKEN_URL": "token",
    "KEYS_URL": "keys",
    "API_URL": "api",
    "REVOKE_URL": "revoke",
    "ADMIN_CONSENT_URL": "admin_consent",
}


def oauth_endpoints(environ: Mapping[str, str], oauth: OAuth) -> Endpoints:
    """The provider's endpoints with what the operator's environment says otherwise: sovereign clouds, tests."""
    said: dict[str, Any] = {
        name: environ[variable].strip().rstrip("/")
        for ending, name in _ENDPOINTS.items()
        if environ.get(variable := f"POSTROOM_{oauth.environment}_{ending}", "").strip()
    }
    issuers = tuple(one for one in environ.get(f"POSTROOM_{oauth.environment}_ISSUERS", "").split(",") if one.strip())
    endpoints = replace(oauth.endpoints, **said)
    return replace(endpoints, issuers=tuple(map(str.strip, issuers))) if issuers else endpoints


def mail_servers(environ: Mapping[str, str], oauth: OAuth) -> MailServers:
    """Where IMAP and SMTP are spoken, with what the operator's environment says otherwise ("host" or "host:port")."""
    servers = oauth.servers
    imap_host, imap_port = _place(environ.get(f"POSTROOM_{oauth.environment}_IMAP", ""))
    smtp_host, smtp_port = _place(environ.get(f"POSTROOM_{oauth.environment}_SMTP", ""))
    return replace(
        servers,
        imap_host=imap_host or servers.imap_host,
        imap_port=imap_port or servers.imap_port,
        smtp_host=smtp_host or servers.smtp_host,
        smtp_port=smtp_port or servers.smtp_port,
    )


def _place(text: str) -> tuple[str, int]:
    host, _, port = text.strip().partition(":")
    return host, int(port or 0)


def variables(oauth: OAuth) -> dict[str, tuple[str, str]]:
    """Every variable of the environment about a provider: what it means, and what it is without one."""
    owner, endpoints, servers = oauth.owner, oauth.endpoints, oauth.servers
    told = {
        "CLIENT_ID": (f"The client ID at {owner}, for workspaces that have none of their own.", "none"),
        "CLIENT_SECRET": ("Its secret.", "none"),
        "WAY": ("`api`, or `servers`: connect mailboxes by IMAP and SMTP with XOAUTH2.", "`api`"),
        "AUDIENCE": ("`internal`, `testing` or `production`: who may sign in.", "not known"),
        "SECRET_EXPIRES_ON": (
            "The last day of the secret (`2027-11-30`); administrators are told before.",
            "not known",
        ),
        "AUTHORIZE_URL": (f"{owner}'s sign-in page.", f"`{endpoints.authorize}`"),
        "TOKEN_URL": (f"{owner}'s token endpoint.", f"`{endpoints.token}`"),
        "KEYS_URL": ("The keys that sign ID tokens (JWKS).", f"`{endpoints.keys}`"),
        "ISSUERS": ("The issuers of ID tokens, comma-separated.", f"`{','.join(endpoints.issuers)}`"),
        "API_URL": ("Where the mail is.", f"`{endpoints.api}`"),
        "IMAP": ("The IMAP server of the way `servers`.", f"`{servers.imap_host}:{servers.imap_port}`"),
        "SMTP": ("The SMTP server of the way `servers`.", f"`{servers.smtp_host}:{servers.smtp_port}`"),
    }
    if oauth.asks_tenant:
        told["TENANT"] = ("The directory (tenant) of the registration.", f"`{oauth.default_tenant}`")
    if oauth.asks_topic:
        told["PUSH_TOPIC"] = ("The topic that announces new mail.", "none")
    if endpoints.revoke:
        told["REVOKE_URL"] = ("Where permission is given back when a mailbox is disconnected.", f"`{endpoints.revoke}`")
    if endpoints.admin_consent:
        told["ADMIN_CONSENT_URL"] = ("Where an administrator approves.", f"`{endpoints.admin_consent}`")
    return {f"POSTROOM_{oauth.environment}_{ending}": words for ending, words in told.items()}
