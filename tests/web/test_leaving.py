"""/settings/members/<id>/leaving/: what breaks, who goes on with it, and that nobody signs in as who left."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.test import Client
from django.utils import timezone

from postroom.mail.message import Address
from postroom.mailboxes.access import readable_mailboxes
from postroom.mailboxes.models import Mailbox, MailboxMember
from postroom.outbox.composition import Composition
from postroom.outbox.models import State, Submission
from postroom.outbox.offboarding import Plan, off_board
from postroom.outbox.submit import submit
from postroom.workspaces.models import ApiToken, AuditEntry, Membership, Workspace
from postroom.workspaces.people import create_user
from tests.cast import PASSWORD, Cast, make_mailbox
from tests.web.api_caller import caller_for
from tests.web.conftest import browser

pytestmark = pytest.mark.django_db


@pytest.fixture
def dispatch(cast: Cast) -> Mailbox:
    """Bob's shared mailbox, which others depend on."""
    mailbox = make_mailbox(cast.bob, "dispatch@tidewater.example")
    Workspace.objects.filter(pk=cast.bob.workspace_id).update(default_mailbox_id=mailbox.pk)
    Membership.objects.filter(pk=cast.alice.membership.pk).update(default_mailbox_id=mailbox.pk)
    return mailbox


@pytest.fixture
def private(cast: Cast) -> Mailbox:
    return make_mailbox(cast.bob, "bob@tidewater.example", kind="personal")


def scheduled(cast: Cast, mailbox: Mailbox) -> Submission:
    return submit(
        cast.bob,
        Composition(
            to=(Address("katrin@lagerhaus.example"),),
            subject="In two weeks",
            text="Hello",
            mailbox_id=mailbox.pk,
            send_at=timezone.now() + timedelta(days=14),
        ),
    )


def page(cast: Cast) -> str:
    return f"/settings/members/{cast.bob.user.pk}/leaving/"


def test_the_page_lists_what_would_break(alice: Client, cast: Cast, dispatch: Mailbox, private: Mailbox) -> None:
    scheduled(cast, dispatch)
    ApiToken.issue(cast.bob.membership, "Quarterly figures")
    html = alice.get(page(cast)).content.decode()
    for words in (
        "dispatch@tidewater.example",
        "bob@tidewater.example",
        "1 message waits to leave from it",
        "It is the workspace's default",
        "Alice Moreau usually writes from it",
        "In two weeks",
        "Quarterly figures",
        "Its new owner reads everything that is kept of it",
    ):
        assert words in html, words


def test_everything_is_handed_over_and_nobody_signs_in_as_bob_any_more(
    alice: Client, bob: Client, cast: Cast, guest: Client, dispatch: Mailbox, private: Mailbox
) -> None:
    message, program = scheduled(cast, dispatch), caller_for(cast.bob)
    named_on = make_mailbox(cast.alice, "a@tidewater.example")
    MailboxMember.objects.create(mailbox=named_on, user=cast.bob.user)
    typed = {
        "heir": cast.alice.membership.pk,
        f"mailbox_{dispatch.pk}": "hand_over",
        f"mailbox_{private.pk}": "disconnect",
        "queued": "heir",
    }
    told = alice.post(page(cast), typed, follow=True).content.decode()
    assert "Bob Lindqvist has left Tidewater Bikes" in told
    dispatch.refresh_from_db()
    private.refresh_from_db()
    message.refresh_from_db()
    assert (dispatch.owner, dispatch.disconnected_at) == (cast.alice.user, None)
    assert private.owner == cast.bob.user and private.disconnected_at is not None
    assert (message.state, message.author) == (State.QUEUED, cast.alice.user)
    assert Workspace.objects.get(pk=cast.alice.workspace_id).default_mailbox_id == dispatch.pk
    assert not ApiToken.objects.exists()
    assert [one.user for one in MailboxMember.objects.filter(mailbox=named_on)] == [cast.alice.user]
    assert bob.get("/contacts/").status_code == 302
    assert program.get("/mailboxes").status_code == 401
    guest.post("/accounts/login/", {"login": cast.bob.user.email, "password": PASSWORD})
    assert guest.get("/contacts/").status_code == 302
    actions = set(AuditEntry.objects.values_list("action", flat=True))
    assert actions >= {"mailbox.handed_over", "mailbox.disconnected", "member.left"}


@pytest.mark.parametrize("what", ["hand_over", "disconnect"])
def test_a_mailbox_for_named_members_is_not_everybodys_when_they_have_left(
    alice: Client, cast: Cast, dispatch: Mailbox, what: str
) -> None:
    """No names at all would be everybody: so the list never runs empty by somebody's leaving."""
    colleague = create_user(
        None, cast.alice.workspace, "dora@tidewater.example", name="Dora", role="member", password=PASSWORD
    )
    MailboxMember.objects.create(mailbox=dispatch, user=cast.bob.user)
    alice.post(page(cast), {"heir": cast.alice.membership.pk, f"mailbox_{dispatch.pk}": what})
    assert Membership.objects.get(pk=cast.bob.membership.pk).left_at is not None
    assert dispatch not in readable_mailboxes(colleague)


