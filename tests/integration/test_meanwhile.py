"""A check takes seconds and a sign-in page minutes: what the member may do is asked again when its end is stored."""

from __future__ import annotations

import time
from collections.abc import Callable
from threading import Event, Thread

import pytest
from django.db import transaction

from postroom.mailboxes.access import manageable_mailboxes
from postroom.mailboxes.connect import ConnectRequest, MailboxGone, disconnect, reconnect, store_mailbox
from postroom.mailboxes.credentials import load_credentials
from postroom.mailboxes.handover import NotAMember, hand_over
from postroom.mailboxes.models import Grant, Mailbox
from postroom.outbox.offboarding import Plan, off_board
from postroom.providers import catalogue
from postroom.web.checking import not_the_same
from postroom.workspaces import approval
from postroom.workspaces.database import borrowed_connection
from postroom.workspaces.leaving import end_membership
from postroom.workspaces.models import ApprovalRequest, Membership, Role
from tests.cast import Cast

BOB = "bob@tidewater.example"
SUPPORT = "support@tidewater.example"


def opened_at(host: str, address: str = BOB, *, kind: str = "personal") -> ConnectRequest:
    return ConnectRequest("memory", address, kind, secrets={"imap": {"username": address, "host": host}})


def leave(cast: Cast, mailbox: Mailbox | None = None) -> None:
    off_board(cast.alice, cast.bob.membership, Plan(heir=cast.alice))


def give_away(cast: Cast, mailbox: Mailbox) -> None:
    hand_over(cast.alice, mailbox, cast.alice.user)


def take_away(cast: Cast, mailbox: Mailbox) -> None:
    disconnect(cast.alice, mailbox, keep_history=True)


def test_who_leaves_during_the_check_connects_nothing(cast: Cast) -> None:
    leave(cast)
    with pytest.raises(approval.NotApproved):
        store_mailbox(cast.bob, opened_at("mail.bob.example"))
    assert not Mailbox.objects.exists()


def test_an_approval_is_over_when_its_member_leaves(cast: Cast) -> None:
    approval.change_policy(cast.alice, providers={}, personal="ask", shared="ask", domains=[])
    approval.grant(cast.alice, approval.ask(cast.bob, "memory", BOB, "personal").pk)
    end_membership(cast.alice, cast.bob.membership)
    assert ApprovalRequest.objects.get().state == ApprovalRequest.State.WITHDRAWN
    with pytest.raises(approval.NotApproved):
        store_mailbox(cast.bob, opened_at("mail.bob.example"))


def test_who_is_no_administrator_any_more_connects_as_a_member(cast: Cast) -> None:
    Membership.objects.filter(pk=cast.bob.membership.pk).update(role=Role.ADMIN)
    cast.bob.membership.refresh_from_db()
    approval.change_policy(cast.alice, providers={}, personal="nobody", shared="nobody", domains=[])
    Membership.objects.filter(pk=cast.bob.membership.pk).update(role=Role.MEMBER)
    with pytest.raises(approval.NotApproved):
        store_mailbox(cast.bob, opened_at("mail.bob.example"))


@pytest.mark.parametrize("meanwhile", [leave, give_away, take_away])
def test_a_mailbox_that_is_not_his_any_more_gets_no_server_of_his(
    cast: Cast, meanwhile: Callable[[Cast, Mailbox], None]
) -> None:
    store_mailbox(cast.bob, opened_at("mail.tidewater.example", SUPPORT, kind="shared"))
    mailbox = manageable_mailboxes(cast.bob).get()
    meanwhile(cast, mailbox)
    with pytest.raises(MailboxGone) as refused:
        reconnect(cast.bob, mailbox, opened_at("mail.bob.example", SUPPORT, kind="shared"))
    if meanwhile is take_away:
        assert not Grant.objects.exists()
    else:
        assert load_credentials(mailbox).secrets["imap"]["host"] == "mail.tidewater.example"
    step = not_the_same(refused.value)
    assert "given to somebody else meanwhile" in catalogue.explain_check(step.code, **step.facts).what


def test_an_approval_is_for_no_other_domain_that_looks_alike(cast: Cast) -> None:
    approval.change_policy(cast.alice, providers={}, personal="ask", shared="ask", domains=["ship.example"])
    approval.grant(cast.alice, approval.ask(cast.bob, "memory", "bob@ship.example", "personal").pk)
    assert approval.may_connect(cast.bob, "memory", "Bob@SHIP.example", "personal").allowed
    assert not approval.may_connect(cast.bob, "memory", "bob@shıp.example", "personal").allowed


def test_who_decides_sees_which_of_two_domains_that_look_alike_is_meant(cast: Cast) -> None:
    approval.change_policy(cast.alice, providers={}, personal="ask", shared="ask", domains=[])
    asked = approval.ask(cast.bob, "memory", "bob@shıp.example", "personal")
    assert asked.address == "bob@xn--shp-kua.example"
    approval.grant(cast.alice, asked.pk)
    assert approval.may_connect(cast.bob, "memory", "bob@shıp.example", "personal").allowed


def test_the_history_of_a_domain_is_not_taken_up_by_one_that_looks_alike(cast: Cast) -> None:
    kept = store_mailbox(cast.bob, opened_at("mail.ship.example", "sales@ship.example", kind="shared"))
    disconnect(cast.alice, kept, keep_history=True)
    assert store_mailbox(cast.bob, opened_at("x", "sales@shıp.example", kind="shared")).pk != kept.pk
    assert store_mailbox(cast.bob, opened_at("y", "Sales@ship.example", kind="shared")).pk == kept.pk


def test_administrators_are_not_flooded_with_requests(cast: Cast) -> None:
    approval.change_policy(cast.alice, providers={}, personal="ask", shared="ask", domains=[])
    for number in range(approval.MOST_A_DAY):
        asked = approval.ask(cast.bob, "memory", f"bob{number}@tidewater.example", "personal")
        approval.withdraw(cast.bob, asked.pk)
    with pytest.raises(approval.NotApproved) as refused:
        approval.ask(cast.bob, "memory", BOB, "personal")
    assert refused.value.code == "approval_limit" and not refused.value.verdict.asks


@pytest.mark.django_db(transaction=True)
def test_nobody_is_given_a_mailbox_while_he_is_taken_off_the_workspace(cast: Cast) -> None:
    mailbox = store_mailbox(cast.alice, opened_at("mail.tidewater.example", SUPPORT, kind="shared"))
    has_left, ended = Event(), []

    def give() -> None:
        with borrowed_connection():
            has_left.wait()
            try:
                hand_over(cast.alice, mailbox, cast.bob.user)
                ended.append("given")
            except NotAMember:
                ended.append("refused")

    giving = Thread(target=give)
    giving.start()
    with transaction.atomic():
        off_board(cast.alice, cast.bob.membership, Plan(heir=cast.alice))
        has_left.set()
        time.sleep(0.3)
    giving.join()
    assert ended == ["refused"]
