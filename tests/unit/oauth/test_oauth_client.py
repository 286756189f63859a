"""OAuth with the fake Google and the fake Microsoft: codes, tokens, who signed in, and every kind of refusal."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from dataclasses import replace
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from joserfc.jwk import RSAKey

from postroom.providers.catalogue import CATALOGUE
from postroom.providers.errors import (
    NeedsAdministrator,
    NeedsReconnect,
    ProtocolViolation,
    ProviderError,
    Throttled,
    Unreachable,
)
from postroom.providers.gmail.oauth import GMAIL
from postroom.providers.guard import NetworkPolicy
from postroom.providers.http import HttpClient
from postroom.providers.oauth import OAuth, mail_servers, oauth_endpoints, variables
from postroom.providers.oauth_client import OAuthClient, Proofs, Registration, authorization_url, error_of
from postroom.providers.outlook.oauth import OUTLOOK
from postroom.providers.outlook.reasons import REASONS
from tests.fakes import identity_provider, person
from tests.fakes.google.server import FakeGoogle
from tests.fakes.microsoft.server import FakeMicrosoft
from tests.fakes.served import Answer, Request, Served, json_answer

ANN, BEN = "ann@tidewater.example", "ben@tidewater.example"
BACK = "http://localhost:8000/settings/mailboxes/connect/x/return/"


@pytest.fixture
def google() -> Iterator[FakeGoogle]:
    with FakeGoogle() as server:
        server.mailbox(ANN)
        yield server


@pytest.fixture
def microsoft() -> Iterator[FakeMicrosoft]:
    with FakeMicrosoft() as server:
        server.mailbox(ANN)
        yield server


@pytest.fixture
async def http() -> AsyncIterator[HttpClient]:
    client = HttpClient(NetworkPolicy())
    yield client
    await client.close()


def of_google(google: FakeGoogle) -> Registration:
    return Registration(google.client_id, google.client_secret, google.endpoints, BACK)


def of_microsoft(microsoft: FakeMicrosoft, tenant: str = "common") -> Registration:
    return Registration(microsoft.client_id, microsoft.client_secret, microsoft.endpoints.at(tenant), BACK)


def leave(oauth: OAuth, registration: Registration, proofs: Proofs) -> str:
    return authorization_url(oauth, registration, proofs, scope=oauth.asked("api"), login_hint=ANN)


async def test_a_code_becomes_tokens_and_tells_who_signed_in(google: FakeGoogle, http: HttpClient) -> None:
    proofs, registration = Proofs.make(), of_google(google)
    back = person.at_google(leave(GMAIL, registration, proofs), ANN)
    client = OAuthClient(http, GMAIL, registration)
    answer = await client.exchange(back["code"], proofs.verifier)
    who = await client.identify(answer, proofs.nonce)
    assert back["state"] == proofs.state and client.believes(back["iss"])
    assert (who.subject, who.address) == (google.oauth.subjects[ANN], ANN)
    assert answer.refresh_token and 3000 < answer.life_seconds <= 3600
    assert GMAIL.granted("api", answer.scope) == {"sign_in", "receiving", "sending"}


async def test_microsoft_tells_its_own_address_and_a_subject_that_outlives_the_registration(
    microsoft: FakeMicrosoft, http: HttpClient
) -> None:
    proofs, registration = Proofs.make(), of_microsoft(microsoft)
    back = person.at_microsoft(leave(OUTLOOK, registration, proofs), ANN)
    client = OAuthClient(http, OUTLOOK, registration)
    answer = await client.exchange(back["code"], proofs.verifier)
    who = await client.identify(answer, proofs.nonce)
    assert who.address == ANN and who.subject.endswith(f"/{microsoft.mailbox(ANN).user_id}")
    assert OUTLOOK.granted("api", answer.scope) == {"sign_in", "receiving", "sending"}
    assert (await client.refresh(answer.refresh_token)).refresh_token not in ("", answer.refresh_token)


async def test_the_sign_in_page_is_asked_with_everything_it_needs(google: FakeGoogle) -> None:
    proofs = Proofs.make()
    asked = parse_qs(urlsplit(leave(GMAIL, of_google(google), proofs)).query)
    assert asked["code_challenge_method"] == ["S256"] and proofs.verifier not in str(asked)
    assert asked["access_type"] == ["offline"] and asked["prompt"] == ["consent"]
    assert asked["login_hint"] == [ANN] and asked["include_granted_scopes"] == ["true"]
    assert asked["state"] == [proofs.state] and asked["nonce"] == [proofs.nonce]


async def test_a_code_is_worth_nothing_without_its_verifier_and_only_once(google: FakeGoogle, http: HttpClient) -> None:
    proofs, registration = Proofs.make(), of_google(google)
    client = OAuthClient(http, GMAIL, registration)
    back = person.at_google(leave(GMAIL, registration, proofs), ANN)
    with pytest.raises(NeedsReconnect):
        await client.exchange(back["code"], Proofs.make().verifier)
    await client.exchange(back["code"], proofs.verifier)
    with pytest.raises(NeedsReconnect):
        await client.exchange(back["code"], proofs.verifier)


@pytest.mark.parametrize(
    "claims",
    [
        {"iss": "https://accounts.elsewhere.example"},
        {"aud": "another-app"},
        {"aud": ["another-app"]},
        {"azp": "another-app"},
        {"exp": 1_700_000_000},
        {"nonce": "another journey's"},
    ],
    ids=lambda claims: next(iter(claims)),
)
async def test_an_id_token_that_does_not_hold_proves_nobody(
    google: FakeGoogle, http: HttpClient, claims: dict[str, object]
) -> None:
    google.faults.id_token_claims = claims
    proofs, registration = Proofs.make(), of_google(google)
    client = OAuthClient(http, GMAIL, registration)
    answer = await client.exchange(person.at_google(leave(GMAIL, registration, proofs), ANN)["code"], proofs.verifier)
    with pytest.raises(ProtocolViolation) as refused:
        await client.identify(answer, proofs.nonce)
    assert refused.value.code == "identity_not_proven"


async def test_an_id_token_of_another_key_or_without_one_proves_nobody(google: FakeGoogle, http: HttpClient) -> None:
    proofs, registration = Proofs.make(), of_google(google)
    client = OAuthClient(http, GMAIL, registration)
    answer = await client.exchange(person.at_google(leave(GMAIL, registration, proofs), ANN)["code"], proofs.verifier)
    claims = {"iss": google.url, "aud": google.client_id, "sub": "1", "exp": 4_000_000_000, "nonce": proofs.nonce}
    forged = identity_provider.sign(claims, RSAKey.generate_key(2048, {"kid": "fake-1"}))
    unsigned = "eyJhbGciOiJub25lIn0." + forged.split(".")[1] + "."
    assert (await client.identify(replace(answer, id_token=identity_provider.sign(claims)), proofs.nonce)).subject
    for token in (forged, unsigned, "", "x.y.z"):
        with pytest.raises(ProtocolViolation):
            await client.identify(replace(answer, id_token=token), proofs.nonce)


async def test_the_mailbox_itself_names_its_address(microsoft: FakeMicrosoft, http: HttpClient) -> None:
    """`email` in an ID token is whatever an administrator of some tenant wrote there."""
    proofs, registration = Proofs.make(), of_microsoft(microsoft)
    client = OAuthClient(http, OUTLOOK, registration)
    microsoft.faults.id_token_claims = {"email": "boss@tidewater.example"}
    answer = await client.exchange(
        person.at_microsoft(leave(OUTLOOK, registration, proofs), ANN)["code"], proofs.verifier
    )
    assert (await client.identify(answer, proofs.nonce)).address == ANN
    microsoft.faults.fail_next = 1
    with pytest.raises(Unreachable):
        await client.identify(answer, proofs.nonce)


async def test_microsofts_issuer_belongs_to_the_tenant_of_the_account(
    microsoft: FakeMicrosoft, http: HttpClient
) -> None:
    proofs, registration = Proofs.make(), of_microsoft(microsoft)
    client = OAuthClient(http, OUTLOOK, registration)
    microsoft.faults.id_token_claims = {"tid": "another-tenant"}
    answer = await client.exchange(
        person.at_microsoft(leave(OUTLOOK, registration, proofs), ANN)["code"], proofs.verifier
    )
    with pytest.raises(ProtocolViolation):
        await client.identify(answer, proofs.nonce)
    assert client.believes(f"{microsoft.url}/any-tenant/v2.0")
    assert not client.believes(f"{microsoft.url}/a/b/v2.0")
    assert not client.believes("https://login.elsewhere.example/any-tenant/v2.0")


async def test_a_check_tells_right_from_wrong_without_a_sign_in(
    google: FakeGoogle, microsoft: FakeMicrosoft, http: HttpClient
) -> None:
    await OAuthClient(http, GMAIL, of_google(google)).check()
    await OAuthClient(http, OUTLOOK, of_microsoft(microsoft)).check()
    for oauth, registration in ((GMAIL, of_google(google)), (OUTLOOK, of_microsoft(microsoft))):
        with pytest.raises(NeedsAdministrator) as refused:
            await OAuthClient(http, oauth, replace(registration, client_secret="wrong one")).check()
        assert refused.value.code == "app_secret_refused"
        assert "wrong one" not in f"{refused.value.server_words} {refused.value.facts}"


async def test_an_expired_secret_and_a_dead_grant_are_told_apart(microsoft: FakeMicrosoft, http: HttpClient) -> None:
    client, token = OAuthClient(http, OUTLOOK, of_microsoft(microsoft)), microsoft.refresh_token_for(ANN)
    microsoft.faults.refuse_client = "expired secret"
    with pytest.raises(NeedsAdministrator) as ours:
        await client.refresh(token)
    microsoft.faults.refuse_client = ""
    microsoft.oauth.revoke(ANN, number=700082)
    with pytest.raises(NeedsReconnect) as theirs:
        await client.refresh(token)
    assert (ours.value.code, theirs.value.code) == ("app_secret_expired", "grant_expired")


async def test_what_passes_is_told_from_what_does_not(google: FakeGoogle, http: HttpClient) -> None:
    client, token = OAuthClient(http, GMAIL, of_google(google)), google.refresh_token_for(ANN)
    for status, expected in ((503, Unreachable), (429, Throttled), (500, Unreachable)):
        google.faults.token_endpoint_status = status
        with pytest.raises(expected):
            await client.refresh(token)
    google.faults.token_endpoint_status = 0
    google.faults.revoke(ANN)
    with pytest.raises(NeedsReconnect) as dead:
        await client.refresh(token)
    assert dead.value.code == "grant_revoked"
    nowhere = replace(of_google(google), endpoints=replace(google.endpoints, token="http://127.0.0.1:9/token"))
    with pytest.raises(Unreachable):
        await OAuthClient(http, GMAIL, nowhere).refresh(token)


class Flood(Served):
    """Answers a megabyte and more to everything."""

    async def answer(self, request: Request) -> Answer:
        return json_answer(200, {"access_token": "x" * 1_200_000})


async def test_an_answer_has_an_end(http: HttpClient) -> None:
    with Flood() as server:
        endpoints = replace(GMAIL.endpoints, token=f"{server.url}/token")
        with pytest.raises(ProtocolViolation) as flood:
            await OAuthClient(http, GMAIL, Registration("id", "secret", endpoints)).refresh("token")
    assert flood.value.code == "flood"


class Echo(Served):
    """Refuses, and says back what it was told."""

    async def answer(self, request: Request) -> Answer:
        return json_answer(400, {"error": "invalid_request", "error_description": request.body.decode()})


async def test_what_a_server_says_back_is_scrubbed(http: HttpClient) -> None:
    with Echo() as server:
        registration = Registration("id", "canary1", replace(GMAIL.endpoints, token=f"{server.url}/token"))
        with pytest.raises(NeedsAdministrator) as refused:
            await OAuthClient(http, GMAIL, registration).refresh("canary2")
    assert "refresh_token=" in refused.value.server_words and "canary" not in refused.value.server_words


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        ("invalid_grant", NeedsReconnect),
        ("interaction_required", NeedsReconnect),
        ("access_denied", NeedsReconnect),
        ("invalid_client", NeedsAdministrator),
        ("unauthorized_client", NeedsAdministrator),
        ("redirect_uri_mismatch", NeedsAdministrator),
        ("something_new", NeedsAdministrator),
        ("temporarily_unavailable", Unreachable),
        ("server_error", Unreachable),
    ],
)
def test_the_error_alone_decides_what_is_done(error: str, kind: type[ProviderError]) -> None:
    for words in ("", "AADSTS7000222: expired", "AADSTS90033: a transient error"):
        assert type(error_of(OUTLOOK, {"error": error, "error_description": words})) is kind


@pytest.mark.parametrize(("hint", "code"), [*REASONS.items(), *GMAIL.reasons.items()])
def test_every_reason_has_words(hint: str, code: str) -> None:
    assert code in CATALOGUE
    oauth = OUTLOOK if hint in REASONS else GMAIL
    said = {"error": "invalid_grant", "error_description": f"{hint}: words", "error_subtype": hint}
    assert error_of(oauth, said).code == code


def test_the_numbers_of_an_answer_count_before_its_words() -> None:
    said = {"error": "invalid_grant", "error_codes": [50076], "error_description": "AADSTS1: …", "suberror": "x"}
    assert error_of(OUTLOOK, said).code == "second_factor_needed"


def test_what_was_unticked_is_named_and_only_its_feature_is_off() -> None:
    scope = "openid profile email https://graph.microsoft.com/Mail.ReadWrite"
    assert OUTLOOK.granted("api", scope) == {"sign_in", "receiving"}
    assert [one.name for one in OUTLOOK.missing("api", scope)] == ["Mail.Send"]
    assert OUTLOOK.granted("api", "openid profile email Mail.Send") == {"sign_in"}, "what is sent is a draft first"
    assert OUTLOOK.granted("api", "Mail.ReadWrite Mail.Send Mail.Send.Shared", is_shared=True) == {"sign_in"}
    assert GMAIL.granted("api", "openid https://www.googleapis.com/auth/gmail.compose") == {"sign_in"}
    assert GMAIL.granted("api", "openid https://mail.google.com/") == {"sign_in", "receiving", "sending"}
    assert GMAIL.granted("api", "openid https://www.googleapis.com/auth/gmail.readonly") == {"sign_in", "receiving"}


def test_graphs_scopes_and_those_of_the_servers_are_never_asked_for_together() -> None:
    assert "outlook.office.com" not in OUTLOOK.asked("api", is_shared=True)
    assert "Mail.Read" not in OUTLOOK.asked("servers") and "offline_access" in OUTLOOK.asked("servers")
    assert "Shared" not in OUTLOOK.asked("api") and "Mail.Send.Shared" in OUTLOOK.asked("api", is_shared=True)


def test_the_environment_replaces_every_endpoint() -> None:
    environ = {
        "POSTROOM_MICROSOFT_AUTHORIZE_URL": "https://login.cloud.example/{tenant}/authorize",
        "POSTROOM_MICROSOFT_ISSUERS": "https://one.example/{tid}, https://two.example",
        "POSTROOM_MICROSOFT_API_URL": "https://graph.cloud.example/v1.0/",
        "POSTROOM_MICROSOFT_IMAP": "imap.cloud.example",
        "POSTROOM_MICROSOFT_SMTP": "smtp.cloud.example:2587",
    }
    endpoints = oauth_endpoints(environ, OUTLOOK).at("ours")
    assert endpoints.authorize == "https://login.cloud.example/ours/authorize"
    assert endpoints.issuers == ("https://one.example/{tid}", "https://two.example")
    assert endpoints.api == "https://graph.cloud.example/v1.0"
    assert endpoints.token == "https://login.microsoftonline.com/ours/oauth2/v2.0/token"
    servers = mail_servers(environ, OUTLOOK)
    assert (servers.imap_host, servers.imap_port) == ("imap.cloud.example", 993)
    assert (servers.smtp_host, servers.smtp_port) == ("smtp.cloud.example", 2587)


def test_nothing_secret_is_in_a_repr(google: FakeGoogle) -> None:
    proofs = Proofs.make()
    shown = repr(proofs) + repr(of_google(google))
    assert google.client_secret not in shown and proofs.verifier not in shown and proofs.state not in shown


@pytest.mark.parametrize("oauth", [GMAIL, OUTLOOK], ids=lambda oauth: oauth.owner)
def test_every_variable_of_the_environment_is_documented(oauth: OAuth) -> None:
    documented = set(variables(oauth))
    asked: set[str] = set()

    class Asked(dict[str, str]):
        def get(self, name: str, default: Any = None) -> Any:
            asked.add(name)
            return default

    oauth_endpoints(Asked(), oauth)
    mail_servers(Asked(), oauth)
    unused = {f"POSTROOM_{oauth.environment}_{one}" for one in ("REVOKE_URL", "ADMIN_CONSENT_URL")}
    assert asked - unused <= documented and len(documented) > 10
