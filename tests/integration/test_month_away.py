"""An outage that lasts longer than the window: what came, went and changed meanwhile is caught up from the cursor.

The clock is not turned: the window is made a day long, and mail arrives that is older, as if the day were long ago.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from django.db import connection

from postroom.correspondence.models import Message, Placement
from postroom.mailboxes.connect import ConnectRequest, store_mailbox
from postroom.mailboxes.models import Keep, Mailbox
from postroom.ops import sync_once
from postroom.providers.guard import NetworkPolicy
from postroom.providers.memory.server import SERVERS, MemoryServer
from postroom.sync.sweeping import sweep
from postroom.workspaces.members import Member
from tests.fakes.google import FakeGoogle
from tests.integration.folder_place import FolderPlace, letter, letters
from tests.integration.google_place import GooglePlace, google_registered
from tests.servers.certs import Certificates
from tests.servers.dovecot import Dovecot

pytestmark = pytest.mark.django_db(transaction=True)

BEFORE, DURING = 28, 20  # days ago: the last mail before the outage, and mail in the midst of it
FORGETS = [pytest.param(False, id="knows the cursor"), pytest.param(True, id="has forgotten the cursor")]


@pytest.fixture(autouse=True)
def no_jobs_left(transactional_db: None) -> Iterator[None]:
    yield
    with connection.cursor() as cursor:
        cursor.execute("DELETE FROM procrastinate_jobs")  # a table Django does not flush


@pytest.fixture(scope="module")
def google() -> Iterator[FakeGoogle]:
    with google_registered() as google:
        yield google


@pytest.fixture(scope="module")
def server(servers_folder: Path, certificates: Certificates) -> Iterator[Dovecot]:
    dovecot = Dovecot(servers_folder / "away", certificates).start()
    yield dovecot
    dovecot.stop()


def end_window(mailbox: Mailbox) -> None:
    """The outage began: what it missed lies before the window of today."""
    Mailbox.objects.filter(pk=mailbox.pk).update(backfill_days=1)


def days_ago(days: int) -> datetime:
    return datetime.now(UTC) - timedelta(days=days)


@pytest.mark.parametrize("has_forgotten", FORGETS)
def test_google_is_caught_up_though_its_history_is_gone(google: FakeGoogle, alice: Member, has_forgotten: bool) -> None:
    """Google keeps history for a week or so, then answers 404 (reliability-security.md 2.4)."""
    place = GooglePlace(google, alice, keep=Keep.EVERYTHING)
    kept, gone, read = (place.deliver(name, "anna@own.example", days=BEFORE) for name in ("kept", "gone", "read"))
    asyncio.run(place.sync())
    end_window(place.mailbox)
    place.remote.delete(gone)
    place.remote.set_labels(read, ("INBOX",))
    for number in range(3):
        place.deliver(f"missed-{number}", "anna@own.example", days=DURING - number)
    if has_forgotten:
        google.faults.expire_history(place.address)
    asyncio.run(place.sync())
    assert place.places() == {("INBOX", name) for name in ("kept", "read", "missed-0", "missed-1", "missed-2")}
    flags = dict(Placement.objects.filter(removed_at=None).values_list("remote_id", "flags"))
    assert flags[read] == ["\\Seen"] and flags[kept] == []


@pytest.mark.parametrize("has_forgotten", FORGETS)
def test_the_double_is_caught_up(alice: Member, has_forgotten: bool) -> None:
    server = SERVERS["away"] = MemoryServer()
    address = "sales@own.example"
    mailbox = store_mailbox(
        alice, ConnectRequest("memory", address, "shared", keep=Keep.EVERYTHING, secrets={"server": "away"})
    )
    ids = [server.deliver(address, raw, received_at=days_ago(BEFORE)) for raw in letters(3)]
    asyncio.run(sync_once.run(address, lambda line: None))
    end_window(mailbox)
    server.remove(address, "INBOX", ids[0])
    for number in range(3):
        server.deliver(address, letter(f"missed {number}"), received_at=days_ago(DURING - number))
    server.faults.expire_cursors = has_forgotten
    asyncio.run(sync_once.run(address, lambda line: None))
    there = Placement.objects.filter(mailbox_id=mailbox.pk, removed_at=None)
    assert Message.objects.filter(pk__in=there.values("message_id")).count() == 5
    assert not there.filter(remote_id=ids[0]).exists()


@pytest.mark.parametrize("has_forgotten", FORGETS)
def test_a_real_server_is_caught_up(server: Dovecot, policy: NetworkPolicy, alice: Member, has_forgotten: bool) -> None:
    with closing(FolderPlace(server, policy, alice, keep=Keep.EVERYTHING)) as place:
        place.put(*letters(30), days_ago=BEFORE)
        place.sync()
        place.expunge(4)
        place.put(*letters(25, 100), days_ago=DURING)
        with place.client("INBOX") as client:
            client.store("1:5", "+FLAGS.SILENT", "(\\Seen)")
        if has_forgotten:  # a comparison of the whole folder, as after a cursor that means nothing any more
            since = datetime.now(UTC).date() - timedelta(days=1)
            place.run(sweep(place.folder(), place.mailbox.pk, place.epoch, since))
        else:
            place.sync(days=1)
        assert place.placed() == place.truth() and len(place.placed()) == 51
