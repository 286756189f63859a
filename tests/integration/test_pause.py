"""A paused mailbox is nobody's and its import stands still; what begins anew has a pace of its own."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.utils import timezone

from postroom.correspondence import plan
from postroom.engine.store import PlannedSlice
from postroom.mailboxes.models import Folder, ImportSlice, Mailbox
from postroom.mailboxes.ownership import PostgresOwnership
from postroom.mailboxes.pause import pause, resume
from postroom.workspaces.database import connect
from tests.cast import Cast, make_cast, make_mailbox

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def cast() -> Cast:
    return make_cast()


@pytest.fixture
def sales(cast: Cast) -> Mailbox:
    return make_mailbox(cast.alice, "sales@tidewater.example")


def test_a_paused_mailbox_is_taken_from_its_worker_and_claimed_by_none(cast: Cast, sales: Mailbox) -> None:
    worker = PostgresOwnership()
    worker.join()
    try:
        [(mailbox_id, epoch)] = worker.claim(5)
        pause(cast.alice, sales)
        assert list(worker.lost([mailbox_id])) == [mailbox_id]
        assert Mailbox.objects.get().epoch > epoch  # what its session still saves is fenced
        assert list(worker.claim(5)) == []
        resume(cast.alice, sales)
        assert [claimed for claimed, _ in worker.claim(5)] == [mailbox_id]
    finally:
        worker.leave()


def test_no_slice_of_a_paused_mailbox_is_begun(cast: Cast, sales: Mailbox) -> None:
    folder = Folder.objects.create(workspace=sales.workspace, mailbox=sales, remote_name="INBOX", name="Inbox")
    piece = ImportSlice.objects.create(
        workspace=sales.workspace, mailbox=sales, folder=folder, position=0, remote_ids=["1"], sizes=[10]
    )
    with connect() as connection:
        assert plan.find_slice(connection, piece.pk) is not None
        pause(cast.alice, sales)
        assert plan.find_slice(connection, piece.pk) is None
        resume(cast.alice, sales)
        assert plan.find_slice(connection, piece.pk) is not None


def test_slices_that_come_after_the_import_count_from_there(sales: Mailbox) -> None:
    folder = Folder.objects.create(workspace=sales.workspace, mailbox=sales, remote_name="INBOX", name="Inbox")
    long_ago = timezone.now() - timedelta(days=20)
    counts = {"listed_count": 500, "done_count": 500, "listed_octets": 9000, "done_octets": 9000}
    Mailbox.objects.update(import_started_at=long_ago, import_finished_at=long_ago, **counts)
    piece = PlannedSlice(folder.pk, 0, remote_ids=("1", "2"), sizes=(10, 20))
    with connect() as connection:
        plan.add_slices(connection, sales.workspace_id, sales.pk, [piece])
        first = Mailbox.objects.get()
        plan.add_slices(connection, sales.workspace_id, sales.pk, [piece])
    second = Mailbox.objects.get()
    assert first.import_started_at is not None and first.import_started_at > long_ago + timedelta(days=19)
    assert (first.done_before, first.octets_before, first.import_finished_at) == (500, 9000, None)
    assert (second.import_started_at, second.done_before) == (first.import_started_at, 500)
    assert (second.listed_count, second.listed_octets) == (504, 9060)
