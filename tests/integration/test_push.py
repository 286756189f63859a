"""Providers call when mail arrives: watches, their renewal, and calls that are forged, repeated or out of order."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

import httpx
import pytest
from asgiref.sync import async_to_sync
from django.utils import timezone
from joserfc.jwk import RSAKey

from postroom.mailboxes.connect import ConnectRequest, disconnect, store_mailbox
from postroom.mailboxes.models import Grant, Mailbox, PushWatch
from postroom.mailboxes.watches import hear, keep_watches, push_address
from postroom.providers import registry
from postroom.providers.gmail.provider import GmailProvider
from postroom.providers.outlook.provider import OutlookProvider
from postroom.providers.push import Notice
from postroom.workspaces.members import Member
from tests.fakes.google import FakeGoogle
from tests.fakes.google.pubsub import PushSubscription, envelope, push_token
from tests.fakes.identity_provider import sign
from tests.fakes.microsoft import FakeMicrosoft
from tests.integration.google_place import LOOPBACK, letter
from tests.integration.push_place import Wakes, listening, web_process

ADA, BOB = "ada@gmail.test", "bob@contoso.example"
TOPIC = "projects/postroom-test/topics/gmail"

keep = async_to_sync(keep_watches)


@pytest.fixture
def google(monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeGoogle]:
    with FakeGoogle() as google:
        monkeypatch.setitem(registry.PROVIDERS, "gmail", GmailProvider(LOOPBACK, endpoints=google.endpoints))
        yield google


@pytest.fixture
def microsoft(monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeMicrosoft]:
    with FakeMicrosoft() as microsoft:
        monkeypatch.setitem(registry.PROVIDERS, "outlook", OutlookProvider(LOOPBACK, endpoints=microsoft.endpoints))
        yield microsoft


@pytest.fixture
def web(settings: Any, transactional_db: None) -> Iterator[str]:
    with web_process(settings) as url:
        yield url


@pytest.fixture
def wakes(transactional_db: None) -> Iterator[Wakes]:
    with listening() as wakes:
        yield wakes


def connect(member: Member, provider: str, address: str, token: str, sign_in_user: str = "") -> Mailbox:
    secrets = {"oauth": {"access_token": token, "refresh_token": "none"}}
    request = ConnectRequest(provider, address, "personal", secrets=secrets, sign_in_user=sign_in_user)
    mailbox = store_mailbox(member, request)
    Grant.objects.filter(mailbox=mailbox).update(app=provider, expires_at=timezone.now() + timedelta(days=1))
    Mailbox.objects.filter(pk=mailbox.pk).update(import_planned_at=timezone.now())
    return mailbox


@pytest.fixture
def gmail(alice: Member, google: FakeGoogle, web: str, monkeypatch: pytest.MonkeyPatch) -> Mailbox:
    monkeypatch.setenv("POSTROOM_GOOGLE_CLIENT_ID", google.client_id)
    monkeypatch.setenv("POSTROOM_GOOGLE_PUSH_TOPIC", TOPIC)
    return connect(alice, "gmail", ADA, google.token_for(ADA))


@pytest.fixture
def outlook(alice: Member, microsoft: FakeMicrosoft, web: str) -> Mailbox:
    microsoft.mailbox(BOB)
    return connect(alice, "outlook", BOB, microsoft.token_for(BOB), BOB)


def subscription(google: FakeGoogle, **other: Any) -> PushSubscription:
    usual = {"topic": TOPIC, "endpoint": push_address("gmail"), "audience": push_address("gmail")}
    return PushSubscription(**(usual | {"issuer": google.url} | other))


def call(google: FakeGoogle, token: str, address: str = ADA) -> httpx.Response:
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    body = envelope({"emailAddress": address, "historyId": 4711})
    return httpx.post(push_address("gmail"), json=body, headers=headers)


class TestGmail:
    def test_new_mail_at_google_wakes_its_mailbox(self, google: FakeGoogle, gmail: Mailbox, wakes: Wakes) -> None:
        keep()
        google.pubsub.subscribe(subscription(google))
        wakes.heard(seconds=0.1)
        google.mailbox(ADA).deliver(letter("hello", "carol@customer.test", ADA))
        assert wakes.heard(1) == [gmail.pk]
        assert set(google.pubsub.answers) == {202}

    def test_a_watch_is_asked_for_once_and_renewed_daily(self, google: FakeGoogle, gmail: Mailbox) -> None:
        keep()
        keep()
        [watch] = PushWatch.objects.all()
        assert watch.expires_at > timezone.now() + timedelta(days=6)
        assert timezone.now() + timedelta(hours=23) < watch.due_at < timezone.now() + timedelta(hours=25)
        assert google.units(ADA) == 100
        PushWatch.objects.update(due_at=timezone.now())
        keep()
        assert google.units(ADA) == 200

    def test_without_a_topic_nothing_is_asked(
        self, google: FakeGoogle, gmail: Mailbox, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.delenv("POSTROOM_GOOGLE_PUSH_TOPIC")
        keep()
        assert not PushWatch.objects.exists() and google.units(ADA) == 0

    def test_another_topic_takes_the_place_of_the_first(
        self, google: FakeGoogle, gmail: Mailbox, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        keep()
        monkeypatch.setenv("POSTROOM_GOOGLE_PUSH_TOPIC", "projects/postroom-test/topics/other")
        PushWatch.objects.update(due_at=timezone.now())
        keep()
        keep()
        assert PushWatch.objects.get().resource == "projects/postroom-test/topics/other"

    def test_a_topic_that_refuses_is_tried_again_in_an_hour(self, google: FakeGoogle, gmail: Mailbox) -> None:
        google.topics.add("projects/elsewhere/topics/gmail")
        keep()
        watch = PushWatch.objects.get()
        assert watch.error_code and watch.due_at > timezone.now() + timedelta(minutes=59)
        keep()
        assert [one.name for one in google.requests].count("watch") == 1

    def test_forged_calls_get_the_same_answer_and_wake_nobody(
        self, google: FakeGoogle, gmail: Mailbox, wakes: Wakes
    ) -> None:
        keep()
        wakes.heard(seconds=0.1)
        ours, now = subscription(google), int(time.time())
        stranger = RSAKey.generate_key(2048, {"kid": "fake-1", "use": "sig", "alg": "RS256"})
        claims = {"iss": google.url, "aud": ours.audience, "email": ours.service_account, "email_verified": True}
        forgeries = [
            "",
            "no.token.atall",
            sign(claims | {"exp": now + 3600}, stranger),
            push_token(ours, aud="https://elsewhere.example/push/gmail/"),
            push_token(ours, iss="https://accounts.example"),
            push_token(ours, exp=now - 3600),
            push_token(ours, email="spy@elsewhere.iam.gserviceaccount.com"),
            push_token(ours, email="spy@postroom-test.iam.gserviceaccount.com.evil.test"),
            push_token(ours, email_verified=False),
        ]
        answers = [call(google, token) for token in forgeries]
        answers.append(call(google, push_token(ours), "stranger@gmail.test"))  # true, and about nobody
        assert wakes.heard() == []
        true = call(google, push_token(ours))
        assert wakes.heard(1) == [gmail.pk]
        assert {(one.status_code, one.content) for one in answers} == {(true.status_code, true.content)} == {(202, b"")}

    def test_many_calls_wake_at_once_and_then_once_a_second(
        self, google: FakeGoogle, gmail: Mailbox, wakes: Wakes
    ) -> None:
        keep()
        wakes.heard(seconds=0.1)
        token, body = push_token(subscription(google)), envelope({"emailAddress": ADA, "historyId": 4711})
        started, slowest = time.monotonic(), 0.0
        with httpx.Client(headers={"Authorization": f"Bearer {token}"}) as client:
            for _ in range(200):
                sent = time.monotonic()
                assert client.post(push_address("gmail"), json=body).status_code == 202
                slowest = max(slowest, time.monotonic() - sent)
        seconds = time.monotonic() - started
        heard = wakes.heard(2, seconds=1.5)
        assert 2 <= len(heard) <= seconds + 3, seconds  # the first at once; the last is not forgotten
        assert slowest < 3.0

    @pytest.mark.parametrize(
        "state",
        [
            {"paused_at": timezone.now()},
            {"needs_reconnect": True},
            {"not_before": timezone.now() + timedelta(hours=1)},  # the provider asked for patience
        ],
        ids=["paused", "refused", "resting"],
    )
    def test_a_mailbox_that_may_not_look_is_not_woken(
        self, google: FakeGoogle, gmail: Mailbox, wakes: Wakes, state: dict[str, Any]
    ) -> None:
        keep()
        Mailbox.objects.update(**state)
        wakes.heard(seconds=0.1)
        assert call(google, push_token(subscription(google))).status_code == 202
        assert wakes.heard() == []

    def test_a_mailbox_that_left_is_not_watched_any_more(
        self, google: FakeGoogle, gmail: Mailbox, alice: Member, wakes: Wakes
    ) -> None:
        keep()
        assert google.mailbox(ADA).watch is not None
        disconnect(alice, gmail, keep_history=True)
        until(lambda: google.mailbox(ADA).watch is None)
        wakes.heard(seconds=0.1)
        call(google, push_token(subscription(google)))
        assert wakes.heard() == []
        assert not PushWatch.objects.exists()


def until(is_so: Callable[[], bool], seconds: float = 10.0) -> None:
    end = time.monotonic() + seconds
    while not is_so():
        assert time.monotonic() < end, "it never came"
        time.sleep(0.02)


def tell(watch: PushWatch, secret: str, **more: Any) -> httpx.Response:
    one = {"subscriptionId": watch.remote_id, "clientState": secret, "changeType": "created", **more}
    return httpx.post(push_address("outlook"), json={"value": [one]})


class TestOutlook:
    def test_new_mail_at_microsoft_wakes_its_mailbox(
        self, microsoft: FakeMicrosoft, outlook: Mailbox, wakes: Wakes
    ) -> None:
        keep()
        assert {watch.error_code for watch in PushWatch.objects.all()} == {""}
        wakes.heard(seconds=0.1)
        microsoft.mailbox(BOB).deliver(letter("hello", "carol@customer.test", BOB))
        assert set(wakes.heard(1)) == {outlook.pk}
        assert {told.status for told in microsoft.subscriptions.told} == {202}

    def test_inbox_and_sent_are_watched_under_ids_that_stay(self, microsoft: FakeMicrosoft, outlook: Mailbox) -> None:
        keep()
        assert len(microsoft.subscriptions.by_id) == 2
        assert all(one.immutable for one in microsoft.subscriptions.by_id.values())

    def test_a_shared_mailbox_is_polled(self, microsoft: FakeMicrosoft, outlook: Mailbox, alice: Member) -> None:
        microsoft.mailbox("sales@contoso.example")
        connect(alice, "outlook", "sales@contoso.example", microsoft.token_for(BOB), BOB)
        keep()
        assert set(PushWatch.objects.values_list("mailbox_id", flat=True)) == {outlook.pk}

    def test_the_address_proves_that_it_is_ours(self, web: str, microsoft: FakeMicrosoft) -> None:
        answer = httpx.post(push_address("outlook"), params={"validationToken": "Validation: <b>1 & 2</b>"})
        assert (answer.status_code, answer.text) == (200, "Validation: <b>1 & 2</b>")
        assert answer.headers["content-type"].startswith("text/plain")
        assert answer.headers["x-content-type-options"] == "nosniff"

    def test_what_no_watch_can_be_called_is_nobody(self, microsoft: FakeMicrosoft, outlook: Mailbox) -> None:
        keep()
        watch = PushWatch.objects.all()[0]
        for forged in (
            Notice("\0", "changed"),
            Notice("\ud800", "changed"),
            Notice(watch.remote_id, "changed", "\ud800"),
        ):
            assert hear("outlook", forged) == 0

    def test_only_who_knows_the_secret_is_believed(
        self, microsoft: FakeMicrosoft, outlook: Mailbox, wakes: Wakes
    ) -> None:
        keep()
        wakes.heard(seconds=0.1)
        watch = PushWatch.objects.all()[0]
        secret = microsoft.subscriptions.by_id[watch.remote_id].asked["clientState"]
        assert secret not in {watch.secret_digest, watch.remote_id} and len(secret) >= 40
        answers = [tell(watch, given) for given in ("", "guess", watch.secret_digest)]
        answers.append(httpx.post(push_address("outlook"), content=b"{nonsense"))
        answers.append(httpx.post(push_address("outlook"), json={"value": [1, {"subscriptionId": 2}, None]}))
        assert wakes.heard() == []
        answers.append(tell(watch, secret))
        assert wakes.heard(1) == [outlook.pk]
        assert {(one.status_code, one.content) for one in answers} == {(202, b"")}

    def test_repeated_and_late_calls_are_hints_like_any_other(
        self, microsoft: FakeMicrosoft, outlook: Mailbox, wakes: Wakes
    ) -> None:
        keep()
        wakes.heard(seconds=0.1)
        watch = PushWatch.objects.all()[0]
        secret = microsoft.subscriptions.by_id[watch.remote_id].asked["clientState"]
        for change in ("deleted", "created", "created", "updated"):  # in no order
            tell(watch, secret, changeType=change)
        assert 1 <= len(wakes.heard(1, seconds=1.5)) <= 2

    def test_half_of_the_returned_time_is_used_before_it_is_renewed(
        self, microsoft: FakeMicrosoft, outlook: Mailbox
    ) -> None:
        keep()
        watch = PushWatch.objects.all()[0]
        assert timedelta(days=6) < watch.expires_at - timezone.now() < timedelta(days=7)
        PushWatch.objects.update(due_at=timezone.now())
        before = set(PushWatch.objects.values_list("remote_id", flat=True))
        keep()
        assert set(PushWatch.objects.values_list("remote_id", flat=True)) == before
        assert {one.method for one in microsoft.requests if "/subscriptions/" in one.path} == {"PATCH"}

    def test_a_watch_that_is_gone_is_made_anew(self, microsoft: FakeMicrosoft, outlook: Mailbox) -> None:
        keep()
        before = set(PushWatch.objects.values_list("remote_id", flat=True))
        microsoft.subscriptions.by_id.clear()
        PushWatch.objects.update(due_at=timezone.now())
        keep()
        after = set(PushWatch.objects.values_list("remote_id", flat=True))
        assert not before & after and after == set(microsoft.subscriptions.by_id)

    def test_what_graph_says_about_a_subscription_is_done(
        self, microsoft: FakeMicrosoft, outlook: Mailbox, wakes: Wakes
    ) -> None:
        keep()
        wakes.heard(seconds=0.1)
        microsoft.subscriptions.tell_lifecycle("missed")
        assert set(wakes.heard(1)) == {outlook.pk}
        microsoft.subscriptions.tell_lifecycle("reauthorizationRequired")
        assert wakes.heard() == []
        assert PushWatch.objects.filter(due_at__lte=timezone.now()).count() == 2
        keep()
        microsoft.subscriptions.tell_lifecycle("subscriptionRemoved")
        assert set(wakes.heard(1)) == {outlook.pk}
        keep()
        assert set(PushWatch.objects.values_list("remote_id", flat=True)) == set(microsoft.subscriptions.by_id)

    def test_a_mailbox_that_leaves_is_not_watched_any_more(
        self, microsoft: FakeMicrosoft, outlook: Mailbox, alice: Member
    ) -> None:
        keep()
        disconnect(alice, outlook, keep_history=False)
        until(lambda: not microsoft.subscriptions.by_id)


class TestTheAddress:
    @pytest.mark.parametrize("name", ["imap", "memory", "nobody"])
    def test_who_cannot_call_has_none(self, web: str, name: str) -> None:
        assert httpx.post(f"{web}/push/{name}/").status_code == 404

    def test_only_calls_are_answered(self, web: str) -> None:
        assert httpx.get(push_address("gmail")).status_code == 405

    def test_long_bodies_are_not_read(self, web: str) -> None:
        assert httpx.post(push_address("outlook"), content=b"x" * 300_000).status_code == 413

    def test_an_installation_that_nobody_can_reach_asks_for_nothing(
        self, google: FakeGoogle, gmail: Mailbox, settings: Any
    ) -> None:
        settings.PUSH_URL = ""
        keep()
        assert not PushWatch.objects.exists()
