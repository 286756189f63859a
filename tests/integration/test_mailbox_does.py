"""A mailbox that only sends is nobody's to read: no session, no import; and it goes on when it reads again."""

from __future__ import annotations

import pytest
from django.utils import timezone

from postroom.correspondence import plan
from postroom.mailboxes import imports, settings
from postroom.mailboxes.connect import ConnectRequest, disconnect, store_mailbox
from postroom.mailboxes.handover import NotAMember, hand_over
from postroom.mailboxes.models import Folder, ImportSlice, Mailbox
from postroom.mailboxes.ownership import PostgresOwnership
from postroom.mailboxes.settings import Change
from postroom.workspaces.database import connect
from postroom.workspaces.leaving import end_membership
from tests.cast import Cast, make_cast, make_mailbox

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def cast() -> Cast:
    return make_cast()


@pytest.fixture
def sales(cast: Cast) -> Mailbox:
    return make_mailbox(cast.alice, "sales@tidewater.example")


def test_it_is_taken_from_its_worker_and_given_back(cast: Cast, sales: Mailbox) -> None:
    worker = PostgresOwnership()
    worker.join()
    try:
        [(mailbox_id, epoch)] = worker.claim(5)
        settings.change(cast.alice, sales, Change(reads=False))
        assert list(worker.lost([mailbox_id])) == [mailbox_id]
        assert sales.epoch > epoch and sales.state == "connected"
        assert list(worker.claim(5)) == []
        settings.change(cast.alice, sales, Change(reads=True))
        assert [claimed for claimed, _ in worker.claim(5)] == [mailbox_id]
    finally:
        worker.leave()


def test_its_import_stands_still(cast: Cast, sales: Mailbox) -> None:
    folder = Folder.objects.create(workspace=sales.workspace, mailbox=sales, remote_name="INBOX", name="Inbox")
    piece = ImportSlice.objects.create(
        workspace=sales.workspace, mailbox=sales, folder=folder, position=0, remote_ids=["1"], sizes=[10]
    )
    with connect() as connection:
        for reads in (True, False, True):
            settings.change(cast.alice, sales, Change(reads=reads))
            assert imports.may_run(piece.pk) is reads
            assert (plan.find_slice(connection, piece.pk) is not None) is reads


def test_neither_reading_nor_sending_is_refused_and_nothing_changes(cast: Cast, sales: Mailbox) -> None:
    with pytest.raises(settings.Unfit) as refused:
        settings.change(cast.alice, sales, Change(usage="support", reads=False, sends=False))
    assert refused.value.field == "reads"
    assert Mailbox.objects.get().usage == "general"


def test_nobody_is_given_a_mailbox_of_another_workspace(cast: Cast, sales: Mailbox) -> None:
    for stranger in (cast.charlie.user, cast.bob.user):
        if stranger == cast.bob.user:
            end_membership(cast.alice, cast.bob.membership)
        with pytest.raises(NotAMember):
            hand_over(cast.alice, sales, stranger)
    assert Mailbox.objects.get().owner == cast.alice.user


def test_who_connects_an_address_again_owns_what_a_member_left_behind(cast: Cast) -> None:
    request = ConnectRequest("memory", "dispatch@tidewater.example", "shared")
    left = store_mailbox(cast.bob, request)
    settings.change(cast.bob, left, Change(reads=False))
    disconnect(cast.bob, left, keep_history=True)
    end_membership(cast.alice, cast.bob.membership)
    again = store_mailbox(cast.alice, request)
    assert (again.pk, again.owner, again.reads) == (left.pk, cast.alice.user, True)
    assert again.created_at <= timezone.now()
