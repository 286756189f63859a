"""Where the tests of the outbox take place: a memory server, a shared mailbox, and Alice, who sends from it."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

import pytest
from django.db import connection
from procrastinate.contrib.django.models import ProcrastinateJob

from postroom.mail.message import Address
from postroom.mailboxes.credentials import store_credentials
from postroom.mailboxes.models import Identity, Keep, Kind, Mailbox
from postroom.outbox.composition import Composition
from postroom.outbox.models import Submission
from postroom.providers.memory.server import SERVERS, MemoryServer
from postroom.workspaces.members import Member
from tests.cast import Cast

BOB = Address("bob@customer.example", "Bob")
SERVER = "outbox"


def connect(member: Member, address: str, kind: str = Kind.SHARED) -> Mailbox:
    mailbox = Mailbox.objects.create(
        workspace=member.workspace, address=address, kind=kind, provider="memory", owner=member.user,
        keep=Keep.EVERYTHING,
    )  # fmt: skip
    Identity.objects.create(workspace=member.workspace, mailbox=mailbox, address=address, name="Acme", is_default=True)
    store_credentials(mailbox, {"server": SERVER}, sign_in_user=address)
    return mailbox


@pytest.fixture
def server() -> Iterator[MemoryServer]:
    server = SERVERS[SERVER] = MemoryServer()
    server.shelf.folders(BOB.address)
    yield server
    del SERVERS[SERVER]


@pytest.fixture
def alice(cast: Cast, server: MemoryServer) -> Iterator[Member]:
    yield cast.alice
    with connection.cursor() as cursor:
        cursor.execute("DELETE FROM procrastinate_jobs")  # a table Django does not flush


@pytest.fixture
def sales(alice: Member) -> Mailbox:
    return connect(alice, "sales@acme.example")


def composed(**more: object) -> Composition:
    return Composition(**({"to": [BOB], "subject": "Offer", "text": "Hello Bob"} | more))  # type: ignore[arg-type]


def folder(server: MemoryServer, address: str, name: str) -> list[bytes]:
    kept = server.shelf.read(address, name)
    return [message.raw for message in kept.messages.values()] if kept else []


def jobs(task: str) -> list[str]:
    todo = ProcrastinateJob.objects.filter(task_name=task, status="todo")
    return [job.args["submission_id"] for job in todo]


def reload(submission: Submission) -> Submission:
    return Submission.objects.get(pk=submission.pk)


def run(coroutine: object) -> object:
    return asyncio.run(coroutine)  # type: ignore[arg-type]
