"""Two people change the same mailbox or member at once: each gets one clear answer, and nothing is halved."""

from __future__ import annotations

import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass

import pytest
from django.contrib.messages import get_messages
from django.db import connection, transaction
from django.http import HttpResponseRedirect
from django.test import Client

from postroom.mail.message import Address
from postroom.mailboxes import pause, settings
from postroom.mailboxes.access import manageable_mailboxes
from postroom.mailboxes.connect import MailboxGone, disconnect, extend_backfill, reconnect
from postroom.mailboxes.handover import hand_over
from postroom.mailboxes.models import Mailbox
from postroom.mailboxes.start import begin_import
from postroom.outbox.composition import Composition, SubmitRefused
from postroom.outbox.connection_test import begin_test
from postroom.outbox.models import Submission
from postroom.outbox.offboarding import HeirNeeded, Plan, off_board
from postroom.outbox.submit import submit
from postroom.workspaces import approval
from postroom.workspaces.database import borrowed_connection
from postroom.workspaces.members import Member, as_of_now
from postroom.workspaces.models import ApprovalRequest, AuditEntry, Membership, Role
from postroom.workspaces.people import NotAllowed, create_user
from tests.cast import PASSWORD, Cast, make_mailbox
from tests.integration.test_meanwhile import opened_at

pytestmark = pytest.mark.django_db(transaction=True)

SUPPORT = "support@tidewater.example"
Act = Callable[[Member, Mailbox], object]


@dataclass
class Place:
    """Alice and Dora administer the workspace; `shared` is Alice's, `private` is Bob's."""

    cast: Cast
    dora: Member
    shared: Mailbox
    private: Mailbox


@pytest.fixture
def place(cast: Cast) -> Place:
    dora = create_user(
        cast.alice, cast.alice.workspace, "dora@tidewater.example", name="Dora", role=Role.OWNER, password=PASSWORD
    )
    shared = make_mailbox(cast.alice, SUPPORT)
    return Place(cast, dora, shared, make_mailbox(cast.bob, "bob@own.example", kind="personal"))


def at_once(first: Callable[[], object], second: Callable[[], object]) -> object:
    """Begin the second while the first is not committed; what the second ended with, an exception too."""
    with ThreadPoolExecutor(1) as pool:
        with transaction.atomic():
            first()
            ended = pool.submit(borrowed_connection()(second))
            wait_for_a_lock(ended)
        return ended.exception() or ended.result()


def wait_for_a_lock(second: Future[object]) -> None:
    """Until the second waits for what the first holds, or is through without."""
    until = time.monotonic() + 2
    while not second.done() and time.monotonic() < until:
        with connection.cursor() as cursor:
            cursor.execute("SELECT count(*) FROM pg_locks WHERE NOT granted")
            if cursor.fetchone() != (0,):
                return
        time.sleep(0.01)


ACTS: dict[str, Act] = {
    "begin_import": begin_import,
    "pause": pause.pause,
    "resume": pause.resume,
    "extend": lambda member, mailbox: extend_backfill(member, mailbox, 200),
    "change": lambda member, mailbox: settings.change(member, mailbox, settings.Change(usage="billing")),
    "choose_default": lambda member, mailbox: settings.choose_default(member, mailbox, for_workspace=True, for_me=True),
    "hand_over": lambda member, mailbox: hand_over(member, mailbox, member.user),
    "reconnect": lambda member, mailbox: reconnect(member, mailbox, opened_at("x", SUPPORT, kind="shared")),
    "disconnect": lambda member, mailbox: disconnect(member, mailbox, keep_history=True),
    "begin_test": begin_test,
}


@pytest.mark.parametrize("keeps_history", [True, False])
@pytest.mark.parametrize("act", ACTS.values(), ids=ACTS)
def test_what_is_asked_of_a_mailbox_that_is_being_disconnected_is_refused(
    place: Place, act: Act, keeps_history: bool
) -> None:
    Mailbox.objects.update(awaits_start=act is begin_import)
    seen = manageable_mailboxes(place.dora).get(pk=place.shared.pk)
    ended = at_once(
        lambda: disconnect(place.cast.alice, place.shared, keep_history=keeps_history),
        lambda: act(place.dora, seen),
    )
    assert isinstance(ended, SubmitRefused if act is begin_test else MailboxGone), ended
    left = Mailbox.objects.filter(pk=place.shared.pk).first()
    assert (left is not None) == keeps_history
    if left is not None:
        assert left.disconnected_at and not left.paused_at and left.owner_id == place.cast.alice.user.pk
    place.cast.alice.workspace.refresh_from_db()
    assert place.cast.alice.workspace.default_mailbox_id is None
    mine = AuditEntry.objects.filter(workspace=place.cast.alice.workspace, user=place.dora.user)
    assert not mine.exists()


