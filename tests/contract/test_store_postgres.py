from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from uuid import UUID

import pytest
from django.db.models import F

from postroom.correspondence.models import Message, Placement, Sighting
from postroom.correspondence.store import PostgresStore
from postroom.filing.filer import RecordFiler
from postroom.mailboxes.models import Folder, Kind, Mailbox
from postroom.records.models import Contact, ContactAddress
from postroom.workspaces.models import User, Workspace
from tests.contract.folder_contract import FolderContract
from tests.contract.placing_contract import PlacingContract
from tests.contract.store_contract import ON_RECORD, StoreContract


class PostgresWorld:
    def __init__(self) -> None:
        self.workspace = Workspace.objects.create(name="Tidewater Bikes")
        self.alice = User.objects.create(email="alice@tidewater.example")  # a password would take longer than the test
        self.store = self.another_store()
        anna = Contact.objects.create(workspace=self.workspace, name="Anna")
        ContactAddress.objects.create(workspace=self.workspace, contact=anna, address=ON_RECORD, key=ON_RECORD)

    def another_store(self) -> PostgresStore:
        return PostgresStore(RecordFiler())

    def add_mailbox(self, address: str, *, keep: str = "everything") -> UUID:
        mailbox = Mailbox.objects.create(
            workspace=self.workspace, address=address, kind=Kind.SHARED, provider="memory", owner=self.alice, keep=keep
        )
        return mailbox.pk

    def claim(self, mailbox_id: UUID) -> int:
        Mailbox.objects.filter(pk=mailbox_id).update(epoch=F("epoch") + 1)
        return Mailbox.objects.get(pk=mailbox_id).epoch

    def messages(self) -> list[str]:
        return sorted(Message.objects.values_list("subject", flat=True))

    def placements(self) -> set[tuple[UUID, str, str]]:
        subjects = dict(Message.objects.values_list("pk", "subject"))
        rows = Placement.objects.filter(removed_at=None)
        return {(row.folder_id, row.remote_id, subjects[row.message_id]) for row in rows}

    def flags(self, folder_id: UUID, remote_id: str) -> tuple[str, ...]:
        return tuple(Placement.objects.get(folder_id=folder_id, remote_id=remote_id).flags)

    def threads(self) -> set[frozenset[str]]:
        found: dict[UUID, set[str]] = {}
        for thread_id, subject in Message.objects.values_list("thread_id", "subject"):
            found.setdefault(thread_id, set()).add(subject)
        return set(map(frozenset, found.values()))

    def want(self, folder_id: UUID, remote_id: str) -> None:
        assert Sighting.objects.filter(folder_id=folder_id, remote_id=remote_id).update(is_wanted=True)

    def choose(self, folder_id: UUID, is_chosen: bool) -> None:
        Folder.objects.filter(pk=folder_id).update(is_chosen=is_chosen)

    def question(self, folder_id: UUID) -> tuple[str, dict[str, int]] | None:
        folder = Folder.objects.get(pk=folder_id)
        assert bool(folder.held_code) == (folder.held_at is not None)
        return (folder.held_code, folder.held_facts) if folder.held_code else None

    def answer_yes(self, folder_id: UUID) -> None:
        Folder.objects.filter(pk=folder_id).update(may_remove=True)

    def add_addresses(self, *keys: str) -> None:
        for key in keys:
            contact = Contact.objects.create(workspace=self.workspace, name=key)
            ContactAddress.objects.create(workspace=self.workspace, contact=contact, address=key, key=key)

    def let_go(self, remote_id: str) -> None:
        Placement.objects.filter(remote_id=remote_id).delete()

    def pass_a_day(self, mailbox_id: UUID) -> None:
        Folder.objects.filter(mailbox_id=mailbox_id).update(rebuilds_since=F("rebuilds_since") - timedelta(days=1))


@pytest.fixture
def world(transactional_db: None) -> Iterator[PostgresWorld]:
    world = PostgresWorld()
    yield world
    world.store.close()


@pytest.mark.django_db(transaction=True)
class TestPostgresStore(StoreContract): ...


@pytest.mark.django_db(transaction=True)
class TestFoldersInPostgres(FolderContract): ...


@pytest.mark.django_db(transaction=True)
class TestPlacingInPostgres(PlacingContract): ...
