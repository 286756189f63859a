"""To a provider's sign-in page and back: what is connected, and every way in which it is not."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from datetime import timedelta
from threading import Barrier, Thread
from urllib.parse import parse_qs, urlsplit

import pytest
from asgiref.sync import async_to_sync
from django.test import Client
from django.utils import timezone

from postroom.mailboxes.arrivals import Arrival, arrive
from postroom.mailboxes.connect import ConnectRequest, disconnect
from postroom.mailboxes.credentials import load_credentials
from postroom.mailboxes.journeys import (
    AppMissing,
    Departure,
    approve,
    begin,
    begin_again,
    journey_state,
)
from postroom.mailboxes.models import DirectionState, Grant, JournalEntry, Journey, Mailbox, OAuthApp
from postroom.ops.log_format import JsonLines
from postroom.providers.catalogue import CATALOGUE
from postroom.workspaces.database import borrowed_connection
from postroom.workspaces.members import Member
from postroom.workspaces.models import ApiToken, AuditEntry
from tests.cast import Cast
from tests.fakes import person
from tests.fakes.google.server import FakeGoogle
from tests.fakes.microsoft.server import FakeMicrosoft
from tests.integration.sign_in_place import fake_google, fake_microsoft, save_google, save_microsoft

ANN, BEN, INFO = "ann@tidewater.example", "ben@tidewater.example", "info@tidewater.example"
HERE, ELSEWHERE = "the session of this browser", "the session of another"
PERSONAL = ConnectRequest(provider="", address="", kind="personal", backfill_days=30)


@pytest.fixture
def google(cast: Cast, monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeGoogle]:
    with fake_google(monkeypatch) as server:
        server.mailbox(ANN)
        server.mailbox(BEN)
        async_to_sync(save_google)(cast.alice, server)
        yield server


@pytest.fixture
def microsoft(cast: Cast, monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeMicrosoft]:
    with fake_microsoft(monkeypatch) as server:
        server.mailbox(ANN)
        server.mailbox(BEN)
        async_to_sync(save_microsoft)(cast.alice, server)
        yield server


def come_back(member: Member, query: dict[str, str], *, session: str = HERE, provider: str = "gmail") -> Arrival:
    arrival = async_to_sync(arrive)(member, session, provider, query)
    assert arrival.code in ("connected", "reconnected") or arrival.code in CATALOGUE
    return arrival


def leave(
    member: Member, request: ConnectRequest = PERSONAL, mailbox: Mailbox | None = None, provider: str = "gmail"
) -> Departure:
    return begin(member, HERE, provider, request, mailbox)


def connect_ann(member: Member) -> Mailbox:
    arrival = come_back(member, person.at_google(leave(member).url, ANN))
    assert arrival.code == "connected" and arrival.mailbox is not None
    return arrival.mailbox


def test_a_member_comes_back_with_a_mailbox(cast: Cast, google: FakeGoogle) -> None:
    departure = leave(cast.bob)
    arrival = come_back(cast.bob, person.at_google(departure.url, ANN))
    mailbox = arrival.mailbox
    assert arrival.code == "connected" and mailbox is not None and arrival.missing == ()
    assert (mailbox.address, mailbox.provider, mailbox.kind, mailbox.owner) == (ANN, "gmail", "personal", cast.bob.user)
    assert {mailbox.sign_in_state, mailbox.receiving_state, mailbox.sending_state} == {DirectionState.OK}
    grant = Grant.objects.get(mailbox=mailbox)
    assert (grant.app, grant.subject, grant.sign_in_user) == ("gmail", google.oauth.subjects[ANN], ANN)
    assert grant.dies_at is None and "gmail.modify" in grant.scope
    state = journey_state(cast.bob, departure.journey_id)
    assert state.outcome == "connected" and state.mailbox == mailbox
    assert AuditEntry.objects.filter(action="mailbox.connected", user=cast.bob.user).count() == 1


def test_coming_back_twice_changes_nothing(cast: Cast, google: FakeGoogle) -> None:
    back = person.at_google(leave(cast.bob).url, ANN)
    first, second = come_back(cast.bob, back), come_back(cast.bob, back)
    assert first.code == "connected" and second.code == "journey_used" and second.mailbox == first.mailbox
    assert Mailbox.objects.count() == 1 and len(google.oauth.grants) == 1


@pytest.mark.django_db(transaction=True)
def test_of_two_requests_at_once_one_ends_the_journey(cast: Cast, google: FakeGoogle) -> None:
    back = person.at_google(leave(cast.bob).url, ANN)
    codes: list[str] = []
    together = Barrier(4)

    @borrowed_connection()
    def arrives() -> None:
        together.wait()
        codes.append(come_back(cast.bob, back).code)

    threads = [Thread(target=arrives) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(codes) == ["connected", "journey_used", "journey_used", "journey_used"]


def test_a_forged_state_is_nobodys(cast: Cast, google: FakeGoogle) -> None:
    back = person.at_google(leave(cast.bob).url, ANN)
    for state in ("", "forged", back["state"] + "x"):
        assert come_back(cast.bob, {**back, "state": state}).code == "journey_unknown"
    assert not Mailbox.objects.exists()


def test_a_journey_ends_in_the_browser_it_began_in(cast: Cast, google: FakeGoogle) -> None:
    back = person.at_google(leave(cast.bob).url, ANN)
    assert come_back(cast.bob, back, session=ELSEWHERE).code == "journey_other_browser"
    assert not Mailbox.objects.exists()
    assert come_back(cast.bob, back).code == "connected"  # and there it still does


@pytest.mark.parametrize("who", ["alice", "charlie"])
def test_nobody_ends_the_journey_of_somebody_else(cast: Cast, google: FakeGoogle, who: str) -> None:
    departure = leave(cast.bob)
    back = person.at_google(departure.url, ANN)
    stranger: Member = getattr(cast, who)
    arrival = come_back(stranger, back)
    assert (arrival.code, arrival.journey_id, arrival.mailbox) == ("journey_unknown", None, None)
    with pytest.raises(Journey.DoesNotExist):
        journey_state(stranger, departure.journey_id)
    with pytest.raises(Journey.DoesNotExist):
        begin_again(stranger, HERE, departure.journey_id)


def test_a_journey_is_over_after_a_quarter_of_an_hour(cast: Cast, google: FakeGoogle) -> None:
    back = person.at_google(leave(cast.bob).url, ANN)
    Journey.objects.update(created_at=timezone.now() - timedelta(minutes=15, seconds=1))
    assert come_back(cast.bob, back).code == "journey_late"
    assert not Mailbox.objects.exists()


def test_another_providers_answer_is_refused_and_uses_the_journey_up(
    cast: Cast, google: FakeGoogle, microsoft: FakeMicrosoft
) -> None:
    back = person.at_google(leave(cast.bob).url, ANN)
    assert come_back(cast.bob, back, provider="outlook").code == "journey_mixed_up"
    assert come_back(cast.bob, back).code == "journey_used"
    again = person.at_google(leave(cast.bob).url, ANN)
    assert come_back(cast.bob, {**again, "iss": microsoft.url}).code == "journey_mixed_up"
    assert not Mailbox.objects.exists() and not google.oauth.grants


def test_a_refusal_is_told_and_can_be_begun_again(cast: Cast, google: FakeGoogle) -> None:
    departure = leave(cast.bob, ConnectRequest("", ANN, "personal", display_name="Ann"))
    arrival = come_back(cast.bob, person.at_google(departure.url, ANN, refuses=True))
    assert arrival.code == "consent_refused" and arrival.facts["provider"] == "Google"
    again = begin_again(cast.bob, HERE, departure.journey_id)
    assert parse_qs(urlsplit(again.url).query)["login_hint"] == [ANN]
    arrival = come_back(cast.bob, person.at_google(again.url, ANN))
    assert arrival.mailbox is not None and arrival.mailbox.display_name == "Ann"


def test_what_the_address_says_can_always_be_kept(cast: Cast, google: FakeGoogle) -> None:
    departure = leave(cast.bob)
    [state] = parse_qs(urlsplit(departure.url).query)["state"]
    said = {"state": state, "error": "access_denied", "error_description": "no\0thing"}
    assert come_back(cast.bob, said).code == "consent_refused"


def test_a_permission_that_was_unticked_is_named(cast: Cast, google: FakeGoogle) -> None:
    arrival = come_back(cast.bob, person.at_google(leave(cast.bob).url, ANN, unticked=["gmail.modify"]))
    assert arrival.code == "permission_missing" and "Read your mail" in arrival.facts["permissions"]
    assert not Mailbox.objects.exists()


def test_the_wrong_account_is_refused_by_name(cast: Cast, google: FakeGoogle) -> None:
    arrival = come_back(cast.bob, person.at_google(leave(cast.bob, ConnectRequest("", ANN, "personal")).url, BEN))
    assert (arrival.code, arrival.facts["expected"], arrival.facts["address"]) == ("wrong_account", ANN, BEN)
    mailbox = connect_ann(cast.bob)
    before = load_credentials(mailbox).secrets
    arrival = come_back(cast.bob, person.at_google(leave(cast.bob, mailbox=mailbox).url, BEN))
    assert (arrival.code, arrival.facts["expected"], arrival.facts["address"]) == ("wrong_account", ANN, BEN)
    assert load_credentials(mailbox).secrets == before


def test_the_account_and_not_its_name_is_compared(cast: Cast, google: FakeGoogle) -> None:
    """Somebody else may have the address by now; the same person may have another."""
    mailbox = connect_ann(cast.bob)
    google.oauth.subjects[ANN] = "99"
    arrival = come_back(cast.bob, person.at_google(leave(cast.bob, mailbox=mailbox).url, ANN))
    assert arrival.code == "wrong_account"


def test_a_mailbox_is_reconnected_and_keeps_what_it_is(cast: Cast, google: FakeGoogle) -> None:
    mailbox = connect_ann(cast.bob)
    Mailbox.objects.update(needs_reconnect=True, error_code="grant_revoked", backfill_days=90)
    Grant.objects.update(refused_code="grant_revoked", refused_at=timezone.now())
    google.faults.revoke(ANN)
    arrival = come_back(cast.bob, person.at_google(leave(cast.bob, mailbox=mailbox).url, ANN))
    assert arrival.code == "reconnected" and arrival.mailbox == mailbox
    mailbox.refresh_from_db()
    assert (mailbox.state, mailbox.backfill_days) == ("connecting", 90)
    assert not Grant.objects.get(mailbox=mailbox).refused_code


def test_nobody_reconnects_a_mailbox_that_is_not_his(cast: Cast, google: FakeGoogle) -> None:
    mailbox = connect_ann(cast.bob)
    for stranger in (cast.alice, cast.charlie):  # a personal mailbox is its owner's, administrator or not
        with pytest.raises(Mailbox.DoesNotExist):
            leave(stranger, mailbox=mailbox)


def test_a_mailbox_that_goes_during_the_journey_stays_gone(cast: Cast, google: FakeGoogle) -> None:
    mailbox = connect_ann(cast.bob)
    departure = leave(cast.bob, mailbox=mailbox)
    disconnect(cast.bob, mailbox, keep_history=True)
    google.mailbox(ANN)
    assert come_back(cast.bob, person.at_google(departure.url, ANN)).code == "mailbox_gone"


def test_an_address_is_connected_once(cast: Cast, google: FakeGoogle) -> None:
    connect_ann(cast.bob)
    arrival = come_back(cast.alice, person.at_google(leave(cast.alice).url, ANN))
    assert arrival.code == "address_connected" and arrival.facts["address"] == ANN
    assert Mailbox.objects.get().owner == cast.bob.user


def test_without_a_refresh_token_nothing_is_connected(cast: Cast, google: FakeGoogle) -> None:
    departure = leave(cast.bob)
    back = person.at_google(departure.url.replace("access_type=offline", "access_type=online"), ANN)
    assert come_back(cast.bob, back).code == "refresh_token_missing"
    assert not Mailbox.objects.exists()
    again = begin_again(cast.bob, HERE, departure.journey_id)
    assert parse_qs(urlsplit(again.url).query)["prompt"] == ["consent"]
    assert come_back(cast.bob, person.at_google(again.url, ANN)).code == "connected"


def test_a_registration_in_testing_says_when_its_permissions_die(cast: Cast, google: FakeGoogle) -> None:
    async_to_sync(save_google)(cast.alice, google, audience="testing")
    dies_at = Grant.objects.get(mailbox=connect_ann(cast.bob)).dies_at
    assert dies_at is not None and timedelta(days=6, hours=23) < dies_at - timezone.now() <= timedelta(days=7)


def test_a_limited_permission_says_when_it_ends(cast: Cast, google: FakeGoogle) -> None:
    google.oauth.time_limited_seconds = 30 * 86_400
    dies_at = Grant.objects.get(mailbox=connect_ann(cast.bob)).dies_at
    assert dies_at is not None and timedelta(days=29) < dies_at - timezone.now() <= timedelta(days=30)


def test_without_a_registration_nobody_leaves(cast: Cast, google: FakeGoogle) -> None:
    with pytest.raises(AppMissing):
        leave(cast.charlie)  # his workspace has none


def test_a_shared_mailbox_is_opened_by_whoever_may(cast: Cast, microsoft: FakeMicrosoft) -> None:
    microsoft.share(INFO, with_=ANN)
    shared = ConnectRequest("", INFO, "shared", sign_in_user=ANN)
    departure = leave(cast.bob, shared, provider="outlook")
    assert "Mail.Send.Shared" in departure.url
    arrival = come_back(cast.bob, person.at_microsoft(departure.url, ANN), provider="outlook")
    assert arrival.code == "connected" and arrival.mailbox is not None and arrival.mailbox.address == INFO
    credentials = load_credentials(arrival.mailbox)
    assert (credentials.address, credentials.sign_in_user) == (INFO, ANN)
    again = leave(cast.bob, mailbox=arrival.mailbox, provider="outlook")
    assert come_back(cast.bob, person.at_microsoft(again.url, BEN), provider="outlook").code == "wrong_account"


def test_somebody_else_goes_on_with_a_shared_mailbox_when_its_opener_leaves(
    cast: Cast, microsoft: FakeMicrosoft
) -> None:
    microsoft.share(INFO, with_=ANN)
    microsoft.share(INFO, with_=BEN)
    shared = ConnectRequest("", INFO, "shared", sign_in_user=ANN)
    departure = leave(cast.bob, shared, provider="outlook")
    mailbox = come_back(cast.bob, person.at_microsoft(departure.url, ANN), provider="outlook").mailbox
    assert mailbox is not None
    for wanted, ends in ((INFO, "wrong_account"), (BEN, "reconnected")):
        again = leave(cast.bob, ConnectRequest("", INFO, "shared", sign_in_user=wanted), mailbox, "outlook")
        assert come_back(cast.bob, person.at_microsoft(again.url, BEN), provider="outlook").code == ends
    credentials = load_credentials(mailbox)
    assert (credentials.address, credentials.sign_in_user) == (INFO, BEN)


def test_a_shared_mailbox_that_one_may_not_open_is_not_connected(cast: Cast, microsoft: FakeMicrosoft) -> None:
    microsoft.share(INFO, with_=BEN)
    departure = leave(cast.bob, ConnectRequest("", INFO, "shared", sign_in_user=ANN), provider="outlook")
    arrival = come_back(cast.bob, person.at_microsoft(departure.url, ANN), provider="outlook")
    assert arrival.code in CATALOGUE and not Mailbox.objects.exists()


def test_an_administrator_approves_in_his_own_browser_and_the_member_goes_on(
    cast: Cast, microsoft: FakeMicrosoft
) -> None:
    microsoft.faults.needs_admin_approval = True
    departure = leave(cast.bob, ConnectRequest("", ANN, "personal"), provider="outlook")
    back = person.at_microsoft(departure.url, ANN, **{"return": "1"})
    assert come_back(cast.bob, back, provider="outlook").code == "admin_approval_needed"
    url = journey_state(cast.bob, departure.journey_id).approval_url
    assert "/organizations/" in url and back["state"] not in url
    refused = person.as_administrator(url, refuse="1")
    assert not approve("outlook", refused) and not approve("outlook", {**refused, "state": "forged"})
    approved = person.as_administrator(url)
    assert not approve("gmail", approved) and not approve("outlook", {**approved, "state": back["state"]})
    assert approve("outlook", {**approved, "tenant": "what anybody writes there"})
    assert not approve("outlook", approved)  # once
    assert journey_state(cast.bob, departure.journey_id).is_approved
    again = begin_again(cast.bob, HERE, departure.journey_id)
    assert come_back(cast.bob, person.at_microsoft(again.url, ANN), provider="outlook").code == "connected"


def test_a_conditional_access_refusal_names_who_can_help(cast: Cast, microsoft: FakeMicrosoft) -> None:
    state = parse_qs(urlsplit(leave(cast.bob, provider="outlook").url).query)["state"][0]
    words = "AADSTS53003: Access has been blocked by Conditional Access policies."
    query = {"error": "access_denied", "error_description": words, "state": state}
    arrival = come_back(cast.bob, query, provider="outlook")
    assert arrival.code == "access_rules" and CATALOGUE[arrival.code].who == "mail administrator"


def test_a_secret_that_ran_out_meanwhile_is_the_administrators(cast: Cast, microsoft: FakeMicrosoft) -> None:
    back = person.at_microsoft(leave(cast.bob, provider="outlook").url, ANN)
    microsoft.faults.refuse_client = "expired secret"
    arrival = come_back(cast.bob, back, provider="outlook")
    assert arrival.code == "app_secret_expired" and CATALOGUE[arrival.code].who == "Postroom administrator"


def test_what_a_journey_keeps_opens_nothing(cast: Cast, google: FakeGoogle) -> None:
    departure = leave(cast.bob)
    asked = parse_qs(urlsplit(departure.url).query)
    row = Journey.objects.get(pk=departure.journey_id)
    kept = f"{row.state_digest} {row.session_digest} {row.request} {bytes(row.sealed)!r} {row!r} {departure!r}"
    for secret in (asked["state"][0], asked["nonce"][0], HERE):
        assert secret not in kept


class Heard(logging.Handler):
    """Everything that the product logs, as JSON lines. The fakes log what they are asked."""

    def __init__(self) -> None:
        super().__init__(logging.DEBUG)
        self.setFormatter(JsonLines())
        self.lines: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        if not record.name.startswith("uvicorn"):
            self.lines.append(self.format(record))


def test_no_secret_is_in_logs_reprs_journal_audit_or_api(
    cast: Cast, microsoft: FakeMicrosoft, caplog: pytest.LogCaptureFixture
) -> None:
    heard = Heard()
    logging.getLogger().addHandler(heard)
    try:
        with caplog.at_level(logging.DEBUG):
            departure = leave(cast.bob, provider="outlook")
            back = person.at_microsoft(departure.url, ANN)
            arrival = come_back(cast.bob, back, provider="outlook")
            assert arrival.mailbox is not None
            credentials = load_credentials(arrival.mailbox)
            microsoft.faults.refuse_client = "wrong secret"
            again = person.at_microsoft(leave(cast.bob, mailbox=arrival.mailbox, provider="outlook").url, ANN)
            refused = come_back(cast.bob, again, provider="outlook")
    finally:
        logging.getLogger().removeHandler(heard)
    _, token = ApiToken.issue(cast.bob.membership, "canary")
    headers = {"Authorization": f"Bearer {token}"}
    shown = [
        *heard.lines,
        Client().get("/api/v1/mailboxes", headers=headers).content.decode(),
        Client().get(f"/api/v1/mailboxes/{arrival.mailbox.pk}", headers=headers).content.decode(),
        repr((departure, arrival, refused, credentials, credentials.tokens)),
        *(repr(model.objects.values_list()) for model in (Mailbox, JournalEntry, AuditEntry)),
        repr(list(Journey.objects.values("outcome", "facts", "request", "address"))),
        repr(list(OAuthApp.objects.values("client_id", "error_words"))),
    ]
    oauth = credentials.secrets["oauth"]
    secrets = [oauth["access_token"], oauth["refresh_token"], microsoft.client_secret]
    secrets += [back["code"], back["state"], again["code"], again["state"]]
    assert refused.code == "app_secret_refused" and ANN in " ".join(shown) and all(secrets)
    assert [one for one in shown if any(secret in one for secret in secrets)] == []
