"""Registrations at a provider: tried, sealed, one alarm when they are refused, a reminder before they end."""

from __future__ import annotations

import io
import json
import logging
import time
from collections.abc import Iterator
from datetime import date, timedelta

import pytest
from asgiref.sync import async_to_sync
from django.utils import timezone

from postroom.mail.mime.parsing import parse
from postroom.mailboxes.connect import disconnect
from postroom.mailboxes.models import Grant, Mailbox, OAuthApp
from postroom.mailboxes.oauth_apps import (
    AppRefused,
    TypedApp,
    app_states,
    find_app,
    note_refusal,
    remove_app,
    save_app,
)
from postroom.ops import jobs
from postroom.ops.log_format import JsonLines
from postroom.outbox import app_notice, owner_notice
from postroom.outbox.models import Submission
from postroom.providers.errors import NeedsAdministrator, Unreachable
from tests.cast import Cast, make_mailbox
from tests.fakes.google.server import FakeGoogle
from tests.fakes.microsoft.server import FakeMicrosoft
from tests.integration.sign_in_place import (
    connected,
    fake_google,
    fake_microsoft,
    revocations,
    save_google,
    save_microsoft,
)

ANN = "ann@tidewater.example"


@pytest.fixture
def google(monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeGoogle]:
    with fake_google(monkeypatch) as server:
        server.mailbox(ANN)
        yield server


@pytest.fixture
def microsoft(monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeMicrosoft]:
    with fake_microsoft(monkeypatch) as server:
        server.mailbox(ANN)
        yield server


def test_a_registration_is_saved_sealed_and_found_again(cast: Cast, google: FakeGoogle) -> None:
    async_to_sync(save_google)(cast.alice, google, audience="internal", push_topic="projects/p/topics/t")
    row = OAuthApp.objects.get()
    assert google.client_secret.encode() not in bytes(row.sealed) and row.checked_at is not None
    app = find_app(cast.alice.workspace_id, "gmail")
    assert app is not None and app.client_secret == google.client_secret and not app.from_environment
    assert (app.audience, app.push_topic, app.way) == ("internal", "projects/p/topics/t", "api")
    assert google.client_secret not in f"{app!r} {row!r} {app.registration!r}"
    assert find_app(cast.charlie.workspace_id, "gmail") is None


def test_what_is_refused_is_not_saved(cast: Cast, google: FakeGoogle, microsoft: FakeMicrosoft) -> None:
    tried = {
        "app_secret_refused": ("gmail", TypedApp(google.client_id, "not the secret")),
        "app_not_for_account": ("outlook", TypedApp("no such app", microsoft.client_secret)),
        "app_tenant_unknown": ("outlook", TypedApp(microsoft.client_id, "s", tenant="a/../b")),
    }
    for code, (provider, typed) in tried.items():
        with pytest.raises(AppRefused) as refused:
            async_to_sync(save_app)(cast.alice, provider, typed)
        assert refused.value.code == code and "not the secret" not in refused.value.words
    assert not OAuthApp.objects.exists()


def test_an_empty_secret_keeps_the_one_there_is(cast: Cast, google: FakeGoogle) -> None:
    with pytest.raises(AppRefused):
        async_to_sync(save_app)(cast.alice, "gmail", TypedApp(google.client_id))
    async_to_sync(save_google)(cast.alice, google)
    async_to_sync(save_app)(cast.alice, "gmail", TypedApp(google.client_id, audience="production"))
    app = find_app(cast.alice.workspace_id, "gmail")
    assert app is not None and (app.client_secret, app.audience) == (google.client_secret, "production")


def test_only_administrators_save_and_remove(cast: Cast, google: FakeGoogle) -> None:
    with pytest.raises(PermissionError):
        async_to_sync(save_google)(cast.bob, google)
    async_to_sync(save_google)(cast.alice, google)
    with pytest.raises(PermissionError):
        remove_app(cast.bob, "gmail")
    remove_app(cast.charlie, "gmail")  # of his own workspace, which has none
    assert find_app(cast.alice.workspace_id, "gmail") is not None
    remove_app(cast.alice, "gmail")
    assert find_app(cast.alice.workspace_id, "gmail") is None


