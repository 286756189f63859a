"""`postroom mailbox test`: each step as it is reached, and an exit code that says how it ended."""

from __future__ import annotations

import time
from threading import Thread

import pytest
from django.db import connection

from postroom.filing.people import add_contact
from postroom.mailboxes.models import Mailbox
from postroom.outbox.models import ConnectionTest, Submission
from postroom.providers.memory.server import MemoryServer
from postroom.workspaces.members import Member
from tests.integration.outbox_place import BOB, alice, sales, server
from tests.integration.test_cli import Run, document, run
from tests.integration.test_connection_test import leave, read, synchronise

__all__ = ["alice", "read", "run", "sales", "server"]  # fixtures

pytestmark = pytest.mark.django_db(transaction=True)


def work() -> None:
    """What workers do, once there is a test."""
    try:
        deadline = time.monotonic() + 20
        while (test := ConnectionTest.objects.first()) is None and time.monotonic() < deadline:
            time.sleep(0.05)
        if test is not None:
            leave(test)
            synchronise()
    finally:
        connection.close()


def test_a_test_that_passes_ends_with_0_and_says_each_step(run: Run, read: Mailbox, server: MemoryServer) -> None:
    workers = Thread(target=work)
    workers.start()
    code, out, _ = run("mailbox", "test", read.address, "--wait", "30")
    workers.join()
    assert code == 0, out
    assert [line[:4] for line in out.splitlines()] == ["ok  "] * 4
    assert "Accepted by the outgoing server  after" in out


def test_a_test_that_is_not_through_ends_with_1_and_says_why(run: Run, read: Mailbox) -> None:
    ran = run("mailbox", "test", str(read.pk), "--wait", "0", "--json")
    found = document(ran)
    assert (ran[0], found["ok"], found["state"]) == (1, False, "running")
    assert [step["state"] for step in found["steps"]] == ["running", "waiting", "waiting", "waiting"]


def test_nobody_is_written_to_without_a_yes(run: Run, alice: Member, read: Mailbox) -> None:
    add_contact(alice, "Bob Tanner", [BOB.address])
    refused = run("mailbox", "test", read.address, "--contact", BOB.address)
    assert (refused[0], "Say --yes" in refused[2], Submission.objects.count()) == (1, True, 0)
    ran = run("mailbox", "test", read.address, "--contact", BOB.address, "--yes", "--wait", "0", "--json")
    assert [step["name"] for step in document(ran)["steps"]][-2:] == ["filed", "answered"]
    assert Submission.objects.get().recipients == [BOB.address]


def test_what_is_not_there_is_named(run: Run, read: Mailbox) -> None:
    assert "no mailbox nobody@" in run("mailbox", "test", "nobody@acme.example")[2]
    assert "no mailbox" in run("mailbox", "test", read.address, "--member", "charlie@elsewhere.example")[2]
    assert "No contact" in run("mailbox", "test", read.address, "--contact", "x@y.example", "--yes")[2]
