"""Imports obey patience and pauses: what a server asked for, what the owner asked for."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from datetime import timedelta
from threading import Thread

import pytest
from django.db import connection
from django.utils import timezone

from postroom.engine.store import Conflict, Page
from postroom.mailboxes import imports
from postroom.mailboxes.health import MailboxHealth
from postroom.mailboxes.models import ImportSlice, Mailbox
from postroom.mailboxes.waking import sync_now
from postroom.providers.errors import AllowanceUsed, NeedsAdministrator, NeedsReconnect, Throttled, Unreachable
from postroom.workspaces.database import borrowed_connection, connect
from tests.cast import Cast
from tests.integration.mailroom import Mailroom, open_mailroom, write

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def slices(cast: Cast) -> list[ImportSlice]:
    """Two slices of one mailbox."""
    with open_mailroom() as room:
        mailbox = room.connect(cast.alice, "team@tidewater.example")
    folder = mailbox.folders.get(role="inbox")
    return [
        ImportSlice.objects.create(
            workspace=mailbox.workspace,
            mailbox=mailbox,
            folder=folder,
            position=position,
            remote_ids=[f"{position}.1", f"{position}.2"],
            sizes=[100, 200],
        )
        for position in range(2)
    ]


def test_a_throttled_slice_makes_the_whole_import_of_its_mailbox_wait(slices: list[ImportSlice]) -> None:
    imports.throttled(slices[0].pk, Throttled(retry_after_seconds=600), 600)
    assert not any(imports.may_run(piece.pk) for piece in slices)
    sync_now(slices[0].mailbox)
    assert all(imports.may_run(piece.pk) for piece in slices), "a person overrides patience"


def test_a_mailbox_that_is_left_alone_is_not_imported_either(slices: list[ImportSlice]) -> None:
    mailbox = slices[0].mailbox
    MailboxHealth().failed(mailbox.pk, mailbox.epoch, Throttled(), 600.0)
    assert not imports.may_run(slices[0].pk)
    MailboxHealth().synced(mailbox.pk, mailbox.epoch)
    assert imports.may_run(slices[0].pk)


def test_failures_are_counted_until_a_look_succeeds(slices: list[ImportSlice]) -> None:
    mailbox = slices[0].mailbox
    health = MailboxHealth()
    health.failed(mailbox.pk, mailbox.epoch, Unreachable(), 10.0)
    since = Mailbox.objects.get(pk=mailbox.pk).failing_since
    health.failed(mailbox.pk, mailbox.epoch, Unreachable(), 20.0)
    failing = Mailbox.objects.get(pk=mailbox.pk)
    assert (failing.failures, failing.failing_since) == (2, since)
    assert failing.not_before is not None
    assert timedelta(seconds=15) < failing.not_before - timezone.now() <= timedelta(seconds=20)
    health.failed(mailbox.pk, mailbox.epoch - 1, Unreachable(), 20.0)  # of a worker that lost the mailbox
    assert Mailbox.objects.get(pk=mailbox.pk).failures == 2
    health.synced(mailbox.pk, mailbox.epoch)
    healed = Mailbox.objects.get(pk=mailbox.pk)
    assert (healed.failures, healed.failing_since, healed.not_before, healed.error_code) == (0, None, None, "")


def test_looks_that_found_nothing_are_told_together(slices: list[ImportSlice]) -> None:
    mailbox = slices[0].mailbox
    MailboxHealth().looked([(mailbox.pk, mailbox.epoch - 1)])
    assert Mailbox.objects.get(pk=mailbox.pk).last_synced_at is None, "of a worker that lost the mailbox"
    MailboxHealth().looked([(mailbox.pk, mailbox.epoch)])
    assert Mailbox.objects.get(pk=mailbox.pk).last_synced_at is not None


def test_a_pause_ends_an_import_within_the_page(slices: list[ImportSlice]) -> None:
    piece = slices[0]
    with open_mailroom() as room:
        save(room, piece, 0, 1)
        Mailbox.objects.filter(pk=piece.mailbox_id).update(paused_at=timezone.now())
        with pytest.raises(Conflict):
            save(room, piece, 1, 2)
    piece.refresh_from_db()
    assert piece.done_count == 1
    assert not imports.may_run(piece.pk)
    Mailbox.objects.filter(pk=piece.mailbox_id).update(paused_at=None)
    assert imports.may_run(piece.pk)


def test_an_importer_that_was_paused_changes_nothing_when_another_went_on(slices: list[ImportSlice]) -> None:
    piece = slices[0]
    with open_mailroom() as late, open_mailroom() as quick:
        save(quick, piece, 0, 1)
        with pytest.raises(Conflict):
            save(late, piece, 0, 1)
        save(quick, piece, 1, 2)
    mailbox = Mailbox.objects.get(pk=piece.mailbox_id)
    assert (mailbox.done_count, mailbox.done_octets) == (2, 300)


def save(room: Mailroom, piece: ImportSlice, start: int, end: int) -> None:
    message = write(f"Letter{piece.position}{start}", "ann@x.example", "team@tidewater.example")
    page = Page(
        piece.mailbox_id,
        None,
        piece.folder_id,
        (message,),
        slice_id=piece.pk,
        slice_from=start,
        slice_done=end,
    )
    room.store.save_page(page)


def test_a_slice_whose_folder_is_gone_waits_for_the_session_that_drops_it(slices: list[ImportSlice]) -> None:
    """Both lock the mailbox first; else each could wait for the other."""
    importer = Thread(target=borrowed_connection()(imports.folder_gone), args=(slices[0].pk,))
    with closing(connect()) as session, session.transaction():
        session.execute("SELECT FROM mailboxes_mailbox WHERE id = %s FOR NO KEY UPDATE", [slices[0].mailbox_id])
        importer.start()
        importer.join(0.5)
        session.execute("DELETE FROM mailboxes_importslice WHERE id = %s", [slices[0].pk])
    importer.join(10)
    assert not importer.is_alive()
    assert Mailbox.objects.get(pk=slices[0].mailbox_id).epoch == slices[0].mailbox.epoch, "the session knows already"


@pytest.fixture
def counted(slices: list[ImportSlice]) -> list[ImportSlice]:
    """The same, at a provider that allows a mailbox so much a minute."""
    Mailbox.objects.filter(pk=slices[0].mailbox_id).update(provider="gmail")
    return slices


def queued() -> dict[str, timedelta | None]:
    """The slices that have a job, with the time until it may begin."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT args ->> 'slice_id', scheduled_at - now() FROM procrastinate_jobs"
            " WHERE task_name = %s AND status = 'todo'",
            [imports.TASK],
        )
        return dict(cursor.fetchall())


