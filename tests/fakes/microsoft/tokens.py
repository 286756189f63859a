"""{tenant}/oauth2/v2.0/token: codes and refresh tokens for tokens, and its errors (reference-error-codes.md)."""

from __future__ import annotations

import secrets
import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from tests.fakes.identity_provider import fits_challenge, sign
from tests.fakes.microsoft.registration import CLIENT_ID, CLIENT_SECRET, GRAPH, resource_of, short, tenant_of
from tests.fakes.served import Answer, Request, json_answer

if TYPE_CHECKING:
    from tests.fakes.microsoft.server import FakeMicrosoft


@dataclass(slots=True)
class TokenCall:
    """A call of the token endpoint. `at` is time.monotonic()."""

    at: float
    grant_type: str
    address: str
    refresh_token: str
    status: int = 200


class TokenError(Exception):
    """An answer of the token endpoint that is an error (reference-error-codes.md)."""

    def __init__(self, error: str, number: int, words: str, status: int = 400, suberror: str = "") -> None:
        super().__init__(error)
        self.status = status
        self.body: dict[str, Any] = {
            "error": error,
            "error_description": f"AADSTS{number}: {words} Trace ID: {uuid4()} Correlation ID: {uuid4()} "
            f"Timestamp: {datetime.now(UTC):%Y-%m-%d %H:%M:%SZ}",
            "error_codes": [number],
            "timestamp": f"{datetime.now(UTC):%Y-%m-%d %H:%M:%SZ}",
            "trace_id": str(uuid4()),
            "correlation_id": str(uuid4()),
            "error_uri": f"https://login.microsoftonline.com/error?code={number}",
            **({"suberror": suberror} if suberror else {}),
        }


def answer_token(microsoft: FakeMicrosoft, tenant: str, request: Request) -> Answer:
    """Answer a call of the token endpoint, and remember it."""
    asked, faults = request.form(), microsoft.faults
    token = asked.get("refresh_token", "")
    call = TokenCall(time.monotonic(), asked.get("grant_type", ""), _owner_of(microsoft, asked), token)
    microsoft.oauth.calls.append(call)
    late = faults.token_endpoint_delay_seconds
    if faults.token_endpoint_status:
        call.status = faults.token_endpoint_status
        return json_answer(call.status, {"error": "temporarily_unavailable", "error_description": "AADSTS90033: …"})
    try:
        answer = json_answer(200, _grant(microsoft, tenant, asked))
    except TokenError as error:
        call.status = error.status
        answer = json_answer(error.status, error.body)
    answer.headers["Cache-Control"] = "no-store"
    answer.delay_seconds = late
    answer.torn = faults.took("drop_token_answers")
    return answer


def _owner_of(microsoft: FakeMicrosoft, asked: Mapping[str, str]) -> str:
    refresh = microsoft.oauth.refresh.get(asked.get("refresh_token", ""))
    code = microsoft.oauth.codes.get(asked.get("code", ""))
    return refresh.address if refresh else code.address if code else ""


def _grant(microsoft: FakeMicrosoft, tenant: str, asked: Mapping[str, str]) -> dict[str, Any]:
    _check_client(microsoft, tenant, asked)
    match asked.get("grant_type"):
        case "client_credentials":
            token = microsoft.oauth.give_access("", (".default",))
            return {"token_type": "Bearer", "expires_in": 3599, "ext_expires_in": 3599, "access_token": token}
        case "authorization_code":
            return _by_code(microsoft, asked)
        case "refresh_token":
            return _by_refresh(microsoft, asked)
    raise TokenError("unsupported_grant_type", 70003, "The app requested an unsupported grant type.")


