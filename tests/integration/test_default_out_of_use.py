"""Where nothing leaves from a default any more: what the composer takes instead, and what it says."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from postroom.mailboxes.connect import disconnect
from postroom.mailboxes.models import Mailbox, MailboxMember
from postroom.mailboxes.pause import pause
from postroom.mailboxes.settings import Change, change
from postroom.outbox.choice import choice_or_reason
from postroom.outbox.sender import Choice, NoChoice
from postroom.workspaces.members import Member, as_of_now
from postroom.workspaces.models import Membership, Workspace
from tests.cast import Cast, make_mailbox

USUAL, GENERAL, OTHER = "usual@tidewater.example", "info@tidewater.example", "other@tidewater.example"

pytestmark = pytest.mark.django_db


@pytest.fixture
def usual(cast: Cast) -> Mailbox:
    """Bob's usual mailbox, beside the workspace's default and a third one; all are Alice's and everybody's."""
    usual, general, _ = (make_mailbox(cast.alice, address) for address in (USUAL, GENERAL, OTHER))
    Membership.objects.filter(pk=cast.bob.membership.pk).update(default_mailbox_id=usual.pk)
    Workspace.objects.filter(pk=cast.bob.workspace_id).update(default_mailbox_id=general.pk)
    return usual


def offered(member: Member) -> Choice | NoChoice:
    now = as_of_now(member)
    assert now is not None
    return choice_or_reason(now)


def off(cast: Cast, mailbox: Mailbox) -> None:
    disconnect(cast.alice, mailbox, keep_history=True)


def gone(cast: Cast, mailbox: Mailbox) -> None:
    disconnect(cast.alice, mailbox, keep_history=False)


def reads_only(cast: Cast, mailbox: Mailbox) -> None:
    change(cast.alice, mailbox, Change(sends=False))


def not_allowed(cast: Cast, mailbox: Mailbox) -> None:
    Mailbox.objects.filter(pk=mailbox.pk).update(sending_state="off")


def silenced(cast: Cast, mailbox: Mailbox) -> None:
    MailboxMember.objects.create(mailbox=mailbox, user=cast.bob.user, can_send=False)


def shut_out(cast: Cast, mailbox: Mailbox) -> None:
    MailboxMember.objects.create(mailbox=mailbox, user=cast.alice.user)


@pytest.mark.parametrize(
    ("what", "said"),
    [
        (off, f"{USUAL}, your usual mailbox, is disconnected. "),
        (reads_only, f"{USUAL}, your usual mailbox, does not send. "),
        (not_allowed, f"{USUAL}, your usual mailbox, was not allowed to send. "),
        (silenced, f"{USUAL}, your usual mailbox, is not yours to send from. "),
        (gone, ""),  # nobody knows it any more
        (shut_out, ""),  # nor is it told to whom it is hidden
    ],
)
def test_a_usual_mailbox_that_nothing_leaves_from_gives_way_to_the_workspaces(
    cast: Cast, usual: Mailbox, what: Callable[[Cast, Mailbox], None], said: str
) -> None:
    assert offered(cast.bob) == Choice(usual.pk, USUAL, "Tidewater", f"You usually write from {USUAL}.")
    what(cast, usual)
    choice = offered(cast.bob)
    assert isinstance(choice, Choice) and choice.address == GENERAL
    assert choice.reason == f"{said}{GENERAL} is the workspace's default."


def test_a_paused_mailbox_sends_on(cast: Cast, usual: Mailbox) -> None:
    pause(cast.alice, usual)
    choice = offered(cast.bob)
    assert isinstance(choice, Choice) and choice.reason == f"You usually write from {USUAL}."


def test_where_no_default_is_left_the_member_chooses_and_reads_why(cast: Cast, usual: Mailbox) -> None:
    make_mailbox(cast.alice, "fourth@tidewater.example")
    off(cast, usual)
    off(cast, Mailbox.objects.get(address=GENERAL))
    choice = offered(cast.bob)
    assert isinstance(choice, NoChoice) and choice.code == "mailbox_not_chosen"
    assert choice.reason == (
        f"{USUAL}, your usual mailbox, is disconnected. {GENERAL}, the workspace's default, is disconnected. "
        "Several mailboxes would do. Choose the one that it leaves from."
    )


def test_one_mailbox_that_was_both_defaults_is_told_once(cast: Cast, usual: Mailbox) -> None:
    Workspace.objects.filter(pk=cast.bob.workspace_id).update(default_mailbox_id=usual.pk)
    off(cast, usual)
    choice = offered(cast.bob)
    assert isinstance(choice, NoChoice) and choice.reason.count(USUAL) == 1


def test_what_was_chosen_by_hand_is_not_talked_about(cast: Cast, usual: Mailbox) -> None:
    off(cast, usual)
    other = Mailbox.objects.get(address=OTHER)
    choice = choice_or_reason(cast.bob, mailbox_id=other.pk)
    assert isinstance(choice, Choice) and choice.reason == f"You chose {OTHER}."