@pytest.fixture(autouse=True)
def no_jobs() -> Iterator[None]:
    yield
    with connection.cursor() as cursor:
        cursor.execute("DELETE FROM procrastinate_jobs")  # a table Django does not flush


def test_where_the_allowance_is_the_limit_one_slice_follows_the_other(counted: list[ImportSlice]) -> None:
    first, second = counted
    assert MailboxHealth().planned(first.mailbox_id, [first.pk, second.pk]) == 4
    assert queued().keys() == {str(first.pk)}
    imports.queue_orphans()
    assert queued().keys() == {str(first.pk)}
    ImportSlice.objects.filter(pk=first.pk).update(is_done=True)
    imports.go_on(first.pk)
    assert str(second.pk) in queued()


def test_a_slice_whose_importer_died_is_found_and_not_those_behind_it(counted: list[ImportSlice]) -> None:
    imports.queue_orphans()
    assert queued().keys() == {str(counted[0].pk)}


def test_elsewhere_all_slices_are_worked_off_beside_one_another(slices: list[ImportSlice]) -> None:
    MailboxHealth().planned(slices[0].mailbox_id, [piece.pk for piece in slices])
    assert queued().keys() == {str(piece.pk) for piece in slices}
    imports.go_on(slices[0].pk)
    assert len(queued()) == 2


def test_a_slice_that_is_put_off_comes_back_to_the_second(counted: list[ImportSlice]) -> None:
    imports.throttled(counted[0].pk, AllowanceUsed(retry_after_seconds=13.3), 13.3)
    assert not imports.may_run(counted[0].pk)
    ((slice_id, wait),) = queued().items()
    assert slice_id == str(counted[0].pk)
    assert wait is not None and timedelta(seconds=12) < wait <= timedelta(seconds=13.3)
    imports.queue_orphans()
    assert len(queued()) == 1


def test_one_broken_slice_does_not_hold_up_those_behind_it(counted: list[ImportSlice]) -> None:
    imports.broke(counted[0].pk)
    imports.queue_orphans()
    assert queued().keys() == {str(counted[1].pk)}


def test_who_can_do_nothing_is_not_written_to(slices: list[ImportSlice]) -> None:
    """An expired client secret ends five hundred mailboxes; their owners cannot mend it, nor do they reconnect."""
    mailbox = slices[0].mailbox
    MailboxHealth().failed(mailbox.pk, mailbox.epoch, NeedsAdministrator("app_secret_refused"), 3600.0)
    failing = Mailbox.objects.get(pk=mailbox.pk)
    assert (failing.error_code, failing.needs_reconnect, failing.failing_since) == ("app_secret_refused", False, None)
    MailboxHealth().failed(mailbox.pk, mailbox.epoch, NeedsReconnect("grant_revoked"), 3600.0)
    failing = Mailbox.objects.get(pk=mailbox.pk)
    assert failing.needs_reconnect and failing.failing_since is not None
