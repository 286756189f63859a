"""Addresses that a provider says a mailbox may send as."""

from __future__ import annotations

import pytest

from postroom.mailboxes.connect import ConnectRequest, disconnect, store_mailbox
from postroom.mailboxes.health import MailboxHealth
from postroom.mailboxes.models import Identity, Mailbox
from postroom.providers.base import RemoteIdentity
from postroom.providers.errors import Unreachable
from postroom.workspaces.members import find_member
from tests.cast import make_cast, make_mailbox

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def mailbox(transactional_db: None) -> Mailbox:
    mailbox = make_mailbox(make_cast().alice, "team@tidewater.example")
    Identity.objects.filter(mailbox=mailbox).update(address="Team@tidewater.example", name="Our team")
    return mailbox


def names(mailbox: Mailbox) -> dict[str, str]:
    return dict(Identity.objects.filter(mailbox=mailbox).values_list("address", "name"))


def test_aliases_come_change_and_go_and_what_a_member_wrote_stays(mailbox: Mailbox) -> None:
    health, own = MailboxHealth(), RemoteIdentity("team@tidewater.example", "Told by the provider")
    health.identities(mailbox.pk, mailbox.epoch, [own, RemoteIdentity("offers@tidewater.example", "Offers")])
    assert names(mailbox) == {"Team@tidewater.example": "Our team", "offers@tidewater.example": "Offers"}
    health.identities(mailbox.pk, mailbox.epoch, [own, RemoteIdentity("offers@tidewater.example", "New offers")])
    assert names(mailbox)["offers@tidewater.example"] == "New offers"
    health.identities(mailbox.pk, mailbox.epoch, [own])
    assert names(mailbox) == {"Team@tidewater.example": "Our team"}
    assert Mailbox.objects.get(pk=mailbox.pk).identities_listed_at is not None


def test_the_own_address_takes_over_what_nobody_wrote(mailbox: Mailbox) -> None:
    told = RemoteIdentity("team@tidewater.example", "Told", "answers@tidewater.example", "<p>Told</p>", is_default=True)
    MailboxHealth().identities(mailbox.pk, mailbox.epoch, [told])
    own = Identity.objects.get(mailbox=mailbox, address="Team@tidewater.example")
    assert (own.name, own.reply_to, own.signature) == ("Our team", "answers@tidewater.example", "<p>Told</p>")
    assert not own.is_listed
    Identity.objects.filter(pk=own.pk).update(signature="<p>Mine</p>")
    MailboxHealth().identities(mailbox.pk, mailbox.epoch, [told])
    own.refresh_from_db()
    assert own.signature == "<p>Mine</p>"


def test_a_worker_that_lost_the_mailbox_changes_none(mailbox: Mailbox) -> None:
    MailboxHealth().identities(mailbox.pk, mailbox.epoch - 1, [RemoteIdentity("offers@tidewater.example")])
    assert names(mailbox) == {"Team@tidewater.example": "Our team"}


def test_a_mailbox_that_is_connected_anew_begins_without_what_was_told_and_failed_before(mailbox: Mailbox) -> None:
    MailboxHealth().identities(mailbox.pk, mailbox.epoch, [RemoteIdentity("offers@tidewater.example")])
    MailboxHealth().failed(mailbox.pk, mailbox.epoch, Unreachable(), 3600)
    member = find_member(mailbox.owner)
    assert member is not None
    disconnect(member, mailbox, keep_history=True)
    again = store_mailbox(member, ConnectRequest("memory", mailbox.address, mailbox.kind))
    again.refresh_from_db()
    assert again.pk == mailbox.pk and set(names(again)) == {"Team@tidewater.example", mailbox.address}
    assert (again.identities_listed_at, again.failures, again.not_before, again.failing_since) == (None, 0, None, None)