def test_the_workspaces_default_does_not_become_an_administrators_own_mailbox(
    alice: Client, cast: Cast, dispatch: Mailbox
) -> None:
    own = make_mailbox(cast.alice, "alice@tidewater.example", kind="personal")
    answer = alice.post(page(cast), {f"mailbox_{dispatch.pk}": "disconnect", "default": str(own.pk)})
    assert answer.status_code == 422
    off_board(cast.alice, cast.bob.membership, Plan(disconnect=frozenset({dispatch.pk}), default_id=own.pk))
    assert Workspace.objects.get(pk=cast.alice.workspace_id).default_mailbox_id is None


def test_a_default_moves_to_another_mailbox_and_queued_mail_may_stay(
    alice: Client, cast: Cast, dispatch: Mailbox, sales: Mailbox
) -> None:
    elsewhere = scheduled(cast, sales)
    typed = {f"mailbox_{dispatch.pk}": "disconnect", "queued": "cancel", "default": str(sales.pk)}
    alice.post(page(cast), typed)
    elsewhere.refresh_from_db()
    cast.alice.membership.refresh_from_db()
    assert elsewhere.state == State.CANCELLED
    assert Workspace.objects.get(pk=cast.alice.workspace_id).default_mailbox_id == sales.pk
    assert cast.alice.membership.default_mailbox_id == sales.pk


def test_what_is_private_is_shown_to_nobody_who_takes_over(
    alice: Client, cast: Cast, private: Mailbox, sales: Mailbox
) -> None:
    hidden, failed = scheduled(cast, private), scheduled(cast, private)
    Submission.objects.filter(pk=failed.pk).update(state=State.FAILED)
    html = alice.get(page(cast)).content.decode()
    assert "1 message of Bob Lindqvist waits to leave" in html and "In two weeks" not in html
    alice.post(page(cast), {f"mailbox_{private.pk}": "disconnect", "queued": "heir", "heir": cast.alice.membership.pk})
    hidden.refresh_from_db()
    failed.refresh_from_db()
    assert (hidden.state, hidden.author, failed.author) == (State.CANCELLED, cast.bob.user, cast.bob.user)


def test_somebody_has_to_go_on_with_what_is_handed_over(alice: Client, cast: Cast, dispatch: Mailbox) -> None:
    for heir in ("", cast.charlie.membership.pk, cast.bob.membership.pk):
        answer = alice.post(page(cast), {"heir": heir, f"mailbox_{dispatch.pk}": "hand_over"})
        assert answer.status_code == 422 and b"field-error" in answer.content
    cast.bob.membership.refresh_from_db()
    assert cast.bob.membership.left_at is None


def test_who_has_nothing_just_leaves_and_may_come_back_as_the_same_person(
    alice: Client, cast: Cast, guest: Client
) -> None:
    assert b"Nothing breaks" in alice.get(page(cast)).content
    alice.post(page(cast), {})
    html = alice.get("/settings/members/").content.decode()
    assert "1 can sign in" in html and "bob@tidewater.example" in html
    assert alice.get(page(cast)).status_code == 404
    again = {"name": "Bob L.", "email": "bob@tidewater.example", "role": "member", "password": "a long enough secret"}
    alice.post("/settings/members/", again)
    guest.post("/accounts/login/", {"login": again["email"], "password": again["password"]})
    assert b"Bob L." in guest.get("/").content
    cast.bob.membership.refresh_from_db()
    assert cast.bob.membership.left_at is None


def test_only_an_owner_takes_a_former_owner_back(cast: Cast) -> None:
    """Whoever adds somebody again chooses the password, and with it reads what is that person's alone."""
    former = create_user(
        cast.alice, cast.alice.workspace, "dora@tidewater.example", name="Dora", role="owner", password=PASSWORD
    )
    off_board(cast.alice, former.membership, Plan())
    Membership.objects.filter(pk=cast.bob.membership.pk).update(role="admin")
    again = {"name": "Dora", "email": former.user.email, "role": "member", "password": "a long enough secret"}
    answer = browser(cast.bob).post("/settings/members/", again)
    assert answer.status_code == 422 and b"Only an owner takes a former owner back" in answer.content
    browser(cast.alice).post("/settings/members/", again)
    former.membership.refresh_from_db()
    assert (former.membership.left_at, former.membership.role) == (None, "member")


def test_only_administrators_take_somebody_off_and_nobody_himself_or_an_owner_above(cast: Cast) -> None:
    bob, alice = browser(cast.bob), browser(cast.alice)
    of_alice = f"/settings/members/{cast.alice.user.pk}/leaving/"
    assert bob.get(of_alice).status_code == 403 and bob.post(of_alice).status_code == 403
    assert b"You cannot take yourself off" in alice.get(of_alice, follow=True).content
    Membership.objects.filter(pk=cast.bob.membership.pk).update(role="admin")
    assert b"Only an owner takes another owner off" in browser(cast.bob).post(of_alice, follow=True).content
    assert alice.get(f"/settings/members/{cast.charlie.user.pk}/leaving/").status_code == 404
    assert not Membership.objects.exclude(left_at=None).exists()
