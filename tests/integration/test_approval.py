"""Who may connect which mailboxes: the policy, the requests, and that every way of connecting asks."""

from __future__ import annotations

import io
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier, Event, Thread
from typing import Any
from uuid import uuid4

import pytest
from asgiref.sync import async_to_sync
from django.db import transaction

from postroom.mail.mime.parsing import parse
from postroom.mailboxes import connect
from postroom.mailboxes.arrivals import arrive
from postroom.mailboxes.connect import AlreadyConnected, ConnectRequest, store_mailbox
from postroom.mailboxes.journeys import begin
from postroom.mailboxes.models import Journey, Mailbox
from postroom.ops import cli
from postroom.outbox import approval_notice
from postroom.outbox.models import Submission
from postroom.providers.catalogue import CATALOGUE
from postroom.workspaces import approval
from postroom.workspaces.approval import NotApproved, NotOpen, may_connect
from postroom.workspaces.database import borrowed_connection
from postroom.workspaces.models import ApprovalRequest, AuditEntry
from tests.cast import Cast, make_mailbox
from tests.fakes import person
from tests.integration.sign_in_place import fake_google, save_google

BOB = "bob@tidewater.example"
State = ApprovalRequest.State


def decide(cast: Cast, **decided: Any) -> None:
    usual: dict[str, Any] = {"providers": {}, "personal": "everyone", "shared": "everyone", "domains": []}
    approval.change_policy(cast.alice, **(usual | decided))


def wanted(address: str = BOB, *, kind: str = "personal") -> ConnectRequest:
    return ConnectRequest(provider="memory", address=address, kind=kind, secrets={"server": uuid4().hex})


def test_a_workspace_that_decided_nothing_lets_everybody_connect(cast: Cast) -> None:
    assert may_connect(cast.bob, "memory", BOB, "personal").allowed


@pytest.mark.parametrize(
    ("decided", "code", "asks"),
    [
        ({"providers": {"memory": "ask"}}, "connect_needs_approval", True),
        ({"providers": {"memory": "nobody"}}, "connect_not_allowed", False),
        ({"personal": "ask"}, "connect_needs_approval", True),
        ({"personal": "nobody", "providers": {"memory": "ask"}}, "connect_not_allowed", False),
        ({"domains": ["lagerhaus.example"]}, "connect_domain_not_listed", True),
        ({"domains": ["lagerhaus.example"], "personal": "nobody"}, "connect_not_allowed", False),
        ({"providers": {"imap": "nobody"}, "shared": "nobody", "domains": ["@Tidewater.Example"]}, "", False),
    ],
)
def test_the_strictest_rule_that_fits_decides(cast: Cast, decided: dict[str, Any], code: str, asks: bool) -> None:
    decide(cast, **decided)
    verdict = may_connect(cast.bob, "memory", BOB.upper(), "personal")
    assert (verdict.allowed, verdict.code, verdict.asks) == (not code, code, asks)
    assert not code or code in CATALOGUE
    assert may_connect(cast.alice, "memory", BOB, "personal").allowed, "administrators decide for themselves"
    assert may_connect(cast.charlie, "memory", BOB, "personal").allowed, "another workspace has rules of its own"


def test_a_granted_request_is_good_for_that_mailbox_once(cast: Cast) -> None:
    decide(cast, personal="ask")
    asked = approval.ask(cast.bob, "memory", BOB, "personal", "My customers write there.")
    assert may_connect(cast.bob, "memory", BOB, "personal").code == "approval_waits"
    approval.grant(cast.alice, asked.pk)
    for other in (("imap", BOB, "personal"), ("memory", "ben@tidewater.example", "personal")):
        assert not may_connect(cast.bob, *other).allowed
    mailbox = store_mailbox(cast.bob, wanted("Bob@Tidewater.example"))
    asked.refresh_from_db()
    assert asked.used_at is not None
    connect.disconnect(cast.bob, mailbox, keep_history=True)
    with pytest.raises(NotApproved):
        store_mailbox(cast.bob, wanted())
    assert not Mailbox.objects.filter(disconnected_at=None).exists()


def test_who_was_refused_reads_why_and_may_ask_once_more(cast: Cast) -> None:
    decide(cast, personal="ask")
    asked = approval.ask(cast.bob, "memory", BOB, "personal")
    approval.refuse(cast.alice, asked.pk, "Use the shared one.")
    verdict = may_connect(cast.bob, "memory", BOB, "personal")
    assert (verdict.code, verdict.asks, verdict.facts["answer"]) == ("approval_refused", True, "Use the shared one")
    again = approval.ask(cast.bob, "memory", BOB, "personal", "It is shared by nobody.")
    assert again.pk != asked.pk and may_connect(cast.bob, "memory", BOB, "personal").code == "approval_waits"
    assert approval.ask(cast.bob, "memory", BOB, "personal", "Please.").pk == again.pk, "one waits at a time"


