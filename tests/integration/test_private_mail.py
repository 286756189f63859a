"""What a mailbox that keeps only records' mail leaves of all other mail: not one word, in no table and no file.

The private mail carries words that occur nowhere else. After imports, arrivals and contacts that came and went, every
column of every table is read, bodies unpacked, and every file of the data folder, and the log.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from email.message import EmailMessage
from pathlib import Path

import pytest
from django.conf import settings
from django.core.files.storage import storages
from django.db import connection

from postroom.correspondence.blobs import unpack
from postroom.correspondence.models import Message, Sighting
from postroom.filing.people import add_contact, change_contact, delete_contact
from postroom.mail.mime.identity import reference_key
from postroom.mailboxes.connect import ConnectRequest, store_mailbox
from postroom.mailboxes.models import Mailbox
from postroom.ops import sync_once
from postroom.providers.memory.server import SERVERS, MemoryServer
from postroom.workspaces.members import Member
from tests.cast import make_cast
from tests.integration.mailroom import filed

pytestmark = pytest.mark.django_db(transaction=True)

OWN, ANNA, BEN = "alice@tidewater.example", "anna@customer.example", "ben@customer.example"
# Each in one place of the private mail: its subject, text, HTML, a name, an address, a file's name, its content …
SECRETS = (
    "xylophagous", "quixotry", "zugzwang", "borborygmus", "jentacular", "rastaquouere", "sarcophagous", "widdershins",
    "ultracrepidarian", "callipygian",
)  # fmt: skip


@pytest.fixture
def server() -> Iterator[MemoryServer]:
    server = SERVERS["main"] = MemoryServer()
    yield server
    del SERVERS["main"]


@pytest.fixture
def alice() -> Member:
    return make_cast().alice


@pytest.fixture
def mailbox(alice: Member, server: MemoryServer) -> Mailbox:
    return store_mailbox(
        alice,
        ConnectRequest(provider="memory", address=OWN, kind="personal", keep="records", secrets={"server": "main"}),
    )


def letter(number: int, sender: str, to: str, *, answers: int | None = None, is_private: bool = True) -> bytes:
    """A message; a private one has a secret word wherever a message has words."""
    words = SECRETS if is_private else ("plain",) * len(SECRETS)
    mail = EmailMessage()
    mail["From"] = f"{words[0]} <{sender}>"
    mail["To"] = f"{to}, {words[1]}@{words[2]}.example"
    mail["Subject"] = f"About {words[3]} {number}"
    mail["Date"] = datetime(2026, 3, 1, 12, tzinfo=UTC)
    mail["Message-ID"] = message_id(number, words[4])
    if answers is not None:
        mail["References"] = message_id(answers, words[4])
    mail.set_content(f"Dear {words[5]}, {number}")
    mail.add_alternative(f"<p>Dear {words[6]}, {number}</p>", subtype="html")
    mail.add_attachment(words[7].encode() * 9, maintype="application", subtype=f"x-{words[8]}", filename=words[9])
    return mail.as_bytes()


def message_id(number: int, word: str) -> str:
    return f"<{number}.{word}@x.example>"


def sync() -> None:
    [summary] = asyncio.run(sync_once.run(OWN, lambda line: None))
    assert "error" not in summary


def traces(words: tuple[str, ...]) -> list[str]:
    """Where one of the words is: "table: word" or "path: word"."""
    found = [f"{table}: {word}" for table, row in every_row() for word in words if word in row.lower()]
    for folder in (settings.DATA, Path(storages["attachments"].location)):
        for path in folder.rglob("*"):
            if path.is_file():
                content = (path.name.encode() + path.read_bytes()).lower()
                found += [f"{path}: {word}" for word in words if word.encode() in content]
    return found


def every_row() -> Iterator[tuple[str, str]]:
    """Every row of every table as text; bodies unpacked, and other octets as text too."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT format('%I.%I', schemaname, tablename) FROM pg_tables WHERE schemaname !~ '^(pg_|info)'")
        tables = [table for (table,) in cursor.fetchall()]
        for table in tables:
            cursor.execute(f"SELECT * FROM {table}")
            for row in cursor.fetchall():
                yield table, " ".join(readable(value, is_body=table.endswith("correspondence_body")) for value in row)


def readable(value: object, *, is_body: bool) -> str:
    if not isinstance(value, memoryview | bytes):
        return str(value)
    return str(unpack(value)) if is_body else repr(bytes(value))


def test_not_a_word_of_private_mail_stays(
    alice: Member, server: MemoryServer, mailbox: Mailbox, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    at = datetime.now(UTC) - timedelta(days=2)

    def deliver(number: int, sender: str, *, answers: int | None = None, is_private: bool = True) -> None:
        raw = letter(number, sender, OWN, answers=answers, is_private=is_private)
        server.deliver(OWN, raw, received_at=at + timedelta(minutes=number))

    def look() -> None:
        sync()
        assert traces(SECRETS) == []
        assert not [record for record in caplog.messages if any(word in record.lower() for word in SECRETS)]

    anna = add_contact(alice, "Anna", [ANNA])
    deliver(1, ANNA, is_private=False)
    deliver(2, f"{SECRETS[0]}@home.example")
    deliver(3, f"{SECRETS[0]}@home.example", answers=2)
    deliver(4, BEN)
    look()  # the import
    assert filed(anna.pk) == {"About plain 1": "address"}

    deliver(5, f"{SECRETS[0]}@home.example")
    deliver(6, ANNA, is_private=False)
    look()  # an arrival
    assert len(filed(anna.pk)) == 2 and Sighting.objects.count() == 4

    ben = add_contact(alice, "Ben", [BEN])
    sync()
    assert list(filed(ben.pk)) == [f"About {SECRETS[3]} 4"]
    assert {trace.partition(": ")[2] for trace in traces(SECRETS)} >= set(SECRETS) - {SECRETS[7]}  # the look can fail
    delete_contact(alice, ben)
    look()  # a contact that came and went

    change_contact(alice, anna, addresses=[ANNA, BEN])
    sync()
    assert len(filed(anna.pk)) == 3
    change_contact(alice, anna, addresses=[ANNA])
    look()  # an address that came and went
    assert len(filed(anna.pk)) == 2 and Message.objects.count() == 2 and Sighting.objects.count() == 4


def test_not_even_a_hash_that_everybody_can_make_stays(alice: Member, server: MemoryServer, mailbox: Mailbox) -> None:
    """What refers to messages is hashed without a key where mail is kept; of private mail no such hash may stay."""
    server.deliver(OWN, letter(1, BEN, OWN), received_at=datetime.now(UTC))
    server.deliver(OWN, letter(2, "friend@home.example", OWN, answers=1), received_at=datetime.now(UTC))
    sync()
    ben = add_contact(alice, "Ben", [BEN])
    sync()
    hashes = tuple(str(reference_key(message_id(number, SECRETS[4]))) for number in (1, 2))
    assert len(filed(ben.pk)) == 2 and traces(hashes)
    delete_contact(alice, ben)
    assert traces(hashes) == []
