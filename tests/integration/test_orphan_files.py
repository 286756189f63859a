"""Files of attachments that a dead worker left go away; those that a row names, or a page writes, stay."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path
from typing import Any

import psycopg
import pytest
from django.core.files.storage import FileSystemStorage

from postroom.correspondence import attachment_files, unused_files
from postroom.mail.message import ParsedAttachment
from postroom.workspaces.database import connection_parameters
from tests.cast import Cast
from tests.integration.mailroom import Mailroom, open_mailroom, write

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def room() -> Iterator[Mailroom]:
    with open_mailroom() as room:
        yield room


@pytest.fixture(autouse=True)
def storage(settings: Any, tmp_path: Path) -> None:
    own = {"BACKEND": "django.core.files.storage.FileSystemStorage", "OPTIONS": {"location": tmp_path}}
    settings.STORAGES = settings.STORAGES | {attachment_files.STORAGE: own}


def lies_there(content: bytes) -> bool:
    try:
        attachment_files.open_content(sha256(content).digest()).close()
    except FileNotFoundError:
        return False
    return True


def test_only_what_no_attachment_names_is_removed(room: Mailroom, cast: Cast) -> None:
    mailbox = room.connect(cast.alice, "sales@tidewater.example")
    named = ParsedAttachment("a.txt", "text/plain", b"named")
    room.deliver(mailbox, write("With", "bob@customer.example", "sales@tidewater.example", attachments=(named,)))
    orphan = ParsedAttachment("b.txt", "text/plain", b"orphan")
    attachment_files.save_contents([(orphan.digest(), orphan)])
    assert unused_files.remove_orphans() == 1
    assert lies_there(b"named")
    assert not lies_there(b"orphan")
    assert unused_files.remove_orphans() == 0


def test_an_empty_storage_has_no_orphans() -> None:
    assert unused_files.remove_orphans() == 0


def test_a_page_waits_for_a_few_files_and_not_for_all(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    contents = [ParsedAttachment(f"{name}.txt", "text/plain", name.encode()) for name in "abc"]
    attachment_files.save_contents([(one.digest(), one) for one in contents])
    left_at_a_pages_turn: list[int] = []

    def save_page() -> None:
        with psycopg.connect(**connection_parameters()) as page:
            unused_files.hold_files(page)
            left_at_a_pages_turn.append(sum(lies_there(one.content) for one in contents))

    page = threading.Thread(target=save_page)

    class Slow(FileSystemStorage):
        def delete(self, name: str) -> None:
            super().delete(name)
            if page.ident is None:
                page.start()
                time.sleep(0.5)

    monkeypatch.setattr(unused_files, "AT_ONCE", 1)
    monkeypatch.setattr(unused_files, "storages", {attachment_files.STORAGE: Slow(tmp_path)})
    unused_files.remove_unused([one.digest() for one in contents])
    page.join(10)
    assert left_at_a_pages_turn == [2]
    assert not any(lies_there(one.content) for one in contents)
