"""Who sees which mailbox: Alice owns, Bob is on her team, Charlie must see nothing."""

from __future__ import annotations

import pytest

from postroom.mailboxes.access import manageable_mailboxes, readable_mailbox_ids, sendable_mailboxes, visible_mailboxes
from postroom.mailboxes.connect import AlreadyConnected, disconnect
from postroom.mailboxes.models import Grant, Mailbox, MailboxMember
from tests.cast import Cast, make_mailbox


@pytest.fixture
def shared(cast: Cast) -> Mailbox:
    return make_mailbox(cast.alice, "sales@tidewater.example")


@pytest.fixture
def personal(cast: Cast) -> Mailbox:
    return make_mailbox(cast.alice, "alice@tidewater.example", kind="personal")


def test_a_shared_mailbox_is_the_teams(cast: Cast, shared: Mailbox) -> None:
    assert list(visible_mailboxes(cast.bob)) == [shared]
    assert list(sendable_mailboxes(cast.bob)) == [shared]
    assert list(manageable_mailboxes(cast.bob)) == []
    assert list(manageable_mailboxes(cast.alice)) == [shared]


def test_a_personal_mailbox_is_its_owners_alone(cast: Cast, personal: Mailbox) -> None:
    assert list(visible_mailboxes(cast.alice)) == [personal]
    assert list(visible_mailboxes(cast.bob)) == []


def test_nothing_is_seen_from_another_workspace(cast: Cast, shared: Mailbox, personal: Mailbox) -> None:
    assert list(visible_mailboxes(cast.charlie)) == []


def test_a_shared_mailbox_with_named_members_is_theirs(cast: Cast, shared: Mailbox) -> None:
    MailboxMember.objects.create(mailbox=shared, user=cast.alice.user)
    assert list(visible_mailboxes(cast.bob)) == []
    MailboxMember.objects.create(mailbox=shared, user=cast.bob.user, can_send=False)
    assert list(visible_mailboxes(cast.bob)) == [shared]
    assert list(sendable_mailboxes(cast.bob)) == []


def test_an_address_is_connected_once(cast: Cast, shared: Mailbox) -> None:
    with pytest.raises(AlreadyConnected):
        make_mailbox(cast.bob, "Sales@tidewater.example")


def test_a_disconnected_mailbox_is_gone_and_its_history_stays_readable(cast: Cast, shared: Mailbox) -> None:
    disconnect(cast.alice, shared, keep_history=True)
    assert list(visible_mailboxes(cast.alice)) == []
    assert readable_mailbox_ids(cast.bob) == [shared.pk]
    assert not Grant.objects.exists()


def test_connecting_again_takes_up_the_kept_history(cast: Cast, shared: Mailbox) -> None:
    disconnect(cast.alice, shared, keep_history=True)
    assert make_mailbox(cast.bob, "sales@tidewater.example").pk == shared.pk


def test_disconnecting_without_history_leaves_nothing(cast: Cast, shared: Mailbox) -> None:
    disconnect(cast.alice, shared, keep_history=False)
    assert not Mailbox.objects.exists()
