"""IMAP and SMTP by XOAUTH2 and OAUTHBEARER at Dovecot and Postfix, which ask a fake Google about each token."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from asgiref.sync import async_to_sync

from postroom.mailboxes.arrivals import arrive
from postroom.mailboxes.connect import ConnectRequest
from postroom.mailboxes.credentials import load_credentials
from postroom.mailboxes.journeys import begin
from postroom.mailboxes.models import Grant
from postroom.providers import registry
from postroom.providers.base import Credentials, Envelope
from postroom.providers.errors import NeedsReconnect, SignInRefused, WrongSettings
from postroom.providers.guard import NetworkPolicy
from postroom.providers.imap.provider import ImapProvider
from tests.cast import Cast
from tests.fakes import person
from tests.fakes.google.server import FakeGoogle
from tests.fakes.served import Answer, Request, Served, json_answer
from tests.integration.sign_in_place import environment, save_google
from tests.servers.certs import Certificates
from tests.servers.dovecot import Dovecot
from tests.servers.postfix import Postfix

ANN, BEN = "ann@example.test", "ben@example.test"
ALL_MAIL = "openid email https://mail.google.com/"


@pytest.fixture(scope="module")
def google() -> Iterator[FakeGoogle]:
    with FakeGoogle() as server:
        server.mailbox(ANN)
        server.mailbox(BEN)
        yield server


class Userinfo(Served):
    """Tells whose a token is. Dovecot 2.3 takes an answer without an address for a failure of its own."""

    def __init__(self, google: FakeGoogle) -> None:
        super().__init__()
        self.google = google

    async def answer(self, request: Request) -> Answer:
        with self.google.lock:
            found = self.google.oauth.find_token(request.bearer)
        may_read = found is not None and "https://mail.google.com/" in found.scopes
        return json_answer(200, {"email": found.grant.address if found and may_read else "nobody"})


@pytest.fixture(scope="module")
def userinfo(google: FakeGoogle) -> Iterator[Userinfo]:
    with Userinfo(google) as server:
        yield server


@pytest.fixture(scope="module", params=["xoauth2", "oauthbearer"])
def dovecot(
    request: pytest.FixtureRequest, servers_folder: Path, certificates: Certificates, userinfo: Userinfo
) -> Iterator[Dovecot]:
    mechanism = str(request.param)
    # Tests that commit run last (pytest-django), so a module's servers may be started twice.
    folder = servers_folder / f"{mechanism}-{uuid4().hex[:8]}"
    server = Dovecot(folder, certificates, userinfo=userinfo.url, mechanisms=mechanism).start()
    yield server
    server.stop()


@pytest.fixture(scope="module")
def postfix(certificates: Certificates, dovecot: Dovecot) -> Iterator[Postfix]:
    server = Postfix(dovecot.folder.with_name(f"{dovecot.folder.name}-smtp"), certificates, dovecot).start()
    yield server
    server.stop()


@dataclass
class GivenTokens:
    """Gives out these tokens in turn, as each is refused."""

    tokens: list[str]
    refused: list[str] = field(default_factory=list)

    async def access_token(self, refused: str = "") -> str:
        if refused:
            self.refused.append(refused)
            self.tokens.remove(refused)
        if not self.tokens:
            raise NeedsReconnect("grant_revoked")
        return self.tokens[0]


def servers_of(dovecot: Dovecot, postfix: Postfix, security: str = "tls") -> dict[str, Mapping[str, Any]]:
    imap, smtp = (dovecot.imaps, postfix.submissions) if security == "tls" else (dovecot.imap, postfix.submission)
    return {
        "imap": {"host": "localhost", "port": imap, "security": security, "username": ANN},
        "smtp": {"host": "localhost", "port": smtp, "security": security, "username": ANN},
    }


def credentials(servers: dict[str, Any], *tokens: str) -> Credentials:
    return Credentials(ANN, servers, tokens=GivenTokens(list(tokens)))


@pytest.mark.parametrize("security", ["tls", "starttls"])
async def test_a_token_passes_the_whole_check(
    policy: NetworkPolicy, google: FakeGoogle, dovecot: Dovecot, postfix: Postfix, security: str
) -> None:
    checked = credentials(servers_of(dovecot, postfix, security), google.token_for(ANN, ALL_MAIL))
    steps = [step async for step in ImapProvider(policy).check(checked)]
    assert all(step.ok for step in steps), steps
    names = [(step.server, step.name) for step in steps]
    assert ("imap", "inbox") in names and names[-1] == ("smtp", "sender")


async def test_a_token_reads_and_sends(
    policy: NetworkPolicy, google: FakeGoogle, dovecot: Dovecot, postfix: Postfix
) -> None:
    opened = credentials(servers_of(dovecot, postfix), google.token_for(ANN, ALL_MAIL))
    provider = ImapProvider(policy)
    sender = await provider.open_sender(opened)

    async def nothing(upload: str) -> None:
        """Nobody has to be told."""

    raw = b"From: ann@example.test\r\nTo: ben@example.test\r\nMessage-ID: <1@example.test>\r\nSubject: Hi\r\n\r\nHi\r\n"
    receipt = await sender.send(Envelope(ANN, (BEN,)), raw, nothing)
    await sender.close()
    assert receipt.reply.startswith("250") and not receipt.refused
    session = await provider.open(opened)
    assert "INBOX" in [folder.remote_name for folder in await session.list_folders()]
    await session.close()


async def test_a_refused_token_is_replaced_once(
    policy: NetworkPolicy, google: FakeGoogle, dovecot: Dovecot, postfix: Postfix
) -> None:
    provider, servers = ImapProvider(policy), servers_of(dovecot, postfix)
    good = google.token_for(ANN, ALL_MAIL)
    for open_ in (provider.open, provider.open_sender):
        tokens = GivenTokens(["a bad one", good])
        conversation = await open_(Credentials(ANN, servers, tokens=tokens))
        assert tokens.refused == ["a bad one"]
        await conversation.close()
        tokens = GivenTokens(["a bad one", "and another", good])
        with pytest.raises(NeedsReconnect) as refused:
            await open_(Credentials(ANN, servers, tokens=tokens))
        assert refused.value.code == "token_refused" and tokens.refused == ["a bad one"]
        assert "401" in refused.value.server_words or "invalid_token" in refused.value.server_words
        assert "another" not in f"{refused.value.server_words} {refused.value.facts}"


async def test_a_token_opens_the_mailbox_of_its_own_account_only(
    policy: NetworkPolicy, google: FakeGoogle, dovecot: Dovecot, postfix: Postfix
) -> None:
    bens = google.token_for(BEN, ALL_MAIL)
    with pytest.raises(NeedsReconnect) as refused:
        await ImapProvider(policy).open(credentials(servers_of(dovecot, postfix), bens, bens + "x"))
    assert refused.value.code == "token_refused" and refused.value.facts["username"] == ANN


async def test_a_token_is_never_sent_in_the_clear(
    policy: NetworkPolicy, google: FakeGoogle, dovecot: Dovecot, postfix: Postfix
) -> None:
    servers = servers_of(dovecot, postfix, "none") | {}
    with pytest.raises(WrongSettings) as refused:
        await ImapProvider(policy).open(credentials(servers, google.token_for(ANN, ALL_MAIL)))
    assert refused.value.code == "auth_not_offered"


async def test_a_server_without_passwords_refuses_one(
    policy: NetworkPolicy, dovecot: Dovecot, postfix: Postfix
) -> None:
    servers: Any = servers_of(dovecot, postfix)
    servers["imap"] = {**servers["imap"], "password": "pass"}
    with pytest.raises((SignInRefused, WrongSettings)):
        await ImapProvider(policy).open(Credentials(ANN, servers))


def test_a_member_connects_a_mailbox_by_its_servers_where_the_administrator_prefers_that(
    cast: Cast,
    policy: NetworkPolicy,
    google: FakeGoogle,
    dovecot: Dovecot,
    postfix: Postfix,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    environ = environment("GOOGLE", google.endpoints) | {
        "POSTROOM_GOOGLE_IMAP": f"localhost:{dovecot.imaps}",
        "POSTROOM_GOOGLE_SMTP": f"localhost:{postfix.submissions}",
    }
    for name, value in environ.items():
        monkeypatch.setenv(name, value)
    registry.configure(policy, environ)
    try:
        async_to_sync(save_google)(cast.alice, google, way="servers")
        request = ConnectRequest("", "", "personal")
        back = person.at_google(begin(cast.bob, "session", "gmail", request).url, ANN)
        arrival = async_to_sync(arrive)(cast.bob, "session", "gmail", back)
        assert arrival.code == "connected" and arrival.mailbox is not None, arrival
        assert (arrival.mailbox.provider, Grant.objects.get().app) == ("imap", "gmail")
        opened = load_credentials(arrival.mailbox)
        assert opened.tokens is not None and set(opened.secrets) == {"oauth", "imap", "smtp"}
        assert "password" not in opened.secrets["imap"]
        async_to_sync(save_google)(cast.alice, google)  # new mailboxes by the API from now on; this one stays
        back = person.at_google(begin(cast.bob, "session", "gmail", request, arrival.mailbox).url, ANN)
        arrival = async_to_sync(arrive)(cast.bob, "session", "gmail", back)
        assert arrival.code == "reconnected" and arrival.mailbox is not None, arrival
        assert arrival.mailbox.provider == "imap" and "imap" in load_credentials(arrival.mailbox).secrets
    finally:
        registry.configure(NetworkPolicy(), {})
