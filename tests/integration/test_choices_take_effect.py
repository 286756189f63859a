"""What people choose on a mailbox's page is what the next look does: folders, pause, answers to questions."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from threading import Thread

import pytest
from django.db import connection

from postroom.correspondence.models import Message, Placement
from postroom.correspondence.store import PostgresStore
from postroom.filing.filer import RecordFiler
from postroom.mailboxes.folder_choice import choose_folders, is_gone, reason
from postroom.mailboxes.models import Folder, JournalEntry, Mailbox
from postroom.mailboxes.pause import pause, resume
from postroom.mailboxes.questions import answer
from postroom.ops import sync_once
from postroom.providers.memory.server import SERVERS, MemoryServer
from postroom.sync.folders import left_out
from postroom.sync.remote import RemoteFolder
from postroom.workspaces.database import borrowed_connection, connect, in_thread
from tests.cast import Cast, make_cast, make_mailbox

ADDRESS = "sales@tidewater.example"
MANY = 60  # more than 50, and more than a fifth: sync/brake.py asks


@pytest.fixture
def server() -> Iterator[MemoryServer]:
    SERVERS["main"] = MemoryServer()
    yield SERVERS["main"]
    del SERVERS["main"]


@pytest.fixture
def cast(transactional_db: None) -> Iterator[Cast]:
    yield make_cast()
    with connection.cursor() as cursor:
        cursor.execute("DELETE FROM procrastinate_jobs")  # a table Django does not flush


@pytest.fixture
def sales(cast: Cast) -> Mailbox:
    return make_mailbox(cast.alice, ADDRESS)


def deliver(server: MemoryServer, name: str, folder: str = "INBOX") -> str:
    raw = f"From: a@b.example\r\nTo: {ADDRESS}\r\nMessage-ID: <{name}@b>\r\nSubject: {name}\r\n\r\nHello {name}\r\n"
    return server.deliver(ADDRESS, raw.encode(), folder=folder)


async def look() -> list[str]:
    said: list[str] = []
    await sync_once.run(None, said.append)
    return [line.removeprefix(f"{ADDRESS}: ") for line in said]


def subjects() -> set[str]:
    return set(Message.objects.values_list("subject", flat=True))


def folder(name: str) -> Folder:
    return Folder.objects.select_related("mailbox").get(remote_name=name)


async def test_a_chosen_folder_is_imported_and_one_left_out_is_read_no_more(
    cast: Cast, sales: Mailbox, server: MemoryServer
) -> None:
    deliver(server, "wanted")
    deliver(server, "spam", "Junk")
    await look()
    junk, inbox = await in_thread(folder, "Junk"), await in_thread(folder, "INBOX")
    assert (junk.is_synced, inbox.is_synced) == (False, True)
    assert await in_thread(subjects) == {"wanted"}
    assert await in_thread(choose_folders, cast.alice, sales, {junk.pk: True, inbox.pk: False}) == 2
    deliver(server, "later")
    await look()
    assert await in_thread(subjects) == {"wanted", "spam"}
    junk, inbox = await in_thread(folder, "Junk"), await in_thread(folder, "INBOX")
    assert (junk.is_synced, inbox.is_synced) == (True, False)
    await in_thread(choose_folders, cast.alice, sales, {inbox.pk: True})
    await look()
    assert await in_thread(subjects) == {"wanted", "spam", "later"}  # what came meanwhile is not lost


async def test_a_paused_mailbox_is_not_looked_at(cast: Cast, sales: Mailbox, server: MemoryServer) -> None:
    deliver(server, "one")
    await in_thread(pause, cast.alice, sales)
    [summary] = await sync_once.run(None, print)
    assert summary["paused"]
    assert await in_thread(subjects) == set()
    await in_thread(resume, cast.alice, sales)
    await look()
    assert await in_thread(subjects) == {"one"}


@pytest.fixture
async def missing(cast: Cast, sales: Mailbox, server: MemoryServer) -> list[str]:
    """Remote ids of most messages of the inbox, which are gone from the server; the question is put."""
    remote_ids = [deliver(server, f"m{number}") for number in range(MANY + 3)]
    await look()
    for remote_id in remote_ids[:MANY]:
        server.remove(ADDRESS, "INBOX", remote_id)
    said = await look()
    assert f"{MANY} of {MANY + 3} messages are gone from Inbox. Postroom waits for an answer." in said
    return remote_ids[:MANY]


def placed() -> int:
    return Placement.objects.filter(removed_at=None).count()


async def test_until_somebody_answers_nothing_goes_and_new_mail_comes(
    cast: Cast, server: MemoryServer, missing: list[str]
) -> None:
    deliver(server, "new")
    await look()
    assert await in_thread(placed) == MANY + 4
    assert await in_thread(answer, cast.alice, await in_thread(folder, "INBOX"), "wait")
    await look()
    assert await in_thread(placed) == MANY + 4
    assert (await in_thread(folder, "INBOX")).held_code == "mass_deletion"


async def test_the_answer_yes_removes_them_and_settles_the_question(
    cast: Cast, server: MemoryServer, missing: list[str]
) -> None:
    await in_thread(answer, cast.alice, await in_thread(folder, "INBOX"), "remove")
    assert "The question about Inbox is settled." in await look()
    assert await in_thread(placed) == 3
    inbox = await in_thread(folder, "INBOX")
    assert (inbox.held_code, inbox.may_remove) == ("", False)
    assert await in_thread(Message.objects.count) == MANY + 3  # removed from the folder, not from the records
    kinds = await in_thread(lambda: list(JournalEntry.objects.order_by("at").values_list("kind", flat=True)))
    assert kinds[-4:] == ["held", "answered", "caught_up", "released"]


def test_a_choice_waits_for_a_session_that_saves_its_folders(cast: Cast, sales: Mailbox) -> None:
    """Both lock the mailbox before its folders; else each could wait for the other."""
    inbox = Folder.objects.create(mailbox=sales, workspace=sales.workspace, remote_name="INBOX", name="INBOX")
    choosing = Thread(target=borrowed_connection()(choose_folders), args=(cast.alice, sales, {inbox.pk: False}))
    with closing(connect()) as session, session.transaction():
        session.execute("SELECT FROM mailboxes_mailbox WHERE id = %s FOR NO KEY UPDATE", [sales.pk])
        choosing.start()
        choosing.join(0.5)
        session.execute("UPDATE mailboxes_folder SET role = 'inbox' WHERE id = %s", [inbox.pk])
    choosing.join(10)
    inbox.refresh_from_db()
    assert (inbox.role, inbox.is_chosen) == ("inbox", False)


def test_a_label_that_only_sorts_the_inbox_is_left_out_and_says_why(sales: Mailbox) -> None:
    store = PostgresStore(RecordFiler())
    listed = [
        RemoteFolder("INBOX", "Inbox", "inbox", is_label=True),
        RemoteFolder("CATEGORY_PROMOTIONS", "Promotions", is_label=True, sorts_inbox=True),
    ]
    try:
        store.save_folders(sales.pk, sales.epoch, listed, left_out(listed))
    finally:
        store.close()
    label = Folder.objects.get(mailbox=sales, remote_name="CATEGORY_PROMOTIONS")
    assert not label.is_synced and not is_gone(label)
    assert reason(label) == "It shows mail of the inbox once more."
