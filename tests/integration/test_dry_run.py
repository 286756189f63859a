"""What an import would bring: the numbers are those of the import, and until it begins nothing is stored."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from email.message import EmailMessage
from email.policy import SMTP
from uuid import UUID, uuid4

import pytest
from asgiref.sync import async_to_sync

from postroom.correspondence.models import Message, Placement, Sighting
from postroom.filing import dry_run
from postroom.filing.dry_run import Counts, count_all, planned_mailbox, planned_request
from postroom.filing.models import Filing
from postroom.filing.people import add_contact
from postroom.mailboxes.connect import ConnectRequest, disconnect, store_mailbox
from postroom.mailboxes.models import Folder, Grant, ImportSlice, Mailbox
from postroom.mailboxes.ownership import PostgresOwnership
from postroom.mailboxes.start import begin_import
from postroom.ops import sync_once
from postroom.providers.errors import Unreachable
from postroom.providers.memory.server import MemoryServer, server_for
from postroom.workspaces.models import AuditEntry
from tests.cast import Cast
from tests.integration.google_place import GooglePlace, google_registered

ALICE = "alice@tidewater.example"
KATRIN = "katrin@lagerhaus.example"


def letter(sender: str, to: str = ALICE, *, name: str = "", answers: str = "") -> bytes:
    message = EmailMessage(policy=SMTP)
    message["From"], message["To"], message["Subject"] = sender, to, "Cargo bikes"
    message["Message-ID"] = f"<{name or uuid4().hex}@test>"
    if answers:
        message["References"] = f"<{answers}@test>"
    message.set_content("Hello")
    return message.as_bytes()


@pytest.fixture
def wanted() -> ConnectRequest:
    secrets = {"server": uuid4().hex}
    return ConnectRequest(
        provider="memory", address=ALICE, kind="personal", secrets=secrets, awaits_start=True, backfill_days=30
    )


@pytest.fixture
def server(wanted: ConnectRequest) -> Iterator[MemoryServer]:
    """Alice's mailbox: two of a customer, one by its conversation, a colleague, a private person, a newsletter."""
    server = server_for(wanted.credentials)
    now = datetime.now(UTC)
    for raw in (
        letter(KATRIN, name="offer"),
        letter("warehouse@lagerhaus.example", answers="offer"),
        letter("bob@tidewater.example"),
        letter("aunt@gmail.com"),
        letter("news@shop.example"),
    ):
        server.deliver(ALICE, raw, received_at=now - timedelta(days=2))
    server.deliver(ALICE, letter(ALICE, KATRIN), folder="Sent", received_at=now - timedelta(days=1))
    server.deliver(ALICE, letter(KATRIN), received_at=now - timedelta(days=90))  # before the window
    server.deliver(ALICE, letter(KATRIN), folder="Junk", received_at=now)
    yield server


def counted(wanted: ConnectRequest, workspace_id: UUID) -> Counts:
    return async_to_sync(count_all)(planned_request(workspace_id, wanted))


def groups(counts: Counts) -> tuple[int, int, int, int]:
    return counts.known, counts.colleagues, counts.private, counts.unknown


def test_mail_is_counted_by_whom_it_is_with(cast: Cast, wanted: ConnectRequest, server: MemoryServer) -> None:
    katrin = add_contact(cast.alice, "Katrin Voss", [KATRIN])
    counts = counted(wanted, cast.alice.workspace_id)
    assert groups(counts) == (3, 1, 1, 1)
    assert counts.listed == counts.looked_at == 6 and counts.is_done and not counts.is_sample
    assert counts.contacts == ((katrin.pk, 2),)
    assert set(counts.folders) >= {"INBOX", "Sent"} and "Junk" in counts.left_out


def test_another_workspaces_contacts_are_unknown_here(cast: Cast, wanted: ConnectRequest, server: MemoryServer) -> None:
    add_contact(cast.charlie, "Katrin Voss", [KATRIN])
    assert groups(counted(wanted, cast.alice.workspace_id))[0] == 0


