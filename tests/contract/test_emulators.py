"""The public emulators answer as our tests of providers need them, and their traps are where we think they are."""

from __future__ import annotations

import base64

import httpx
import pytest
from joserfc import jwt
from joserfc.jwk import KeySet

from tests.servers.consent import ConsentServer
from tests.servers.emulate import STRANGER, Emulator

LETTER = (
    b"From: Bob <bob@customer.test>\r\nTo: a@example.test\r\nSubject: Offer\r\nMessage-ID: <m1@customer.test>\r\n"
    b"\r\nHello\r\n"
)


def gmail(emulator: Emulator, token: str) -> httpx.Client:
    return httpx.Client(base_url=f"{emulator.url}/gmail/v1/users/me/", headers={"Authorization": f"Bearer {token}"})


@pytest.mark.parametrize("fixture", ["emulated_google", "emulated_gmail"])
def test_a_person_of_an_emulated_google_has_a_mailbox_of_their_own(
    fixture: str, request: pytest.FixtureRequest
) -> None:
    emulator: Emulator = request.getfixturevalue(fixture)
    raw = base64.urlsafe_b64encode(LETTER).decode()
    with gmail(emulator, emulator.token_for(emulator.person())) as one:
        put = one.post("messages/import", json={"raw": raw, "labelIds": ["INBOX", "UNREAD"]})
        assert put.status_code == 200
        [listed] = one.get("messages").json()["messages"]
        fetched = one.get(f"messages/{listed['id']}", params={"format": "raw"}).json()["raw"]
        assert b"Subject: Offer" in base64.urlsafe_b64decode(fetched + "==")
    with gmail(emulator, emulator.token_for(emulator.person())) as other:
        assert not other.get("messages").json().get("messages")


@pytest.mark.parametrize("fixture", ["emulated_google", "emulated_gmail"])
def test_a_token_that_is_not_known_sees_a_strangers_empty_mailbox(fixture: str, request: pytest.FixtureRequest) -> None:
    emulator: Emulator = request.getfixturevalue(fixture)
    with gmail(emulator, "invented") as stranger:
        assert not stranger.get("messages").json().get("messages")
        told = stranger.get(f"{emulator.url}/oauth2/v2/userinfo").json()
        assert told["email"] == STRANGER


@pytest.mark.parametrize("fixture", ["emulated_microsoft", "emulated_graph"])
def test_a_person_of_an_emulated_microsoft_is_who_signed_in(fixture: str, request: pytest.FixtureRequest) -> None:
    emulator: Emulator = request.getfixturevalue(fixture)
    address = emulator.person()
    token = emulator.token_for(address)
    told = httpx.get(f"{emulator.endpoints.api}/me", headers={"Authorization": f"Bearer {token}"}).json()
    assert told["mail"] == address


@pytest.mark.parametrize("fixture", ["emulated_google", "emulated_microsoft"])
def test_the_emulators_id_tokens_are_signed_by_their_keys(fixture: str, request: pytest.FixtureRequest) -> None:
    emulator: Emulator = request.getfixturevalue(fixture)
    keys = KeySet.import_key_set(httpx.get(emulator.endpoints.keys).json())
    claims = jwt.decode(emulator.tokens_for(emulator.person())["id_token"], keys).claims
    assert claims["aud"] == emulator.client_id
    assert claims["iss"] in emulator.endpoints.issuers


def test_a_consent_server_knows_the_person_that_was_made(consent: ConsentServer) -> None:
    consent.make_person("ada", email="ada@example.test")
    consent.revoke_tokens("ada")
    assert httpx.get(consent.endpoints.keys).json()["keys"]
