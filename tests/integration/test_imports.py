"""Slices of imports that fail, and workers that die over their jobs."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from datetime import timedelta
from uuid import UUID

import pytest
from asgiref.sync import async_to_sync
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from procrastinate.contrib.django.models import ProcrastinateJob

from postroom.correspondence.store import PostgresStore
from postroom.engine.importer import Importer
from postroom.filing.filer import RecordFiler
from postroom.mailboxes import imports
from postroom.mailboxes.connect import ConnectRequest, disconnect, reconnect
from postroom.mailboxes.health import MailboxHealth
from postroom.mailboxes.models import DirectionState, ImportSlice, Mailbox
from postroom.ops import jobs
from postroom.providers.base import RemoteFolder
from postroom.providers.errors import SignInRefused
from postroom.providers.memory.server import SERVERS, MemoryServer
from postroom.sync.state import PlannedSlice
from tests.cast import Cast, make_cast, make_mailbox

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def cast() -> Iterator[Cast]:
    yield make_cast()
    with connection.cursor() as cursor:
        cursor.execute("DELETE FROM procrastinate_jobs")  # a table Django does not flush


@pytest.fixture
def server() -> Iterator[MemoryServer]:
    server = SERVERS["main"] = MemoryServer()
    yield server
    del SERVERS["main"]


@pytest.fixture
def mailbox(cast: Cast) -> Mailbox:
    return make_mailbox(cast.alice, "sales@tidewater.example")


@pytest.fixture
def store() -> Iterator[PostgresStore]:
    store = PostgresStore(RecordFiler())
    yield store
    store.close()


@pytest.fixture(autouse=True)
def importer(store: PostgresStore, monkeypatch: pytest.MonkeyPatch) -> Importer:
    """The one of the process that the jobs run in."""
    importer = Importer(store, MailboxHealth())
    monkeypatch.setattr(jobs._Own, "importer", importer)
    return importer


@pytest.fixture
def piece(mailbox: Mailbox, store: PostgresStore) -> ImportSlice:
    (folder,) = store.save_folders(mailbox.pk, 0, [RemoteFolder("INBOX", "Inbox", "inbox")])
    (slice_id,) = store.save_plan(mailbox.pk, 0, {folder.id: "c"}, [PlannedSlice(folder.id, 0, ("1.1",), (1,))])
    return ImportSlice.objects.get(pk=slice_id)


def queued() -> list[UUID]:
    return [
        UUID(job.args["slice_id"]) for job in ProcrastinateJob.objects.filter(task_name=imports.TASK, status="todo")
    ]


def reload(mailbox: Mailbox) -> Mailbox:
    return Mailbox.objects.get(pk=mailbox.pk)


def test_a_slice_without_a_job_is_queued_once(piece: ImportSlice) -> None:
    imports.queue_orphans()
    imports.queue_orphans()
    assert queued() == [piece.pk]


def test_a_slice_that_broke_waits_and_then_is_tried_again(piece: ImportSlice, mailbox: Mailbox) -> None:
    imports.broke(piece.pk)
    imports.queue_orphans()
    assert queued() == []
    assert reload(mailbox).error_code == ""
    ImportSlice.objects.update(not_before=timezone.now() - timedelta(seconds=1))
    imports.queue_orphans()
    assert queued() == [piece.pk]


def test_a_slice_that_breaks_three_times_is_the_mailboxs_error_until_it_is_done(
    piece: ImportSlice, mailbox: Mailbox
) -> None:
    for _ in range(3):
        imports.broke(piece.pk)
    MailboxHealth().synced(mailbox.pk, 0)
    assert reload(mailbox).error_code == "import_broken"
    ImportSlice.objects.update(is_done=True)
    MailboxHealth().synced(mailbox.pk, 0)
    assert reload(mailbox).error_code == ""


@pytest.mark.parametrize(("epoch", "is_told"), [(0, True), (7, False)])
def test_open_pages_are_told_of_every_look_of_the_mailboxs_owner(mailbox: Mailbox, epoch: int, is_told: bool) -> None:
    with CaptureQueriesContext(connection) as queries:
        MailboxHealth().synced(mailbox.pk, epoch)
    told = [one["sql"] for one in queries if "pg_notify" in one["sql"]]
    assert len(told) == is_told and all(f"mailbox:{mailbox.pk}" in sql for sql in told)


def test_a_refused_sign_in_of_an_import_waits_for_the_owner(
    cast: Cast, piece: ImportSlice, mailbox: Mailbox, server: MemoryServer
) -> None:
    server.faults.refuse_sign_in = True
    asyncio.run(jobs.import_slice(str(piece.pk)))
    refused = reload(mailbox)
    assert refused.state == "needs_reconnect"
    assert refused.error_code == "sign_in_refused"
    assert refused.epoch == 1 and refused.worker_id is None, "its session signs in anew, and so learns it as well"
    imports.queue_orphans()
    assert queued() == []
    reconnect(cast.alice, refused, ConnectRequest("memory", refused.address, "shared"))
    imports.queue_orphans()
    assert queued() == [piece.pk]


def test_a_sign_in_that_works_again_resumes_the_import(piece: ImportSlice, mailbox: Mailbox) -> None:
    imports.refused(piece.pk, SignInRefused(host="memory"))
    MailboxHealth().synced(mailbox.pk, 1)
    imports.queue_orphans()
    assert reload(mailbox).state == "importing"
    assert queued() == [piece.pk]


def test_what_is_wrong_with_sending_stays_when_folders_can_be_read(mailbox: Mailbox) -> None:
    Mailbox.objects.update(sending_state=DirectionState.FAILING, needs_reconnect=True, error_code="sign_in_refused")
    MailboxHealth().synced(mailbox.pk, 0)
    assert reload(mailbox).needs_reconnect
    Mailbox.objects.update(receiving_state=DirectionState.FAILING, sending_state=DirectionState.OK)
    MailboxHealth().synced(mailbox.pk, 0)
    assert not reload(mailbox).needs_reconnect


def test_an_import_ends_when_its_folder_is_gone(piece: ImportSlice, mailbox: Mailbox, store: PostgresStore) -> None:
    imports.folder_gone(piece.pk)
    assert reload(mailbox).epoch == 1, "its session begins anew and lists the folders"
    store.save_folders(mailbox.pk, 1, [])
    assert not ImportSlice.objects.exists()
    assert reload(mailbox).import_finished_at is not None


def test_a_slice_of_a_mailbox_that_is_gone_is_nothing_to_do(cast: Cast, piece: ImportSlice, mailbox: Mailbox) -> None:
    disconnect(cast.alice, mailbox, keep_history=False)
    asyncio.run(jobs.import_slice(str(piece.pk)))


def test_an_importer_without_work_closes_its_connection(
    piece: ImportSlice, importer: Importer, server: MemoryServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("postroom.engine.importer.IDLE_SECONDS", 0.01)

    async def import_and_wait() -> None:
        await importer.run(piece.pk)
        assert importer.is_connected
        await asyncio.sleep(0.2)
        assert not importer.is_connected

    asyncio.run(import_and_wait())


def test_a_rescue_whose_worker_died_keeps_no_later_one_waiting(cast: Cast) -> None:
    dead = ProcrastinateJob.objects.filter(task_name="rescue")
    with connection.cursor() as cursor:
        for status in ("doing", "todo"):
            cursor.execute(
                "INSERT INTO procrastinate_jobs (queue_name, task_name, queueing_lock, args, status)"
                " VALUES ('light', 'rescue', 'rescue', '{}', %s)",
                [status],
            )
    async_to_sync(jobs.rescue_work)(0)
    assert [job.status for job in dead.all()] == ["todo"]
