"""Files of attachments that a dead worker left go away; those that a row names, or a page writes, stay."""

from __future__ import annotations

from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest

from postroom.correspondence import attachment_files, unused_files
from postroom.mail.message import ParsedAttachment
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
