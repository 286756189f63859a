"""How a member's permission is had at a provider that asks for OAuth 2 (RFC 6749, 7636, 9207), as data.

Nothing here speaks HTTP: `providers/oauth_client.py` does, with the endpoints and words of an `OAuth`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

Feature = Literal["sign_in", "receiving", "sending"]
Way = Literal["api", "servers"]  # by the provider's own interface, or by IMAP and SMTP with XOAUTH2


@dataclass(frozen=True, slots=True)
class Scope:
    """One permission that is asked for. `words` say what it lets Postroom do, and `feature` is off without it.

    `implies` are scopes that do as well: the provider may grant a broader one under another name.
    """

    name: str
    words: str
    feature: Feature
    implies: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class MailServers:
    """Where IMAP and SMTP with XOAUTH2 are spoken."""

    imap_host: str
    imap_port: int
    smtp_host: str
    smtp_port: int
    smtp_security: Literal["tls", "starttls"]


@dataclass(frozen=True, slots=True)
class Endpoints:
    """Where OAuth is spoken. `{tenant}` stands for the operator's own part of the address where there is one.

    `issuers` are the values of `iss` that are believed; `api` is where the mail is.
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

    def granted(self, way: Way, scope: str) -> frozenset[Feature]:
        """The features that a token answer's `scope` allows (RFC 6749 section 5.1)."""
        have = set(scope.split())
        missing = {one.feature for one in self.scopes[way] if not have.intersection((one.name, *one.implies))}
        return frozenset({one.feature for one in self.scopes[way]} - missing)
