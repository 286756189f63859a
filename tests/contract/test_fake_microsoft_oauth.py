"""The fake identity platform: pages, codes, tokens and errors as Microsoft's documents tell of them."""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Iterator
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest
from joserfc import jwt
from joserfc.jwk import KeySet

from tests.fakes.microsoft import FakeMicrosoft
from tests.fakes.microsoft.registration import CONSUMERS, TENANT

BOB = "bob@work.example"
BACK = "http://localhost/return"
SCOPE = "openid email offline_access User.Read Mail.ReadWrite Mail.Send"
VERIFIER = "a-verifier-that-is-long-enough-for-anybody-0123456789"
CHALLENGE = base64.urlsafe_b64encode(hashlib.sha256(VERIFIER.encode()).digest()).rstrip(b"=").decode()


class Browser:
    """A person before the sign-in page, who sees pages and presses buttons by their words."""

    def __init__(self, microsoft: FakeMicrosoft, tenant: str = "common", **asked: str) -> None:
        self.microsoft = microsoft
        self.endpoints = microsoft.endpoints.at(tenant)
        self.http = httpx.Client(verify=False, headers={"Connection": "close"})  # nobody closes it
        self.asked = {
            "client_id": microsoft.client_id,
            "redirect_uri": BACK,
            "response_type": "code",
            "scope": SCOPE,
            "state": "s1",
            "nonce": "n1",
            "code_challenge": CHALLENGE,
            "code_challenge_method": "S256",
            **asked,
        }
        self.page = self.http.get(self.endpoints.authorize, params=self.asked)

    def press(self, words: str) -> dict[str, str]:
        """Press a button; what the application is told, {} while Microsoft shows another page."""
        kept = dict(re.findall(r'type="hidden" name="([^"]+)" value="([^"]*)"', self.page.text))
        button = re.search(rf'<button name="([^"]+)" value="([^"]*)">{re.escape(words)}</button>', self.page.text)
        assert button, f"no button {words!r} in {self.page.text}"
        self.page = self.http.post(self.page.url, data={**kept, button[1]: button[2]})
        if self.page.status_code != 302:
            return {}
        return {name: values[0] for name, values in parse_qs(urlsplit(self.page.headers["location"]).query).items()}

    def token(self, **asked: str) -> httpx.Response:
        """A call of the token endpoint."""
        usual = {
            "client_id": self.microsoft.client_id,
            "client_secret": self.microsoft.client_secret,
            "grant_type": "authorization_code",
            "redirect_uri": BACK,
            "code_verifier": VERIFIER,
        }
        return self.http.post(self.endpoints.token, data={**usual, **asked})

    def sign_in(self) -> str:
        """Choose Bob and say yes; the code."""
        self.press(BOB)
        return self.press("Accept")["code"]


@pytest.fixture
def microsoft() -> Iterator[FakeMicrosoft]:
    with FakeMicrosoft() as microsoft:
        microsoft.mailbox(BOB, "Bob Builder")
        yield microsoft


def error_of(answer: httpx.Response) -> tuple[int, str, list[int]]:
    body = answer.json()
    assert body["error_description"].startswith(f"AADSTS{body['error_codes'][0]}: ")
    return answer.status_code, body["error"], body["error_codes"]


def test_a_person_signs_in_and_the_application_learns_who(microsoft: FakeMicrosoft) -> None:
    browser = Browser(microsoft)
    assert browser.press(BOB) == {}
    assert "Permissions requested" in browser.page.text
    back = browser.press("Accept")
    assert back["state"] == "s1"
    tokens = browser.token(code=back["code"]).json()
    assert (tokens["token_type"], tokens["expires_in"]) == ("Bearer", 3599)
    assert "offline_access" not in tokens["scope"].split()  # it is never told of
    keys: Any = browser.http.get(browser.endpoints.keys).json()
    claims = jwt.decode(tokens["id_token"], KeySet.import_key_set(keys), algorithms=["RS256"]).claims
    assert (claims["preferred_username"], claims["tid"], claims["nonce"]) == (BOB, TENANT, "n1")
    assert claims["iss"] == microsoft.endpoints.issuers[0].replace("{tid}", TENANT)
    assert claims["oid"] == microsoft.mailbox(BOB).user_id
    me = browser.http.get(f"{microsoft.api}/me", headers={"Authorization": f"Bearer {tokens['access_token']}"})
    assert me.json()["mail"] == BOB


def test_the_configuration_names_the_endpoints(microsoft: FakeMicrosoft) -> None:
    told = httpx.get(f"{microsoft.url}/{TENANT}/v2.0/.well-known/openid-configuration", verify=False).json()
    endpoints = microsoft.endpoints.at(TENANT)
    assert (told["authorization_endpoint"], told["token_endpoint"]) == (endpoints.authorize, endpoints.token)
    assert (told["jwks_uri"], told["issuer"]) == (endpoints.keys, f"{microsoft.url}/{TENANT}/v2.0")


def test_each_refresh_gives_another_token_and_the_old_one_stays_good(microsoft: FakeMicrosoft) -> None:
    browser = Browser(microsoft)
    first = browser.token(code=browser.sign_in()).json()["refresh_token"]
    second = browser.token(grant_type="refresh_token", refresh_token=first).json()["refresh_token"]
    third = browser.token(grant_type="refresh_token", refresh_token=first)
    assert second != first
    assert third.status_code == 200
    assert microsoft.oauth.refreshes(BOB) == 2
    microsoft.faults.revoke(BOB)
    dead = browser.token(grant_type="refresh_token", refresh_token=second)
    assert error_of(dead) == (400, "invalid_grant", [50173])