def test_only_administrators_of_the_workspace_decide_and_each_request_once(cast: Cast) -> None:
    decide(cast, personal="ask")
    asked = approval.ask(cast.bob, "memory", BOB, "personal")
    for member in (cast.bob, cast.charlie):
        with pytest.raises((ApprovalRequest.DoesNotExist, NotOpen)):
            approval.grant(member, asked.pk)
    with pytest.raises(ApprovalRequest.DoesNotExist):
        approval.withdraw(cast.charlie, asked.pk)
    approval.refuse(cast.alice, asked.pk, "No.")
    with pytest.raises(NotOpen):
        approval.grant(cast.alice, asked.pk)
    with pytest.raises(NotOpen):
        approval.withdraw(cast.bob, asked.pk)
    assert list(approval.requests(cast.charlie)) == [] and list(approval.waiting(cast.bob)) == []


def test_what_needs_no_approval_or_gets_none_is_not_asked_for(cast: Cast) -> None:
    with pytest.raises(ValueError):
        approval.ask(cast.bob, "memory", BOB, "personal")
    decide(cast, personal="nobody")
    with pytest.raises(NotApproved):
        approval.ask(cast.bob, "memory", BOB, "personal")


def test_the_audit_log_keeps_who_decided_what(cast: Cast) -> None:
    decide(cast, personal="ask", domains=["tidewater.example"], providers={"memory": "nobody"})
    decide(cast, personal="ask")
    asked = approval.ask(cast.bob, "memory", BOB, "personal")
    approval.grant(cast.alice, asked.pk)
    noted = AuditEntry.objects.filter(workspace=cast.alice.workspace).exclude(action="member.added").order_by("at")
    assert [(entry.user, entry.action, entry.subject) for entry in noted] == [
        (
            cast.alice.user,
            "connect_policy.changed",
            "personal ask, shared everyone; memory nobody; only tidewater.example",
        ),
        (cast.alice.user, "connect_policy.changed", "personal ask, shared everyone; any domain"),
        (cast.bob.user, "approval.asked", "bob@tidewater.example (memory, personal)"),
        (cast.alice.user, "approval.granted", "bob@tidewater.example (memory, personal)"),
    ]


def test_nothing_is_tried_before_it_is_allowed(cast: Cast) -> None:
    decide(cast, personal="ask")
    with pytest.raises(NotApproved):
        async_to_sync(connect.connect)(cast.bob, wanted())
    assert async_to_sync(connect.connect)(cast.alice, wanted()).address == BOB
    with pytest.raises(AlreadyConnected):
        async_to_sync(connect.connect)(cast.bob, wanted())


def test_a_decision_during_the_check_counts(cast: Cast) -> None:
    connect.require_open(cast.bob, wanted())
    decide(cast, personal="nobody")
    with pytest.raises(NotApproved):
        store_mailbox(cast.bob, wanted())


