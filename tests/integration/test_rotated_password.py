"""A password that changes while a session is open: the worker goes on with the new one, nothing lost, nothing twice."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import pytest
from django.db import connection

from postroom.correspondence.models import Message, Placement
from postroom.engine.joints import joints
from postroom.engine.stores import StoreThreads
from postroom.engine.supervisor import Supervisor
from postroom.engine.world import World
from postroom.mailboxes.connect import ConnectRequest, reconnect, store_mailbox
from postroom.mailboxes.health import MailboxHealth
from postroom.mailboxes.models import Mailbox
from postroom.mailboxes.ownership import PostgresOwnership
from postroom.providers import registry
from postroom.providers.guard import NetworkPolicy
from postroom.workspaces.database import in_thread
from tests.cast import make_cast
from tests.contract.imap_place import settings as server
from tests.servers.certs import Certificates
from tests.servers.dovecot import Dovecot

ADDRESS = "rotated@tidewater.example"
LONGEST_SECONDS = 60.0


@pytest.fixture
def dovecot(servers_folder: Path, certificates: Certificates) -> Iterator[Dovecot]:
    """One whose passwords change."""
    server = Dovecot(servers_folder / "rotating", certificates, own_passwords=True).start()
    server.set_password(ADDRESS, "old")
    registry.configure(NetworkPolicy.from_environment({"POSTROOM_ALLOWED_NETWORKS": "127.0.0.0/8"}))
    yield server
    registry.configure(NetworkPolicy.from_environment({}))
    server.stop()


@pytest.fixture(autouse=True)
def no_jobs(transactional_db: None) -> Iterator[None]:
    yield
    with connection.cursor() as cursor:
        cursor.execute("DELETE FROM procrastinate_jobs")  # a table Django does not flush


def opened_with(dovecot: Dovecot, password: str) -> ConnectRequest:
    own = server(dovecot.imap, ADDRESS, password=password)
    return ConnectRequest("imap", ADDRESS, "shared", secrets={"imap": own, "smtp": own})


def letter(name: str) -> bytes:
    return f"From: a@customer.example\r\nMessage-ID: <{name}@x>\r\nSubject: {name}\r\n\r\nHello\r\n".encode()


def arrived() -> list[str]:
    """The subjects of what is placed in the mailbox, each as often as it is there."""
    placed = list(Placement.objects.filter(removed_at=None).values_list("message_id", flat=True))
    subjects = dict(Message.objects.values_list("pk", "subject"))
    return sorted(subjects[message_id] for message_id in placed)


async def until(is_so: Callable[[], bool]) -> float:
    """How long it took, in seconds."""
    started = time.monotonic()
    while not await in_thread(is_so):
        assert time.monotonic() - started < LONGEST_SECONDS, await in_thread(arrived)
        await asyncio.sleep(0.05)
    return time.monotonic() - started


async def test_a_password_that_changes_while_a_session_is_open_stops_nothing(dovecot: Dovecot) -> None:
    cast = await in_thread(make_cast)
    mailbox = await in_thread(store_mailbox, cast.alice, opened_with(dovecot, "old"))
    stores = StoreThreads(joints().store)
    running = asyncio.create_task(Supervisor(World(stores, MailboxHealth()), PostgresOwnership()).run())
    try:
        await until(lambda: Mailbox.objects.exclude(import_planned_at=None).exists())
        dovecot.deliver(ADDRESS, letter("before"))
        await until(lambda: arrived() == ["before"])

        dovecot.set_password(ADDRESS, "new")  # the open session knows nothing of it
        dovecot.deliver(ADDRESS, letter("meanwhile"))
        await in_thread(reconnect, cast.alice, mailbox, opened_with(dovecot, "new"))
        dovecot.deliver(ADDRESS, letter("while it changes hands"))
        took = await until(lambda: len(arrived()) >= 3)
        dovecot.sign_out(ADDRESS)  # whoever is signed in has to say the password once more
        dovecot.deliver(ADDRESS, letter("with the new one"))
        took += await until(lambda: len(arrived()) >= 4)
        await until(lambda: Mailbox.objects.filter(error_code="").exists())  # that it was thrown out is forgotten
    finally:
        running.cancel()
        with suppress(asyncio.CancelledError):
            await running
        stores.close()
    assert await in_thread(arrived) == ["before", "meanwhile", "while it changes hands", "with the new one"]
    assert await in_thread(Message.objects.count) == 4 and took < LONGEST_SECONDS
    after = await in_thread(Mailbox.objects.get)
    assert after.pk == mailbox.pk and not after.needs_reconnect