@pytest.mark.django_db(transaction=True)
def test_a_conversation_that_is_on_a_record_already_counts_as_known(
    cast: Cast, wanted: ConnectRequest, server: MemoryServer
) -> None:
    with_colleague = ConnectRequest(
        provider="memory", address="sales@tidewater.example", kind="shared", secrets={"server": uuid4().hex}
    )
    shared = server_for(with_colleague.credentials)
    shared.deliver(with_colleague.address, letter(KATRIN, with_colleague.address, name="before"))
    add_contact(cast.alice, "Katrin Voss", [KATRIN])
    store_mailbox(cast.alice, with_colleague)
    sync()
    server.deliver(ALICE, letter("lawyer@kanzlei.example", answers="before"), received_at=datetime.now(UTC))
    assert groups(counted(wanted, cast.alice.workspace_id)) == (4, 1, 1, 1)


def sync() -> None:
    async_to_sync(sync_once.run)(None, lambda line: None)


@pytest.mark.django_db(transaction=True)
def test_until_the_import_begins_nothing_of_the_mail_is_stored_and_then_what_was_said(
    cast: Cast, wanted: ConnectRequest, server: MemoryServer
) -> None:
    add_contact(cast.alice, "Katrin Voss", [KATRIN])
    mailbox = store_mailbox(cast.alice, wanted)
    counts = async_to_sync(count_all)(planned_mailbox(mailbox))
    sync()
    for model in (Message, Placement, Sighting, Folder, ImportSlice, Filing):
        assert not model.objects.exists(), model
    assert begin_import(cast.alice, mailbox)
    assert not begin_import(cast.alice, mailbox), "nothing is done twice"
    sync()
    mailbox.refresh_from_db()
    assert Message.objects.count() == counts.kept(keeps_everything=False) == mailbox.filed_count == 3
    assert AuditEntry.objects.filter(action="mailbox.import_started", user=cast.alice.user).count() == 1


@pytest.mark.django_db(transaction=True)
def test_a_worker_leaves_a_mailbox_alone_until_its_import_begins(
    cast: Cast, wanted: ConnectRequest, server: MemoryServer
) -> None:
    mailbox = store_mailbox(cast.alice, wanted)
    worker = PostgresOwnership()
    worker.join()
    try:
        assert worker.claim(10) == []
        begin_import(cast.alice, mailbox)
        assert [mailbox_id for mailbox_id, _ in worker.claim(10)] == [mailbox.pk]
    finally:
        worker.leave()


def test_disconnecting_instead_leaves_nothing(cast: Cast, wanted: ConnectRequest, server: MemoryServer) -> None:
    mailbox = store_mailbox(cast.alice, wanted)
    async_to_sync(count_all)(planned_mailbox(mailbox))
    disconnect(cast.alice, mailbox, keep_history=False)
    assert not Mailbox.objects.exists() and not Grant.objects.exists()


def test_a_server_that_goes_away_while_it_counts_is_told_and_not_taken_for_an_empty_one(
    cast: Cast, wanted: ConnectRequest, server: MemoryServer
) -> None:
    server.faults.unreachable = True
    with pytest.raises(Unreachable):
        counted(wanted, cast.alice.workspace_id)


def test_a_folder_that_its_owner_left_out_before_is_left_out_of_the_count(
    cast: Cast, wanted: ConnectRequest, server: MemoryServer
) -> None:
    mailbox = store_mailbox(cast.alice, wanted)
    Folder.objects.create(
        workspace=mailbox.workspace, mailbox=mailbox, remote_name="Sent", name="Sent", is_chosen=False
    )
    counts = async_to_sync(count_all)(planned_mailbox(mailbox))
    assert "Sent" in counts.left_out and counts.listed == 5


@pytest.mark.django_db(transaction=True)
def test_where_headers_are_dear_the_mail_of_records_is_searched_for_and_of_the_rest_the_newest_are_looked_at(
    cast: Cast, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(dry_run, "MOST_DEAR_HEADERS", 3)
    add_contact(cast.alice, "Katrin Voss", [KATRIN])
    with google_registered() as google:
        place = GooglePlace(google, cast.alice)
        place.deliver("offer", KATRIN, labels=("INBOX", "Label_1"))
        place.deliver("answer", "warehouse@lagerhaus.example", answers="offer")
        place.deliver("aunt", "aunt@gmail.com")
        for number in range(4):
            place.deliver(f"news{number}", "news@shop.example", days=number + 2)
        place.deliver("long-ago", KATRIN, days=90)
        counts = async_to_sync(count_all)(planned_mailbox(place.mailbox))
    assert counts.listed == 7 and groups(counts) == (2, 0, 1, 2)
    assert counts.is_sample and counts.looked_at == 5 and counts.kept(keeps_everything=False) == 2
    assert place.read()[1] == 0, "no whole message was fetched"