def test_a_code_is_good_once_and_for_whoever_has_the_verifier(microsoft: FakeMicrosoft) -> None:
    browser = Browser(microsoft)
    code = browser.sign_in()
    assert browser.token(code=code).status_code == 200
    assert error_of(browser.token(code=code)) == (400, "invalid_grant", [54005])
    browser = Browser(microsoft)
    stolen = browser.press(BOB)["code"]  # consent was given
    assert error_of(browser.token(code=stolen, code_verifier="another")) == (400, "invalid_grant", [501481])


@pytest.mark.parametrize(
    ("fault", "status", "error", "number"),
    [
        ("expired secret", 401, "invalid_client", 7000222),
        ("wrong secret", 401, "invalid_client", 7000215),
        ("unknown app", 400, "unauthorized_client", 700016),
    ],
)
def test_a_registration_may_be_refused(
    microsoft: FakeMicrosoft, fault: Any, status: int, error: str, number: int
) -> None:
    browser = Browser(microsoft)
    microsoft.faults.refuse_client = fault
    answer = browser.token(grant_type="refresh_token", refresh_token=microsoft.refresh_token_for(BOB))
    assert error_of(answer) == (status, error, [number])


def test_one_token_is_for_one_resource(microsoft: FakeMicrosoft) -> None:
    browser = Browser(microsoft)
    refresh = microsoft.refresh_token_for(BOB)
    both = "Mail.Send https://outlook.office.com/SMTP.Send"
    answer = browser.token(grant_type="refresh_token", refresh_token=refresh, scope=both)
    assert answer.json()["error_codes"] == [700022]
    office = browser.token(
        grant_type="refresh_token", refresh_token=refresh, scope="https://outlook.office.com/SMTP.Send"
    ).json()["access_token"]
    mail = browser.http.get(f"{microsoft.api}/me", headers={"Authorization": f"Bearer {office}"})
    assert mail.status_code == 401  # a token for IMAP and SMTP opens nothing at Graph


def test_refusing_comes_back_as_an_error(microsoft: FakeMicrosoft) -> None:
    browser = Browser(microsoft)
    browser.press(BOB)
    back = browser.press("Cancel")
    assert (back["error"], back["error_subcode"], back["state"]) == ("access_denied", "cancel", "s1")


@pytest.mark.parametrize("error", ["access_denied", "consent_required"])
def test_members_may_need_an_administrator(microsoft: FakeMicrosoft, error: Any) -> None:
    microsoft.faults.needs_admin_approval = True
    microsoft.faults.admin_approval_error = error
    browser = Browser(microsoft)
    browser.press(BOB)
    assert "Need admin approval" in browser.page.text
    back = browser.press("Return to the application without granting consent")
    assert back["error"] == error
    assert back["error_description"].startswith("AADSTS90094")

    admin = Browser(microsoft)
    admin.page = admin.http.get(
        microsoft.endpoints.at("organizations").admin_consent,
        params={"client_id": microsoft.client_id, "redirect_uri": BACK, "state": "a1"},
    )
    told = admin.press("Accept")
    assert (told["admin_consent"], told["tenant"], told["state"]) == ("True", TENANT, "a1")
    assert "code" in Browser(microsoft).press(BOB)


def test_an_administrator_may_refuse(microsoft: FakeMicrosoft) -> None:
    admin = Browser(microsoft)
    asked = {"client_id": microsoft.client_id, "redirect_uri": BACK, "state": "a1"}
    assert admin.http.get(microsoft.endpoints.at("common").admin_consent, params=asked).status_code == 400
    admin.page = admin.http.get(microsoft.endpoints.at(TENANT).admin_consent, params=asked)
    assert admin.press("Cancel")["error"] == "consent_required"
    assert not microsoft.oauth.admin_consented


def test_a_second_factor_may_be_asked_for(microsoft: FakeMicrosoft) -> None:
    microsoft.faults.needs_mfa = True
    browser = Browser(microsoft)
    browser.press(BOB)
    assert "Approve sign in request" in browser.page.text
    browser.press("Approve")
    assert "code" in browser.press("Accept")


@pytest.mark.parametrize(
    ("tenant", "asked", "words"),
    [
        ("consumers", {}, "AADSTS50020"),
        ("another-tenant", {}, "AADSTS50020"),
        ("common", {"client_id": "nobody"}, "AADSTS700016"),
        ("common", {"redirect_uri": "http://elsewhere.example/"}, "AADSTS50011"),
    ],
)
def test_some_errors_are_shown_and_never_come_back(
    microsoft: FakeMicrosoft, tenant: str, asked: dict[str, str], words: str
) -> None:
    microsoft.redirect_uris = {BACK}
    browser = Browser(microsoft, tenant, **asked)
    if not asked:
        assert browser.press(BOB) == {}
    assert browser.page.status_code == 400
    assert words in browser.page.text


def test_personal_accounts_have_a_tenant_of_their_own(microsoft: FakeMicrosoft) -> None:
    microsoft.mailbox("eve@outlook.com")
    browser = Browser(microsoft, "consumers")
    browser.press("eve@outlook.com")
    tokens = browser.token(code=browser.press("Accept")["code"]).json()
    assert f"/{CONSUMERS}/v2.0" in base64.urlsafe_b64decode(tokens["id_token"].split(".")[1] + "==").decode()


def test_the_answer_may_come_as_a_form(microsoft: FakeMicrosoft) -> None:
    browser = Browser(microsoft, response_mode="form_post")
    browser.press(BOB)
    browser.press("Accept")
    assert f'<form method="post" action="{BACK}">' in browser.page.text
    assert 'name="code"' in browser.page.text