def _check_client(microsoft: FakeMicrosoft, tenant: str, asked: Mapping[str, str]) -> None:
    refused = microsoft.faults.refuse_client
    client, secret = asked.get("client_id", ""), asked.get("client_secret", "")
    if client != CLIENT_ID or refused == "unknown app":
        words = f"Application with identifier '{client}' was not found in the directory '{tenant}'."
        raise TokenError("unauthorized_client", 700016, words)
    if not secret:
        words = "The request body must contain the following parameter: 'client_assertion' or 'client_secret'."
        raise TokenError("invalid_client", 7000218, words, 401)
    if refused == "expired secret":
        words = f"The provided client secret keys for app '{client}' are expired."
        raise TokenError("invalid_client", 7000222, words, 401)
    if secret != CLIENT_SECRET or refused == "wrong secret":
        words = f"Invalid client secret provided. Ensure the secret being sent in the request is the client secret value, not the client secret ID, for a secret added to app '{client}'."  # noqa: E501
        raise TokenError("invalid_client", 7000215, words, 401)
    resources = {resource_of(scope) for scope in asked.get("scope", "").split()} - {""}
    if len(resources) > 1:
        raise TokenError("invalid_request", 700022, "Scopes of several resources were asked for in one request.")


def _by_code(microsoft: FakeMicrosoft, asked: Mapping[str, str]) -> dict[str, Any]:
    given = asked.get("code", "")
    if given in microsoft.oauth.used_codes:
        raise TokenError("invalid_grant", 54005, "OAuth2 Authorization code was already redeemed.")
    code = microsoft.oauth.codes.pop(given, None)
    if code is None:
        raise TokenError("invalid_grant", 9002313, "Invalid request. Request is malformed or invalid.")
    microsoft.oauth.used_codes.add(given)
    if code.redirect_uri != asked.get("redirect_uri"):
        words = "The reply address does not match the reply address of the authorization request."
        raise TokenError("invalid_grant", 500112, words)
    if code.challenge and not fits_challenge(asked.get("code_verifier", ""), code.challenge, code.method):
        words = "The Code_Verifier does not match the code_challenge supplied in the authorization request."
        raise TokenError("invalid_grant", 501481, words)
    return _tokens(microsoft, code.address, tuple(asked.get("scope", " ".join(code.scopes)).split()), code.nonce)


def _by_refresh(microsoft: FakeMicrosoft, asked: Mapping[str, str]) -> dict[str, Any]:
    refresh = microsoft.oauth.refresh.get(asked.get("refresh_token", ""))
    if refresh is None:
        raise TokenError("invalid_grant", 70000, "The provided value for the input parameter is not valid.")
    if refresh.dead:
        words = "The provided grant has expired due to it being revoked, a fresh auth token is needed."
        raise TokenError("invalid_grant", refresh.dead, words)
    return _tokens(microsoft, refresh.address, tuple(asked.get("scope", " ".join(refresh.scopes)).split()), "")


def _tokens(microsoft: FakeMicrosoft, address: str, scopes: tuple[str, ...], nonce: str) -> dict[str, Any]:
    resource = next((resource_of(scope) for scope in scopes if resource_of(scope)), GRAPH)
    withheld = microsoft.faults.withheld_scopes
    granted = tuple(
        scope for scope in scopes if scope != "offline_access" and not withheld.intersection(short((scope,)))
    )
    answer: dict[str, Any] = {
        "token_type": "Bearer",
        "scope": " ".join(granted),
        "expires_in": microsoft.faults.access_token_seconds,
        "ext_expires_in": microsoft.faults.access_token_seconds,
        "access_token": microsoft.oauth.give_access(address, granted, resource),
    }
    if "offline_access" in scopes:
        answer["refresh_token"] = microsoft.oauth.give_refresh(address, scopes)
    if "openid" in scopes:
        answer["id_token"] = id_token(microsoft, address, nonce, "email" in scopes)
    return answer


def id_token(microsoft: FakeMicrosoft, address: str, nonce: str, with_email: bool) -> str:
    """A signed ID token (id-token-claims-reference.md)."""
    now, mailbox = int(time.time()), microsoft.mailboxes[address]
    claims: dict[str, Any] = {
        "aud": CLIENT_ID,
        "iss": f"{microsoft.url}/{tenant_of(address)}/v2.0",
        "iat": now,
        "nbf": now,
        "exp": now + 3600,
        "name": mailbox.name,
        "oid": mailbox.user_id,
        "preferred_username": mailbox.address,
        "sub": f"sub-{mailbox.user_id}",
        "tid": tenant_of(address),
        "uti": secrets.token_urlsafe(16),
        "ver": "2.0",
        **({"nonce": nonce} if nonce else {}),
        **({"email": mailbox.address} if with_email else {}),
    }
    return sign({**claims, **microsoft.faults.id_token_claims})
