"""The OAuth client at the public emulators of Google and Microsoft, for what they offer of signing in."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from urllib.parse import parse_qsl, urlsplit

import httpx
import pytest

from postroom.providers.errors import NeedsAdministrator, NeedsReconnect
from postroom.providers.gmail.oauth import GMAIL
from postroom.providers.guard import NetworkPolicy
from postroom.providers.http import HttpClient
from postroom.providers.oauth import OAuth
from postroom.providers.oauth_client import OAuthClient, Proofs, Registration, authorization_url
from postroom.providers.outlook.oauth import OUTLOOK
from tests.servers.emulate import Emulator

BACK = "http://127.0.0.1:1/return"  # nobody listens: the code is read off the address


@dataclass
class Place:
    """One emulator, as the product sees it."""

    emulator: Emulator
    oauth: OAuth

    @property
    def registration(self) -> Registration:
        return Registration(self.emulator.client_id, self.emulator.client_secret, self.emulator.endpoints, BACK)

    def press(self, proofs: Proofs, address: str) -> dict[str, str]:
        """Press the button of a person on its page; what comes back."""
        url = authorization_url(self.oauth, self.registration, proofs, scope=self.oauth.asked("api"))
        page = httpx.get(url)
        assert page.status_code == 200 and address in page.text
        answer = httpx.post(
            f"{url.partition('?')[0]}/callback", data={**dict(parse_qsl(urlsplit(url).query)), "email": address}
        )
        assert answer.status_code == 302, answer.text
        return dict(parse_qsl(urlsplit(answer.headers["location"]).query))


@pytest.fixture(params=["google", "microsoft"])
def place(request: pytest.FixtureRequest) -> Place:
    emulator: Emulator = request.getfixturevalue(f"emulated_{request.param}")
    return Place(emulator, GMAIL if request.param == "google" else OUTLOOK)


@pytest.fixture
async def client(place: Place) -> AsyncIterator[OAuthClient]:
    http = HttpClient(NetworkPolicy())
    yield OAuthClient(http, place.oauth, place.registration)
    await http.close()


async def test_a_person_signs_in_and_stays_signed_in(place: Place, client: OAuthClient) -> None:
    proofs, address = Proofs.make(), place.emulator.person()
    back = place.press(proofs, address)
    assert back["state"] == proofs.state
    answer = await client.exchange(back["code"], proofs.verifier)
    assert (await client.identify(answer, proofs.nonce)).address == address
    fresh = await client.refresh(answer.refresh_token)
    assert fresh.access_token not in ("", answer.access_token)


async def test_a_code_needs_its_verifier(place: Place, client: OAuthClient) -> None:
    back = place.press(Proofs.make(), place.emulator.person())
    with pytest.raises(NeedsReconnect):
        await client.exchange(back["code"], Proofs.make().verifier)


async def test_the_registration_is_tried_without_a_sign_in(place: Place, client: OAuthClient) -> None:
    await client.check()
    wrong = Registration(place.emulator.client_id, "wrong", place.emulator.endpoints, BACK)
    http = HttpClient(NetworkPolicy())
    try:
        with pytest.raises(NeedsAdministrator) as refused:
            await OAuthClient(http, place.oauth, wrong).check()
    finally:
        await http.close()
    assert refused.value.code == "app_secret_refused"


async def test_what_was_given_back_is_gone(emulated_google: Emulator) -> None:
    place, proofs = Place(emulated_google, GMAIL), Proofs.make()
    http = HttpClient(NetworkPolicy())
    try:
        client = OAuthClient(http, GMAIL, place.registration)
        answer = await client.exchange(place.press(proofs, emulated_google.person())["code"], proofs.verifier)
        await client.revoke(answer.refresh_token)
        with pytest.raises(NeedsReconnect):
            await client.refresh(answer.refresh_token)
    finally:
        await http.close()
