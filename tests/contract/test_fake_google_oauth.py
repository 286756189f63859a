"""The fake Google's sign-in, consent and tokens behave as Google documents them (fakes/google/oauth.py)."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterator
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

import httpx
import pytest
from joserfc import jwt
from joserfc.jwk import KeySet

from tests.fakes.google import FakeGoogle
from tests.fakes.visitor import NeverCameBack, visit

ADA = "ada@example.test"
READ, MODIFY = "https://www.googleapis.com/auth/gmail.readonly", "https://www.googleapis.com/auth/gmail.modify"
RETURN = "https://postroom.example.test/return/"
VERIFIER = "a-code-verifier-of-at-least-forty-three-characters"


@pytest.fixture
def google() -> Iterator[FakeGoogle]:
    with FakeGoogle() as google:
        google.mailbox(ADA)
        google.mailbox("carol@example.test")
        yield google


def asking(google: FakeGoogle, **more: str) -> str:
    digest = hashlib.sha256(VERIFIER.encode()).digest()
    asked = {
        "client_id": google.client_id,
        "redirect_uri": RETURN,
        "response_type": "code",
        "scope": f"openid email {READ} {MODIFY}",
        "state": "state-1",
        "nonce": "nonce-1",
        "access_type": "offline",
        "prompt": "consent",
        "code_challenge": base64.urlsafe_b64encode(digest).rstrip(b"=").decode(),
        "code_challenge_method": "S256",
        **more,
    }
    return f"{google.endpoints.authorize}?{urlencode(asked)}"


def returned(location: str) -> dict[str, str]:
    return {name: values[0] for name, values in parse_qs(urlsplit(location).query).items()}


def redeem(google: FakeGoogle, code: str, **other: str) -> httpx.Response:
    form = {"grant_type": "authorization_code", "code": code, "redirect_uri": RETURN, "code_verifier": VERIFIER}
    form |= {"client_id": google.client_id, "client_secret": google.client_secret, **other}
    return httpx.post(google.endpoints.token, data=form)


def refresh(google: FakeGoogle, token: str, **other: str) -> httpx.Response:
    form = {"grant_type": "refresh_token", "refresh_token": token}
    form |= {"client_id": google.client_id, "client_secret": google.client_secret, **other}
    return httpx.post(google.endpoints.token, data=form)


def tokens(google: FakeGoogle, **more: str) -> dict[str, Any]:
    told: dict[str, Any] = redeem(google, returned(visit(asking(google, **more), ADA))["code"]).json()
    return told


def test_a_person_signs_in_allows_and_comes_back(google: FakeGoogle) -> None:
    back = returned(visit(asking(google), ADA))
    assert back["state"] == "state-1" and back["iss"] == google.url
    told = redeem(google, back["code"]).json()
    assert set(told["scope"].split()) == {"openid", "https://www.googleapis.com/auth/userinfo.email", READ, MODIFY}
    keys = KeySet.import_key_set(httpx.get(google.endpoints.keys).json())
    claims = jwt.decode(told["id_token"], keys).claims
    assert claims["email"] == ADA and claims["nonce"] == "nonce-1" and claims["aud"] == google.client_id
    headers = {"Authorization": f"Bearer {told['access_token']}"}
    assert httpx.get(f"{google.url}/gmail/v1/users/me/profile", headers=headers).json()["emailAddress"] == ADA
    assert httpx.get(f"{google.url}/v1/userinfo", headers=headers).json()["sub"] == claims["sub"]


def test_every_permission_may_be_unticked(google: FakeGoogle) -> None:
    back = returned(visit(asking(google), ADA, untick=[MODIFY]))
    granted = redeem(google, back["code"]).json()["scope"].split()
    assert READ in granted and MODIFY not in granted


def test_refusing_comes_back_without_a_code(google: FakeGoogle) -> None:
    back = returned(visit(asking(google), ADA, refuse=True))
    assert back["error"] == "access_denied" and back["state"] == "state-1" and "code" not in back


@pytest.mark.parametrize("code", ["org_internal", "admin_policy_enforced"])
def test_some_errors_never_come_back(google: FakeGoogle, code: str) -> None:
    google.faults.refuses_to_ask[ADA] = code
    with pytest.raises(NeverCameBack, match=code):
        visit(asking(google), ADA)


def test_an_address_that_is_not_registered_is_not_returned_to(google: FakeGoogle) -> None:
    google.oauth.clients[google.client_id].redirect_uris = frozenset({"https://elsewhere.example.test/"})
    with pytest.raises(NeverCameBack, match="redirect_uri_mismatch"):
        visit(asking(google), ADA)


def test_a_code_is_good_once_with_its_verifier_and_its_address(google: FakeGoogle) -> None:
    for wrong in ({"code_verifier": "another"}, {"code_verifier": ""}, {"redirect_uri": "https://elsewhere.test/"}):
        code = returned(visit(asking(google), ADA))["code"]
        assert redeem(google, code, **wrong).status_code == 400
    code = returned(visit(asking(google), ADA))["code"]
    assert redeem(google, code).status_code == 200
    assert redeem(google, code).json()["error"] == "invalid_grant"


def test_a_refresh_token_is_for_offline_access_and_does_not_rotate(google: FakeGoogle) -> None:
    assert "refresh_token" not in tokens(google, access_type="online")
    first = tokens(google)["refresh_token"]
    told = refresh(google, first).json()
    assert "refresh_token" not in told and told["access_token"]
    assert refresh(google, first).status_code == 200
    assert google.oauth.refreshes[ADA] == 2


def test_revoking_ends_all_that_the_person_allowed(google: FakeGoogle) -> None:
    one, other = tokens(google), tokens(google)
    assert httpx.post(google.endpoints.revoke, data={"token": one["refresh_token"]}).status_code == 200
    assert refresh(google, other["refresh_token"]).json()["error"] == "invalid_grant"
    assert httpx.post(google.endpoints.revoke, data={"token": one["refresh_token"]}).status_code == 400


def test_a_wrong_secret_is_the_clients_fault(google: FakeGoogle) -> None:
    token = google.refresh_token_for(ADA)
    wrong = refresh(google, token, client_secret="wrong")
    assert (wrong.status_code, wrong.json()["error"]) == (401, "invalid_client")
    google.faults.client_not_authorized = True
    assert refresh(google, token).json()["error"] == "unauthorized_client"


def test_a_project_in_testing_gives_a_week(google: FakeGoogle) -> None:
    google.oauth.time_limited_seconds = 604_800
    assert 604_000 < tokens(google)["refresh_token_expires_in"] <= 604_800


def test_openid_configuration_names_what_answers(google: FakeGoogle) -> None:
    told = httpx.get(f"{google.url}/.well-known/openid-configuration").json()
    assert told["issuer"] == google.url and told["token_endpoint"] == google.endpoints.token
    assert httpx.get(told["jwks_uri"]).json()["keys"]