def test_the_environment_serves_workspaces_that_have_none(
    cast: Cast, microsoft: FakeMicrosoft, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("POSTROOM_MICROSOFT_CLIENT_ID", "the operator's")
    monkeypatch.setenv("POSTROOM_MICROSOFT_CLIENT_SECRET", "operator secret")
    monkeypatch.setenv("POSTROOM_MICROSOFT_TENANT", "contoso.example")
    monkeypatch.setenv("POSTROOM_MICROSOFT_WAY", "servers")
    monkeypatch.setenv("POSTROOM_MICROSOFT_SECRET_EXPIRES_ON", "2027-05-31")
    async_to_sync(save_microsoft)(cast.alice, microsoft)
    own, theirs = (find_app(one.workspace_id, "outlook") for one in (cast.alice, cast.charlie))
    assert own is not None and (own.client_id, own.way) == (microsoft.client_id, "api")
    assert theirs is not None and theirs.from_environment and theirs.client_id == "the operator's"
    assert (theirs.way, theirs.secret_expires_on) == ("servers", date(2027, 5, 31))
    assert "/contoso.example/oauth2/" in theirs.endpoints.token and "operator secret" not in repr(theirs)


def test_settings_show_every_provider_and_its_own_redirect_address(cast: Cast, google: FakeGoogle) -> None:
    async_to_sync(save_google)(cast.alice, google)
    states = {one.provider: one for one in app_states(cast.alice.workspace)}
    assert set(states) == {"gmail", "outlook"} and states["outlook"].settings is None
    assert states["gmail"].redirect_uri.endswith("/settings/mailboxes/connect/gmail/return/")
    assert states["gmail"].redirect_uri != states["outlook"].redirect_uri
    assert states["outlook"].approval_uri and not states["gmail"].approval_uri
    assert google.client_secret not in repr(states)
    assert {one.settings for one in app_states(cast.charlie.workspace)} == {None}


def connect_three(cast: Cast) -> list[Mailbox]:
    addresses = ("one@tidewater.example", "two@tidewater.example", "three@tidewater.example")
    return [connected(cast.bob, one, provider="outlook", refresh_token="r", client_id="c") for one in addresses]


def test_a_refused_registration_is_one_letter_to_each_administrator(cast: Cast, microsoft: FakeMicrosoft) -> None:
    async_to_sync(save_microsoft)(cast.alice, microsoft)
    make_mailbox(cast.alice, "sales@tidewater.example")
    mailboxes = connect_three(cast)
    error = NeedsAdministrator("app_secret_expired", server_words="AADSTS7000222")
    for one in mailboxes:
        note_refusal(one.workspace_id, "outlook", error)
    assert app_notice.tell_administrators() == 1  # Alice; Bob is none
    assert app_notice.tell_administrators() == 0
    letter = Submission.objects.get()
    assert letter.recipients == ["alice@tidewater.example"] and letter.from_address == "sales@tidewater.example"
    raw = bytes(letter.mime).decode()
    assert "The 3 mailboxes" in raw and "go on by themselves" in raw
    long_ago = timezone.now() - timedelta(days=2)
    Mailbox.objects.filter(pk__in=[one.pk for one in mailboxes]).update(failing_since=long_ago)
    assert owner_notice.tell_owners() == 0  # no owner can mend it


@pytest.mark.parametrize("code", ["access_rules", "app_blocked_by_administrator", "user_not_assigned"])
def test_what_is_refused_to_one_account_is_no_alarm(cast: Cast, microsoft: FakeMicrosoft, code: str) -> None:
    async_to_sync(save_microsoft)(cast.alice, microsoft)
    note_refusal(cast.alice.workspace_id, "outlook", NeedsAdministrator(code))
    assert not OAuthApp.objects.exclude(error_code="").exists()


def test_a_mailbox_of_the_refused_registration_carries_no_letter(cast: Cast, microsoft: FakeMicrosoft) -> None:
    async_to_sync(save_microsoft)(cast.alice, microsoft)
    connect_three(cast)
    note_refusal(cast.alice.workspace_id, "outlook", NeedsAdministrator("app_secret_refused"))
    assert app_notice.tell_administrators() == 0 and not Submission.objects.exists()
    assert app_states(cast.alice.workspace)[1].error_code == "app_secret_refused"  # the pages tell
    make_mailbox(cast.alice, "sales@tidewater.example")
    assert [app_notice.tell_administrators() for _ in range(2)] == [1, 0]  # as soon as one can carry it


def test_what_ends_is_told_as_soon_as_a_mailbox_can_carry_the_letter(
    cast: Cast, google: FakeGoogle, microsoft: FakeMicrosoft, caplog: pytest.LogCaptureFixture
) -> None:
    async_to_sync(save_microsoft)(cast.alice, microsoft, secret_expires_on=timezone.now().date() + timedelta(days=6))
    mailbox = connected(cast.bob, ANN, provider="gmail", refresh_token="r", client_id="c")
    Grant.objects.filter(mailbox=mailbox).update(updated_at=timezone.now() - timedelta(days=60))
    Mailbox.objects.update(kind="personal")  # which carries nothing
    end_in(mailbox, days=6.5)
    caplog.clear()
    told = [(app_notice.tell_administrators(), app_notice.tell_of_ending_grants()) for _ in range(2)]
    make_mailbox(cast.alice, "sales@tidewater.example")
    told += [(app_notice.tell_administrators(), app_notice.tell_of_ending_grants()) for _ in range(2)]
    assert told == [(0, 0), (0, 0), (1, 2), (0, 0)]
    assert caplog.records == []


@pytest.mark.parametrize(("days", "letters"), [(31, 0), (30, 1), (1, 1)])
def test_a_secret_that_ends_is_told_30_days_before(
    cast: Cast, microsoft: FakeMicrosoft, days: int, letters: int
) -> None:
    day = timezone.now().date() + timedelta(days=days)
    async_to_sync(save_microsoft)(cast.alice, microsoft, secret_expires_on=day)
    make_mailbox(cast.alice, "sales@tidewater.example")
    assert app_states(cast.alice.workspace)[1].expires_soon is bool(letters)
    assert [app_notice.tell_administrators() for _ in range(2)] == [letters, 0]
    async_to_sync(save_microsoft)(cast.alice, microsoft, secret_expires_on=day + timedelta(days=365))
    assert app_notice.tell_administrators() == 0


def test_a_secret_of_the_environment_is_told_too(
    cast: Cast, microsoft: FakeMicrosoft, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_mailbox(cast.alice, "sales@tidewater.example")
    connect_three(cast)
    monkeypatch.setenv("POSTROOM_MICROSOFT_CLIENT_ID", "c")
    monkeypatch.setenv("POSTROOM_MICROSOFT_CLIENT_SECRET", "s")
    monkeypatch.setenv("POSTROOM_MICROSOFT_SECRET_EXPIRES_ON", f"{timezone.now().date() + timedelta(days=7)}")
    assert [app_notice.tell_administrators() for _ in range(2)] == [1, 0]


def test_a_mistyped_day_in_the_environment_stops_no_mailbox(cast: Cast, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("POSTROOM_MICROSOFT_CLIENT_ID", "c")
    monkeypatch.setenv("POSTROOM_MICROSOFT_SECRET_EXPIRES_ON", "30.11.2027")
    app = find_app(cast.alice.workspace_id, "outlook")
    assert app is not None and app.secret_expires_on is None


def end_in(mailbox: Mailbox, **left: float) -> None:
    Grant.objects.filter(mailbox=mailbox).update(dies_at=timezone.now() + timedelta(**left))


def test_a_permission_that_ends_is_counted_down_to_owner_and_administrators(cast: Cast, google: FakeGoogle) -> None:
    make_mailbox(cast.alice, "sales@tidewater.example")
    mailbox = connected(cast.bob, ANN, provider="gmail", refresh_token="r", client_id="c")
    Grant.objects.filter(mailbox=mailbox).update(updated_at=timezone.now() - timedelta(days=60))
    told = []
    for days in (31.5, 30.5, 29.0, 7.5, 5.0, 1.9, 0.5):
        end_in(mailbox, days=days)
        told.append((app_notice.tell_of_ending_grants(), app_notice.tell_of_ending_grants()))
    assert told == [(0, 0), (2, 0), (0, 0), (2, 0), (0, 0), (2, 0), (0, 0)]
    recipients = {one.recipients[0] for one in Submission.objects.all()}
    assert recipients == {"alice@tidewater.example", "bob@tidewater.example"}
    subjects = [one.subject for one in Submission.objects.order_by("pk")][::2]
    assert [subject.rpartition("ends ")[2] for subject in subjects] == ["in 30 days", "in 7 days", "tomorrow"]
    end_in(mailbox, days=90)  # it was used, and lives on
    app_notice.tell_of_ending_grants()
    end_in(mailbox, days=30)
    assert app_notice.tell_of_ending_grants() == 2


def test_who_connects_for_a_week_is_warned_on_the_last_day_only(cast: Cast, google: FakeGoogle) -> None:
    make_mailbox(cast.alice, "sales@tidewater.example")
    mailbox = connected(cast.bob, ANN, provider="gmail", refresh_token="r", client_id="c")
    end_in(mailbox, days=7)
    assert app_notice.tell_of_ending_grants() == 0
    Grant.objects.filter(mailbox=mailbox).update(updated_at=timezone.now() - timedelta(days=5.5))
    end_in(mailbox, days=1.5)
    assert app_notice.tell_of_ending_grants() == 2


def test_a_secret_is_counted_down(cast: Cast, microsoft: FakeMicrosoft) -> None:
    make_mailbox(cast.alice, "sales@tidewater.example")
    async_to_sync(save_microsoft)(cast.alice, microsoft, secret_expires_on=timezone.now().date() + timedelta(days=25))
    told = [app_notice.tell_administrators()]
    for days in (8, 7, 3, 1, 0):
        OAuthApp.objects.update(secret_expires_on=timezone.now().date() + timedelta(days=days))
        told.append(app_notice.tell_administrators())
    assert told == [1, 0, 1, 0, 1, 0]
    letters = [parse(bytes(one.mime)) for one in Submission.objects.order_by("pk")]
    ends = ("in 25 days", "in 7 days", "tomorrow")
    assert [one.subject for one in letters] == [f"The client secret at Microsoft ends {when}" for when in ends]
    assert all("No mailbox is connected by it so far" in one.text for one in letters)


def test_a_secret_that_ended_before_anybody_could_be_told_is_said_to_have_ended(
    cast: Cast, microsoft: FakeMicrosoft
) -> None:
    async_to_sync(save_microsoft)(cast.alice, microsoft, secret_expires_on=timezone.now().date() - timedelta(days=2))
    connect_three(cast)
    assert app_notice.tell_administrators() == 1
    letter = parse(bytes(Submission.objects.get().mime))
    assert letter.subject == "The client secret at Microsoft has ended"
    assert "After that day the 3 mailboxes" in letter.text


@pytest.mark.django_db(transaction=True)
def test_a_disconnected_mailbox_gives_its_permission_back(cast: Cast, google: FakeGoogle) -> None:
    async_to_sync(save_google)(cast.alice, google)
    token = google.refresh_token_for(ANN)
    grant = google.oauth.grants[-1]
    first = connected(cast.bob, ANN, provider="gmail", refresh_token=token, client_id=google.client_id)
    second = connected(cast.bob, "x@tidewater.example", provider="gmail", refresh_token=token, client_id="c")
    Grant.objects.filter(mailbox=second).update(subject=Grant.objects.get(mailbox=first).subject)
    disconnect(cast.bob, second, keep_history=True)
    assert revocations() == [], "it opens the first one still"
    disconnect(cast.bob, first, keep_history=True)
    assert not Grant.objects.exists()
    [job] = revocations()
    assert token not in json.dumps(job), "it lies sealed"
    async_to_sync(jobs.revoke_permission)(**job)
    assert not grant.is_alive
    async_to_sync(jobs.revoke_permission)(**job)  # again: the provider knows it no more, and nothing is left to do


@pytest.mark.django_db(transaction=True)
def test_a_permission_that_opens_a_mailbox_again_is_not_given_back(cast: Cast, google: FakeGoogle) -> None:
    async_to_sync(save_google)(cast.alice, google)
    token = google.refresh_token_for(ANN)
    grant = google.oauth.grants[-1]
    mailbox = connected(cast.bob, ANN, provider="gmail", refresh_token=token, client_id=google.client_id)
    Grant.objects.filter(mailbox=mailbox).update(subject="ann")
    disconnect(cast.bob, mailbox, keep_history=True)
    again = connected(cast.bob, "x@tidewater.example", provider="gmail", refresh_token=token, client_id="c")
    Grant.objects.filter(mailbox=again).update(subject="ann")
    [job] = revocations()
    async_to_sync(jobs.revoke_permission)(**job)
    assert grant.is_alive


@pytest.mark.django_db(transaction=True)
def test_a_provider_that_does_not_answer_keeps_nobody_from_disconnecting(
    cast: Cast, google: FakeGoogle, monkeypatch: pytest.MonkeyPatch
) -> None:
    async_to_sync(save_google)(cast.alice, google)
    monkeypatch.setenv("POSTROOM_GOOGLE_REVOKE_URL", "http://127.0.0.1:9/revoke")
    mailbox = connected(cast.bob, ANN, provider="gmail", refresh_token="r", client_id=google.client_id)
    started = time.monotonic()
    disconnect(cast.bob, mailbox, keep_history=False)
    assert time.monotonic() - started < 3
    assert not Grant.objects.exists()
    [job] = revocations()
    with pytest.raises(Unreachable):  # the job is tried again
        async_to_sync(jobs.revoke_permission)(**job)


def test_no_secret_is_in_the_log_whatever_goes_wrong(cast: Cast, microsoft: FakeMicrosoft) -> None:
    written = io.StringIO()
    canary = logging.StreamHandler(written)
    canary.setFormatter(JsonLines())
    logging.getLogger().addHandler(canary)
    level = logging.getLogger().level
    logging.getLogger().setLevel(logging.DEBUG)
    try:
        with pytest.raises(AppRefused):
            async_to_sync(save_app)(cast.alice, "outlook", TypedApp(microsoft.client_id, "canary-of-a-secret"))
        async_to_sync(save_microsoft)(cast.alice, microsoft)
        microsoft.faults.refuse_client = "wrong secret"
        with pytest.raises(AppRefused):
            async_to_sync(save_microsoft)(cast.alice, microsoft)
        app_notice.tell_administrators()
    finally:
        logging.getLogger().removeHandler(canary)
        logging.getLogger().setLevel(level)
    told = written.getvalue() + json.dumps(list(OAuthApp.objects.values("error_words", "client_id")))
    assert "canary-of-a-secret" not in told and microsoft.client_secret not in told
