"""OAuth with oidc-provider-mock, which somebody else wrote: refusal, a code, fresh tokens, their end, revocation."""

from __future__ import annotations

import html
import re
from collections.abc import AsyncIterator, Iterator
from dataclasses import replace
from urllib.parse import parse_qsl, urlsplit

import httpx
import pytest

from postroom.providers.errors import NeedsReconnect
from postroom.providers.gmail.oauth import GMAIL
from postroom.providers.guard import NetworkPolicy
from postroom.providers.http import HttpClient
from postroom.providers.oauth_client import OAuthClient, Proofs, Registration, authorization_url, error_of
from tests.servers.consent import ConsentServer, consent_server

pytestmark = pytest.mark.filterwarnings("ignore:get_jwt_config")  # the mock uses what Authlib will drop

ANN = "ann@tidewater.example"
BACK = "http://localhost:8000/settings/mailboxes/connect/x/return/"
SCOPE = "openid email offline_access"
OAUTH = replace(
    GMAIL, profile_path="", authorize_parameters={"prompt": "consent"}, authentication="client_secret_basic"
)


@pytest.fixture(scope="module")
def server() -> Iterator[ConsentServer]:
    with consent_server() as running:
        running.make_person("ann", email=ANN)
        yield running


@pytest.fixture
async def http() -> AsyncIterator[HttpClient]:
    client = HttpClient(NetworkPolicy())
    yield client
    await client.close()


def registration(server: ConsentServer) -> Registration:
    return Registration("postroom", "secret", server.endpoints, BACK)


def press(server: ConsentServer, proofs: Proofs, *, denies: bool = False) -> dict[str, str]:
    """Press a button of its page; what comes back to our address."""
    url = authorization_url(OAUTH, registration(server), proofs, scope=SCOPE)
    form = dict(re.findall(r'name="([^"]+)" value="([^"]*)"', html.unescape(httpx.get(url).text)))
    form = {name: value for name, value in form.items() if name not in ("action", "sub")}
    answer = httpx.post(url, data={**form, "sub": "ann", **({"action": "deny"} if denies else {})})
    assert answer.status_code in (302, 303), answer.text
    return dict(parse_qsl(urlsplit(answer.headers["location"]).query))


def test_a_refusal_comes_back_by_name(server: ConsentServer) -> None:
    back = press(server, Proofs.make(), denies=True)
    assert back["error"] == "access_denied" and error_of(OAUTH, back).code == "consent_refused"


async def test_a_code_becomes_tokens_that_are_refreshed_until_they_are_taken_back(
    server: ConsentServer, http: HttpClient
) -> None:
    proofs, client = Proofs.make(), OAuthClient(http, OAUTH, registration(server))
    answer = await client.exchange(press(server, proofs)["code"], proofs.verifier)
    assert (await client.identify(answer, proofs.nonce)).address == ANN
    fresh = await client.refresh(answer.refresh_token)
    assert fresh.access_token != answer.access_token
    server.revoke_tokens("ann")
    with pytest.raises(NeedsReconnect) as dead:
        await client.refresh(fresh.refresh_token)
    assert dead.value.code == "grant_revoked"


async def test_a_code_is_used_once(server: ConsentServer, http: HttpClient) -> None:
    proofs, client = Proofs.make(), OAuthClient(http, OAUTH, registration(server))
    code = press(server, proofs)["code"]
    await client.exchange(code, proofs.verifier)
    with pytest.raises(NeedsReconnect):
        await client.exchange(code, proofs.verifier)