@pytest.mark.parametrize("button", ["pause", "preview/start", "imports", "disconnection"])
def test_a_page_says_that_the_mailbox_is_gone(place: Place, client: Client, button: str) -> None:
    client.force_login(place.dora.user)
    url, form = f"/settings/mailboxes/{place.shared.pk}/{button}/", {"days": "100", "keep": "history"}
    told = at_once(
        lambda: disconnect(place.cast.alice, place.shared, keep_history=False), lambda: client.post(url, form)
    )
    assert isinstance(told, HttpResponseRedirect) and told.url == "/settings/mailboxes/"
    [words] = get_messages(told.wsgi_request)  # type: ignore[attr-defined]  # as the test client keeps it
    assert "was disconnected or given to somebody else meanwhile" in str(words)


@pytest.mark.parametrize("act", [name for name in ACTS if name not in ("begin_test", "resume", "choose_default")])
def test_who_has_just_given_a_mailbox_away_changes_nothing_of_it_any_more(place: Place, act: str) -> None:
    Mailbox.objects.update(awaits_start=act == "begin_import")
    seen = manageable_mailboxes(place.cast.bob).get(pk=place.private.pk)
    ended = at_once(
        lambda: hand_over(place.cast.bob, place.private, place.dora.user),
        lambda: ACTS[act](place.cast.bob, seen),
    )
    assert isinstance(ended, MailboxGone), ended
    seen.refresh_from_db()
    assert seen.owner_id == place.dora.user.pk and seen.disconnected_at is None and seen.usage == "general"


def test_of_two_owners_who_take_each_other_off_one_stays(place: Place) -> None:
    alice, dora = place.cast.alice, place.dora
    seen = Membership.objects.get(pk=alice.membership.pk)
    ended = at_once(
        lambda: off_board(alice, dora.membership, Plan(heir=place.cast.bob)),
        lambda: off_board(dora, seen, Plan(heir=place.cast.bob)),
    )
    assert isinstance(ended, NotAllowed), ended
    assert as_of_now(alice) and not as_of_now(dora)


def test_of_two_who_take_the_same_member_off_the_second_is_told(place: Place) -> None:
    bob = place.cast.bob.membership
    again = Membership.objects.get(pk=bob.pk)
    ended = at_once(
        lambda: off_board(place.cast.alice, bob, Plan(heir=place.cast.alice)),
        lambda: off_board(place.dora, again, Plan(heir=place.dora)),
    )
    assert isinstance(ended, NotAllowed), ended
    place.private.refresh_from_db()
    assert place.private.owner_id == place.cast.alice.user.pk


@pytest.mark.parametrize("has_mailbox", [True, False])
def test_nothing_is_handed_to_an_heir_who_is_being_taken_off(place: Place, has_mailbox: bool) -> None:
    bob, dora = place.cast.bob, place.dora
    written = submit(bob, Composition([Address("c@x.example")], subject="Offer", text="Hi", mailbox_id=place.shared.pk))
    if not has_mailbox:
        disconnect(bob, place.private, keep_history=False)
    ended = at_once(
        lambda: off_board(place.cast.alice, dora.membership, Plan(heir=place.cast.alice)),
        lambda: off_board(place.cast.alice, bob.membership, Plan(heir=dora)),
    )
    assert isinstance(ended, HeirNeeded), ended
    assert Submission.objects.get(pk=written.pk).author_id == bob.user.pk and as_of_now(bob)


@pytest.mark.parametrize("decides_first", [True, False])
def test_of_a_request_that_is_granted_and_taken_back_at_once_one_counts(place: Place, decides_first: bool) -> None:
    alice, bob = place.cast.alice, place.cast.bob
    approval.change_policy(alice, providers={}, personal="ask", shared="ask", domains=[])
    asked = approval.ask(bob, "memory", "bob@tidewater.example", "personal")
    acts = [lambda: approval.grant(alice, asked.pk), lambda: approval.withdraw(bob, asked.pk)]
    first, second = acts if decides_first else reversed(acts)
    assert isinstance(at_once(first, second), approval.NotOpen)
    asked.refresh_from_db()
    state = ApprovalRequest.State
    assert asked.state == (state.GRANTED if decides_first else state.WITHDRAWN)