def test_a_connected_mailbox_is_reconnected_whatever_was_decided_since(cast: Cast) -> None:
    request = wanted()
    mailbox = store_mailbox(cast.bob, request)
    decide(cast, personal="nobody", providers={"memory": "nobody"})
    connect.reconnect(cast.bob, mailbox, request)


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("level", ["ask", "everyone"])
def test_two_clicks_at_once_connect_one_mailbox_by_one_approval_and_by_none(cast: Cast, level: str) -> None:
    decide(cast, providers={"memory": level})
    if level == "ask":
        approval.grant(cast.alice, approval.ask(cast.bob, "memory", BOB, "personal").pk)
    barrier, ended = Barrier(2), []

    def connect_it() -> None:
        with borrowed_connection():
            barrier.wait()
            try:
                store_mailbox(cast.bob, wanted())
                ended.append("connected")
            except (NotApproved, AlreadyConnected):
                ended.append("refused")

    threads = [Thread(target=connect_it) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(ended) == ["connected", "refused"]


@pytest.mark.django_db(transaction=True)
def test_two_administrators_may_decide_for_the_first_time_at_once(cast: Cast) -> None:
    has_decided = Event()

    def decide_too() -> None:
        with borrowed_connection():
            has_decided.wait()
            decide(cast, personal="nobody")

    with ThreadPoolExecutor(1) as pool:
        other = pool.submit(decide_too)
        with transaction.atomic():
            decide(cast, personal="ask")
            has_decided.set()
            time.sleep(0.3)  # what the other finds is not committed yet
        other.result()
    assert approval.policy_of(cast.alice.workspace).personal == "nobody"


def test_a_sign_in_page_is_not_shown_to_who_may_not_come_back(cast: Cast, monkeypatch: pytest.MonkeyPatch) -> None:
    request = ConnectRequest(provider="gmail", address="", kind="personal")
    with fake_google(monkeypatch) as google:
        google.mailbox(BOB)
        async_to_sync(save_google)(cast.alice, google)
        decide(cast, providers={"gmail": "ask"})
        with pytest.raises(NotApproved):
            begin(cast.bob, "session", "gmail", request)
        assert not Journey.objects.exists()
        asked = approval.ask(cast.bob, "gmail", BOB, "personal")
        approval.grant(cast.alice, asked.pk)
        departure = begin(cast.bob, "session", "gmail", request)
        arrival = async_to_sync(arrive)(cast.bob, "session", "gmail", person.at_google(departure.url, BOB))
        assert arrival.code == "connected"


def test_who_comes_back_as_another_than_was_approved_connects_nothing(
    cast: Cast, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = "ben@tidewater.example"
    with fake_google(monkeypatch) as google:
        google.mailbox(other)
        async_to_sync(save_google)(cast.alice, google)
        decide(cast, domains=["lagerhaus.example"])
        departure = begin(cast.bob, "session", "gmail", ConnectRequest(provider="gmail", address="", kind="personal"))
        arrival = async_to_sync(arrive)(cast.bob, "session", "gmail", person.at_google(departure.url, other))
    assert arrival.code == "connect_domain_not_listed" and arrival.facts["domain"] == "tidewater.example"
    assert not Mailbox.objects.exists()


def test_the_command_line_asks_as_that_member(
    cast: Cast, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    decide(cast, providers={"imap": "ask"})
    monkeypatch.setattr(sys, "stdin", io.StringIO("secret\n"))
    words = ["mailbox", "connect", "--address", BOB, "--kind", "personal", "--owner", BOB, "--password-stdin"]
    options = cli.parser().parse_args([*words, "--imap-host", "localhost", "--smtp-host", "localhost", "--json"])
    assert cli.answer(options.run, options, cli.Output(as_json=True)) == 1
    assert "connect_needs_approval" in capsys.readouterr().out
    assert not Mailbox.objects.exists()


def test_the_administrators_are_written_to_once_and_then_who_asked(cast: Cast) -> None:
    make_mailbox(cast.alice, "sales@tidewater.example")
    decide(cast, personal="ask")
    asked = approval.ask(cast.bob, "memory", BOB, "personal", "My customers write there.")
    assert approval_notice.tell_of_approvals() == 1
    assert approval_notice.tell_of_approvals() == 0
    approval.grant(cast.alice, asked.pk, "Until summer.")
    assert approval_notice.tell_of_approvals() == 1
    assert approval_notice.tell_of_approvals() == 0
    request, decision = (parse(bytes(one.mime)) for one in Submission.objects.order_by("pk"))
    assert "Bob Lindqvist asks to connect bob@tidewater.example" in request.subject
    assert "My customers write there." in request.text and "/settings/approvals/" in request.text
    assert "granted" in decision.subject and "Until summer." in decision.text
    assert [one.recipients for one in Submission.objects.order_by("pk")] == [
        ["alice@tidewater.example"],
        [BOB],
    ]


def test_nobody_is_written_to_about_a_request_that_was_withdrawn(cast: Cast) -> None:
    make_mailbox(cast.alice, "sales@tidewater.example")
    decide(cast, personal="ask")
    approval.withdraw(cast.bob, approval.ask(cast.bob, "memory", BOB, "personal").pk)
    assert approval_notice.tell_of_approvals() == 0


def test_requests_are_told_once_a_mailbox_can_carry_the_letter(cast: Cast) -> None:
    decide(cast, personal="ask")
    approval.ask(cast.bob, "memory", BOB, "personal")
    used = approval.ask(cast.bob, "memory", "ben@tidewater.example", "personal")
    approval.grant(cast.alice, used.pk)
    assert approval_notice.tell_of_approvals() == 0
    store_mailbox(cast.bob, wanted("ben@tidewater.example"))  # without having waited for a letter: none is due
    make_mailbox(cast.alice, "sales@tidewater.example")
    assert [approval_notice.tell_of_approvals() for _ in range(2)] == [1, 0]
    assert [one.recipients for one in Submission.objects.all()] == [["alice@tidewater.example"]]
