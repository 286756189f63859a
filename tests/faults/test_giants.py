"""Mail of 149 MB: memory stays bounded, a kill repeats that message alone, a full disk loses nothing (fault 29)."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from django.conf import settings
from django.db import connection

from postroom.correspondence.models import Attachment, Message, Placement
from postroom.correspondence.reading import attachments_of, load_body, open_attachment
from postroom.correspondence.store import PostgresStore
from postroom.filing.filer import RecordFiler
from postroom.mailboxes.models import ImportSlice
from postroom.providers.base import RemoteFolder
from postroom.sync.state import PlannedSlice
from tests.cast import make_cast, make_mailbox
from tests.faults.giant_worker import BLOCK, LARGEST, SMALLEST, TOO_LARGE_OCTETS, octets_of

pytestmark = pytest.mark.django_db(transaction=True)

MOST_MEGABYTES, MOST_ABOVE_BASE = 512, 300
MID_FETCH = 15  # of 32 pieces


@pytest.fixture
def blocks() -> int:
    return SMALLEST


@pytest.fixture
def piece(blocks: int) -> Iterator[UUID]:
    """A slice: a small message, the giant, a small one, and one that is too large for anybody."""
    mailbox = make_mailbox(make_cast().alice, "team@tidewater.example")
    store = PostgresStore(RecordFiler())
    [folder] = store.save_folders(mailbox.pk, mailbox.epoch, [RemoteFolder("INBOX", "Inbox", "inbox")])
    planned = PlannedSlice(folder.id, 0, ("1", "2", "3", "4"), (60, octets_of(blocks), 60, TOO_LARGE_OCTETS))
    [slice_id] = store.save_plan(mailbox.pk, mailbox.epoch, {}, [planned])
    store.close()
    yield slice_id
    with connection.cursor() as cursor:
        cursor.execute("DELETE FROM procrastinate_jobs")


def run(database_url: str, slice_id: UUID, *arguments: int, fail: str = "") -> subprocess.CompletedProcess[str]:
    root = Path(__file__).parents[2]
    environment = os.environ | {
        "DATABASE_URL": database_url,
        "PYTHONPATH": f"{root / 'src'}{os.pathsep}{root}",
        "POSTROOM_FAIL": fail,
    }
    command = [sys.executable, "-m", "tests.faults.giant_worker", str(slice_id), *map(str, arguments)]
    return subprocess.run(command, env=environment, cwd=root, stdout=subprocess.PIPE, text=True, check=False)


def told(done: subprocess.CompletedProcess[str]) -> dict[str, Any]:
    assert done.returncode == 0
    answer: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return answer


def assert_all_there(blocks: int) -> None:
    assert Placement.objects.filter(removed_at=None).count() == Message.objects.count() == 4
    assert not ImportSlice.objects.filter(is_done=False).exists()
    film = Message.objects.get(subject="The film", problem="")
    assert (film.size, film.is_readable, film.snippet) == (octets_of(blocks), True, "Here is the film.")
    first, noise = attachments_of(film)
    assert (first.filename, first.size, noise.filename) == ("film.mp4", len(BLOCK) * blocks, "noise.bin")
    digest = sha256()
    for _ in range(blocks):
        digest.update(BLOCK)
    assert bytes(first.sha256) == digest.digest()
    with open_attachment(first) as content:
        assert sha256(content.read()).digest() == digest.digest()
    assert Attachment.objects.count() == 2


@pytest.mark.parametrize("blocks", [LARGEST])
def test_a_giant_costs_bounded_memory_and_the_largest_is_a_stub(database_url: str, piece: UUID, blocks: int) -> None:
    figures = told(run(database_url, piece, blocks))
    assert figures["error"] == ""
    assert figures["fetched"] == ["1", "2", "3"], "what is too large is not fetched"
    assert figures["peak"] < MOST_MEGABYTES
    assert figures["peak"] - figures["base"] < MOST_ABOVE_BASE
    assert figures["after"] - figures["base"] < 60, "nothing of it stays in memory"
    assert_all_there(blocks)
    stub = Message.objects.get(problem="too_large")
    assert (stub.subject, stub.is_readable, stub.snippet) == ("The film", False, "")
    assert (stub.size, stub.from_address) == (TOO_LARGE_OCTETS, "karla@studio.example")
    assert load_body(stub).text == "" and b"Subject: The film" in load_body(stub).headers


def test_a_kill_repeats_the_giant_alone(database_url: str, piece: UUID, blocks: int) -> None:
    killed = run(database_url, piece, blocks, MID_FETCH)
    assert killed.returncode == -signal.SIGKILL
    assert Message.objects.count() == 1
    assert list(Path(settings.SPOOL).iterdir()) == [], "the file went with the process"
    killed = run(database_url, piece, blocks, fail="attachments_written:kill")
    assert killed.returncode == -signal.SIGKILL
    assert Message.objects.count() == 1
    assert told(run(database_url, piece, blocks))["fetched"] == ["2", "3"]
    assert_all_there(blocks)


def test_a_full_disk_saves_nothing_and_says_so(database_url: str, piece: UUID, blocks: int) -> None:
    figures = told(run(database_url, piece, blocks, fail="attachments_written:disk_full:2"))
    assert figures["error"] == "storage_full"
    assert Message.objects.count() == 1
    assert ImportSlice.objects.get().done_count == 1
    assert told(run(database_url, piece, blocks))["fetched"] == ["2", "3"]
    assert_all_there(blocks)
