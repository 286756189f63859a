"""/members: what would break when somebody leaves, who goes on with it, and who may say so."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from postroom.mail.message import Address
from postroom.mailboxes.models import Mailbox
from postroom.outbox.composition import Composition
from postroom.outbox.models import State, Submission
from postroom.outbox.submit import submit
from postroom.workspaces.models import AuditEntry, Membership, Workspace
from tests.cast import Cast, make_mailbox
from tests.web.api_caller import caller_for, problem

pytestmark = pytest.mark.django_db


@pytest.fixture
def dispatch(cast: Cast) -> Mailbox:
    """Bob's shared mailbox, the workspace's default."""
    mailbox = make_mailbox(cast.bob, "dispatch@tidewater.example")
    Workspace.objects.filter(pk=cast.bob.workspace_id).update(default_mailbox_id=mailbox.pk)
    return mailbox


@pytest.fixture
def private(cast: Cast) -> Mailbox:
    return make_mailbox(cast.bob, "bob@tidewater.example", kind="personal")


def leaving(cast: Cast) -> str:
    return f"/members/{cast.bob.user.pk}/leaving"


def scheduled(cast: Cast, mailbox: Mailbox) -> Submission:
    to = (Address("katrin@lagerhaus.example"),)
    send_at = timezone.now() + timedelta(days=14)
    return submit(
        cast.bob,
        Composition(to=to, subject="In two weeks", text="Hello", mailbox_id=mailbox.pk, send_at=send_at),
    )


def test_members_are_listed_for_administrators(cast: Cast) -> None:
    listed: Any = caller_for(cast.alice).get("/members").json()["items"]
    assert {(one["id"], one["role"]) for one in listed} == {
        (str(cast.alice.user.pk), "owner"),
        (str(cast.bob.user.pk), "member"),
    }
    problem(caller_for(cast.bob).get("/members"), 403, "not_allowed")
    assert [one["name"] for one in caller_for(cast.charlie).get("/members").json()["items"]] == ["Charlie Roe"]


def test_what_would_break_is_told_and_nothing_of_what_is_private(
    cast: Cast, dispatch: Mailbox, private: Mailbox
) -> None:
    shown, hidden = scheduled(cast, dispatch), scheduled(cast, private)
    Membership.objects.filter(pk=cast.alice.membership.pk).update(default_mailbox_id=dispatch.pk)
    told: Any = caller_for(cast.alice).get(leaving(cast)).json()
    assert told["person"]["email"] == "bob@tidewater.example"
    assert {one["address"]: one for one in told["mailboxes"]} == {
        "bob@tidewater.example": {
            "id": str(private.pk),
            "address": "bob@tidewater.example",
            "kind": "personal",
            "queued": 1,
            "is_workspace_default": False,
            "usual_of": [],
        },
        "dispatch@tidewater.example": {
            "id": str(dispatch.pk),
            "address": "dispatch@tidewater.example",
            "kind": "shared",
            "queued": 1,
            "is_workspace_default": True,
            "usual_of": ["Alice Moreau"],
        },
    }
    subjects = {one["id"]: one["subject"] for one in told["queued"]}
    assert subjects == {str(shown.pk): "In two weeks", str(hidden.pk): None}


def test_everything_is_handed_over_at_once(cast: Cast, dispatch: Mailbox, private: Mailbox) -> None:
    message, program = scheduled(cast, dispatch), caller_for(cast.bob)
    body = {
        "heir_id": str(cast.alice.user.pk),
        "hand_over": [str(dispatch.pk)],
        "disconnect": [str(private.pk)],
    }
    answer: Any = caller_for(cast.alice).post(leaving(cast), body)
    assert answer.status_code == 200 and answer.json()["tokens"] == ["test"]
    dispatch.refresh_from_db()
    private.refresh_from_db()
    message.refresh_from_db()
    assert (dispatch.owner, dispatch.disconnected_at) == (cast.alice.user, None)
    assert private.disconnected_at is not None
    assert (message.state, message.author) == (State.QUEUED, cast.alice.user)
    assert program.get("/mailboxes").status_code == 401
    assert AuditEntry.objects.filter(action="member.left", user=cast.alice.user).count() == 1
    problem(caller_for(cast.alice).post(leaving(cast), body), 404, "not_found")


def test_a_default_moves_on_and_queued_mail_may_stay(cast: Cast, dispatch: Mailbox) -> None:
    sales = make_mailbox(cast.alice, "sales@tidewater.example")
    message = scheduled(cast, sales)
    body = {"disconnect": [str(dispatch.pk)], "cancel_queued": True, "default_mailbox_id": str(sales.pk)}
    assert caller_for(cast.alice).post(leaving(cast), body).status_code == 200
    message.refresh_from_db()
    assert message.state == State.CANCELLED
    assert Workspace.objects.get(pk=cast.alice.workspace_id).default_mailbox_id == sales.pk


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({}, "hand_over"),  # a mailbox that is forgotten is neither given away nor lost
        ({"disconnect": ["dispatch"], "hand_over": ["dispatch"]}, "hand_over"),
        ({"disconnect": ["dispatch", "charlies"]}, "hand_over"),
        ({"hand_over": ["dispatch"]}, "heir_id"),
        ({"hand_over": ["dispatch"], "heir_id": "bob"}, "heir_id"),
        ({"hand_over": ["dispatch"], "heir_id": "charlie"}, "heir_id"),
        ({"disconnect": ["dispatch"], "default_mailbox_id": "alices own"}, "default_mailbox_id"),
        ({"disconnect": ["dispatch"], "default_mailbox_id": "dispatch"}, "default_mailbox_id"),
        ({"disconnect": ["dispatch"], "default_mailbox_id": "charlies"}, "default_mailbox_id"),
    ],
)
def test_what_does_not_fit_changes_nothing(cast: Cast, dispatch: Mailbox, body: dict[str, Any], field: str) -> None:
    ids = {
        "dispatch": dispatch.pk,
        "alices own": make_mailbox(cast.alice, "alice@tidewater.example", kind="personal").pk,
        "charlies": make_mailbox(cast.charlie, "shared@elsewhere.example").pk,
        "bob": cast.bob.user.pk,
        "charlie": cast.charlie.user.pk,
    }
    named = {
        name: [str(ids[one]) for one in value] if isinstance(value, list) else str(ids[value])
        for name, value in body.items()
    }
    refused = problem(caller_for(cast.alice).post(leaving(cast), named), 422, "invalid_fields")
    assert refused["fields"].keys() == {field}
    assert not Membership.objects.exclude(left_at=None).exists()
    assert not Mailbox.objects.exclude(disconnected_at=None).exists()


def test_only_administrators_take_somebody_off_and_nobody_himself_or_an_owner_above(cast: Cast) -> None:
    of_alice = f"/members/{cast.alice.user.pk}/leaving"
    alice, bob = caller_for(cast.alice), caller_for(cast.bob)
    for method in ("GET", "POST"):
        problem(bob.call(method, of_alice, {}), 404, "not_found")
        assert "cannot take yourself off" in problem(alice.call(method, of_alice, {}), 403, "not_allowed")["detail"]
    Membership.objects.filter(pk=cast.bob.membership.pk).update(role="admin")
    assert "Only an owner" in problem(bob.post(of_alice, {}), 403, "not_allowed")["detail"]
    for method in ("GET", "POST"):
        problem(alice.call(method, f"/members/{cast.charlie.user.pk}/leaving", {}), 404, "not_found")
    assert not Membership.objects.exclude(left_at=None).exists()
