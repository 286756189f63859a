"""What was done with a mailbox is kept in words for people, and not for ever."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from uuid import uuid4

import pytest
from django.utils import timezone

from postroom.engine.journal import Journal, Kind
from postroom.mailboxes.journal import KEPT_DAYS, LONGEST_FACT, MOST_ENTRIES, MailboxJournal, note, prune, sentence
from postroom.mailboxes.models import JournalEntry, Mailbox
from tests.cast import make_cast, make_mailbox

pytestmark = pytest.mark.django_db


@pytest.fixture
def sales() -> Mailbox:
    return make_mailbox(make_cast().alice, "sales@tidewater.example")


@pytest.mark.parametrize(
    ("kind", "facts", "words"),
    [
        (Kind.CAUGHT_UP, {"folder": "Inbox", "new": 12, "filed": 3}, "12 new messages in Inbox, 3 on records."),
        (Kind.CAUGHT_UP, {"folder": "Inbox", "new": 1, "filed": 1}, "1 new message in Inbox, on a record."),
        (Kind.CAUGHT_UP, {"folder": "Inbox", "new": 2, "filed": 2}, "2 new messages in Inbox, all on records."),
        (
            Kind.CAUGHT_UP,
            {"folder": "Inbox", "new": 2, "filed": 0, "removed": 1},
            "2 new messages in Inbox, none on a record. 1 message went from Inbox on the server.",
        ),
        (
            Kind.RENUMBERED,
            {"folder": "Archive", "matched": 1204, "fetched": 3},
            "The server renumbered Archive: 1,204 messages were found again, 3 were fetched.",
        ),
        (
            Kind.HELD,
            {"folder": "Archive", "code": "mass_deletion", "gone": 142, "known": 300},
            "142 of 300 messages are gone from Archive. Postroom waits for an answer.",
        ),
        (Kind.PLANNED, {"messages": 1204}, "Began to import 1,204 messages, newest first."),
        (Kind.IMPORTED, {"messages": 1204, "kept": 300}, "The import is through: 1,204 messages read, 300 kept."),
    ],
)
def test_the_words_people_read(kind: Kind, facts: dict[str, str | int], words: str) -> None:
    assert sentence(kind, facts) == words


def test_an_entry_is_kept_as_it_was_told(sales: Mailbox) -> None:
    note(sales.pk, Kind.CAUGHT_UP, {"folder": "Inbox", "new": 12, "filed": 3})
    entry = JournalEntry.objects.get(mailbox=sales)
    assert (entry.kind, entry.facts) == ("caught_up", {"folder": "Inbox", "new": 12, "filed": 3})
    assert entry.workspace_id == sales.workspace_id


def test_a_name_from_a_server_is_one_short_line(sales: Mailbox) -> None:
    note(sales.pk, Kind.FOLDER_GONE, {"folder": "a\r\nb\x00" + "x" * 1000})
    [entry] = JournalEntry.objects.all()
    assert entry.facts["folder"].startswith("a  b x") and len(entry.facts["folder"]) == LONGEST_FACT


def test_of_a_mailbox_that_is_gone_nothing_is_noted(db: None) -> None:
    note(uuid4(), Kind.CONNECTED, {})
    assert not JournalEntry.objects.exists()


def test_entries_go_after_a_month_and_the_oldest_of_too_many(sales: Mailbox) -> None:
    other = make_mailbox_of(sales, "support@tidewater.example")
    now = timezone.now()
    JournalEntry.objects.bulk_create(
        JournalEntry(
            workspace=sales.workspace, mailbox=sales, kind="connected", at=now - timedelta(minutes=number), facts={}
        )
        for number in range(MOST_ENTRIES + 7)
    )
    JournalEntry.objects.create(
        workspace=sales.workspace, mailbox=other, kind="connected", at=now - timedelta(days=KEPT_DAYS, minutes=1)
    )
    kept = JournalEntry.objects.create(workspace=sales.workspace, mailbox=other, kind="connected", at=now)
    assert prune() == 8
    assert list(JournalEntry.objects.filter(mailbox=other)) == [kept]
    assert JournalEntry.objects.filter(mailbox=sales).count() == MOST_ENTRIES
    oldest = JournalEntry.objects.filter(mailbox=sales).order_by("at")[0]
    assert oldest.at == now - timedelta(minutes=MOST_ENTRIES - 1)
    assert prune() == 0


def make_mailbox_of(mailbox: Mailbox, address: str) -> Mailbox:
    return Mailbox.objects.create(
        workspace=mailbox.workspace, owner=mailbox.owner, address=address, kind="shared", provider="memory"
    )


@pytest.mark.django_db(transaction=True)
def test_a_session_writes_from_its_own_thread() -> None:
    mailbox = make_mailbox(make_cast().alice, "sales@tidewater.example")
    journal: Journal = MailboxJournal()
    with ThreadPoolExecutor(1) as thread:
        thread.submit(journal.note, mailbox.pk, Kind.CONNECTED, {"host": "imap.company.example"}).result()
    assert [sentence(entry.kind, entry.facts) for entry in mailbox.journal.all()] == [
        "Connected to imap.company.example."
    ]
