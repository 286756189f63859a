"""`postroom sync --once -v` says what was done, in the journal's words."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from django.db import connection
from django.utils import timezone

from postroom.mailboxes.connect import ConnectRequest, store_mailbox
from postroom.mailboxes.models import FolderMonth, JournalEntry, Mailbox
from postroom.ops import sync_once
from postroom.ops.commands.sync import _sentence
from postroom.ops.sync_once import _elsewhere
from postroom.providers import registry
from postroom.providers.guard import NetworkPolicy
from postroom.workspaces.database import in_thread
from tests.cast import Cast, make_cast
from tests.contract.imap_place import settings as server
from tests.servers.dovecot import Dovecot

OWN = "spoken@own.example"


@pytest.fixture
def cast(transactional_db: None) -> Iterator[Cast]:
    yield make_cast()
    with connection.cursor() as cursor:
        cursor.execute("DELETE FROM procrastinate_jobs")  # a table Django does not flush


@pytest.fixture
def loopback() -> Iterator[None]:
    registry.configure(NetworkPolicy.from_environment({"POSTROOM_ALLOWED_NETWORKS": "127.0.0.0/8"}))
    yield
    registry.configure(NetworkPolicy.from_environment({}))


def letter(name: str) -> bytes:
    return (
        f"From: a@customer.example\r\nTo: {OWN}\r\nMessage-ID: <{name}@x>\r\nSubject: {name}\r\n\r\nHello\r\n".encode()
    )


async def test_it_says_what_was_done(cast: Cast, dovecot: Dovecot, loopback: None) -> None:
    def connect(address: str, password: str) -> Mailbox:
        own = server(dovecot.imap, address, password=password)
        return store_mailbox(cast.alice, ConnectRequest("imap", address, "shared", secrets={"imap": own, "smtp": own}))

    said: list[str] = []
    for name in ("one", "two"):
        dovecot.deliver(OWN, letter(name))
    mailbox = await in_thread(connect, OWN, "pass")
    await in_thread(connect, "refused@own.example", "wrong")
    await sync_once.run(None, said.append)
    assert [line for line in said if line.startswith(OWN)] == [
        f"{OWN}: signing in",
        f"{OWN}: Began to import 2 messages, newest first.",
        f"{OWN}: importing part 1 of 1 (2 messages)",
        f"{OWN}: Imported all 2 messages.",
    ]
    assert any(line.startswith("refused@own.example: The user name or password was refused.") for line in said), said
    counted = FolderMonth.objects.filter(folder__mailbox=mailbox, folder__role="inbox")
    assert await in_thread(lambda: [(one.at_server, one.here) for one in counted if one.at_server]) == [(2, 2)]
    said.clear()
    dovecot.deliver(OWN, letter("three"))
    await sync_once.run(OWN, said.append)
    assert said == [f"{OWN}: signing in", f"{OWN}: 1 new message in Inbox, not on a record."]
    kinds = JournalEntry.objects.filter(mailbox=mailbox).order_by("at").values_list("kind", flat=True)
    assert await in_thread(lambda: list(kinds)) == ["planned", "imported", "caught_up"]


def test_of_a_mailbox_it_was_not_given_it_tells_how_that_one_is() -> None:
    there = {"address": OWN, "new": 0, "filed": 0, "skipped": True}
    paused = there | _elsewhere(Mailbox(paused_at=timezone.now(), error_code="unreachable"))
    assert _sentence(paused) == f"{OWN}: paused."
    refused = there | _elsewhere(Mailbox(error_code="sign_in_refused"))
    assert "refused the user name or the password" in _sentence(refused)
    waiting = there | _elsewhere(Mailbox(awaits_start=True))
    assert _sentence(waiting) == f"{OWN}: its import waits for a yes in Settings > Mailboxes."
    for row in (Mailbox(reads=False), Mailbox(receiving_state="off")):
        assert _sentence(there | _elsewhere(row)).startswith(f"{OWN}: not read; it only sends")
    assert _sentence(there | _elsewhere(Mailbox())) == f"{OWN}: a running worker keeps it up to date."
