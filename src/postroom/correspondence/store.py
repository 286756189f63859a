"""PostgreSQL as the engine's store: an own connection, one transaction a save (the recipe is in DESIGN.md 4)."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import date, datetime
from typing import Any, TypeVar
from uuid import UUID

from psycopg import Connection
from psycopg.errors import DeadlockDetected, SerializationFailure, UniqueViolation

from postroom.correspondence import addresses, attachment_files, folders, known, placed, plan, second_reading, sightings
from postroom.correspondence.filer import Filer
from postroom.correspondence.message_writer import MailboxFacts, MessageWriter
from postroom.correspondence.page import PageWriter, tell_pages
from postroom.correspondence.prepared import Prepared, digests_of, prepare
from postroom.correspondence.prepared_header import prepare_header
from postroom.correspondence.rebuild import save_rebuild
from postroom.correspondence.unused_files import hold_files
from postroom.engine import failpoints
from postroom.engine.store import (
    Addresses,
    Fenced,
    FolderState,
    Known,
    MailboxState,
    NewHeader,
    NewMessage,
    Page,
    Placed,
    PlannedSlice,
    Rebuild,
    Saved,
    SliceState,
    Wanted,
)
from postroom.mail.address import address_key
from postroom.providers.base import RemoteFolder
from postroom.workspaces.database import connect, lock_workspace

Outcome = TypeVar("Outcome")
MOST_REPEATS = 5  # of one page
REPEATED = (UniqueViolation, DeadlockDetected, SerializationFailure)
# In one round trip, since each page asks.
_MAILBOX_FACTS = """
    SELECT mailbox.workspace_id, mailbox.keep = 'everything',
           EXISTS (SELECT FROM mailboxes_mailbox WHERE workspace_id = mailbox.workspace_id AND keep <> 'everything'),
           ARRAY(SELECT address FROM mailboxes_mailbox WHERE workspace_id = mailbox.workspace_id
                 UNION ALL SELECT address FROM mailboxes_identity WHERE workspace_id = mailbox.workspace_id)::text[],
           ARRAY(SELECT id FROM mailboxes_folder WHERE mailbox_id = mailbox.id AND role = 'sent')
    FROM mailboxes_mailbox mailbox WHERE mailbox.id = %s
"""


class PostgresStore:
    """engine.store.Store on PostgreSQL. Belongs to one thread; opens its connection when it is first needed."""

    def __init__(self, filer: Filer) -> None:
        self.filer = filer
        self._opened: Connection[Any] | None = None

    def load_mailbox(self, mailbox_id: UUID) -> MailboxState:
        """The mailbox with all its folders; raises Fenced when it is gone."""
        with self._transaction() as connection:
            return folders.load_mailbox(connection, mailbox_id)

    def save_folders(
        self, mailbox_id: UUID, epoch: int, folders_: Sequence[RemoteFolder], left_out: Collection[str] = ()
    ) -> tuple[FolderState, ...]:
        with self._transaction() as connection:
            return folders.save_folders(connection, mailbox_id, epoch, folders_, left_out)

    def save_plan(
        self,
        mailbox_id: UUID,
        epoch: int,
        cursors: dict[UUID, str],
        slices: Sequence[PlannedSlice],
        listed_since: Mapping[UUID, date] | None = None,
        asked_until: datetime | None = None,
    ) -> tuple[UUID, ...]:
        with self._transaction() as connection:
            return plan.save_plan(connection, mailbox_id, epoch, cursors, slices, listed_since or {}, asked_until)

    def find_slice(self, slice_id: UUID) -> SliceState | None:
        with self._transaction() as connection:
            return plan.find_slice(connection, slice_id)

    def known_messages(
        self, folder_id: UUID, *, for_matching: bool = False, remote_ids: Sequence[str] | None = None
    ) -> Known:
        with self._transaction() as connection:
            return known.known_messages(connection, folder_id, for_matching=for_matching, remote_ids=remote_ids)

    def find_placed(self, mailbox_id: UUID, remote_ids: Sequence[str]) -> tuple[Placed, ...]:
        with self._transaction() as connection:
            return placed.find_placed(connection, mailbox_id, remote_ids)

    def addresses(self, mailbox_id: UUID, *, is_new: bool = False) -> Addresses:
        """What the mail of the workspace's records is found by. Raises Fenced when the mailbox is gone."""
        with self._transaction() as connection:
            return addresses.load_addresses(connection, mailbox_id, is_new=is_new)

    def save_rebuild(self, rebuild: Rebuild) -> tuple[UUID, ...]:
        """Save a renumbered folder in one transaction. Raises Fenced or Conflict."""
        with self._transaction() as connection:
            mailbox = mailbox_facts(connection, rebuild.mailbox_id)
            return save_rebuild(MessageWriter(connection, self.filer, mailbox), rebuild)

    def wanted(self, mailbox_id: UUID, limit: int) -> list[Wanted]:
        """What was passed over and is wanted now, the newest `limit`, and what may be readable by now.

        Not of folders that are gone: to ask for them would end the session each time.
        """
        with self._transaction() as connection:
            return sightings.wanted(connection, mailbox_id, limit) + second_reading.wanted(connection, mailbox_id)

    def save_page(self, page: Page) -> Saved:
        """Save a page in one transaction. The same page again changes nothing. Raises Fenced or Conflict."""
        passed_over = [prepare_header(header) for header in page.passed_over]

        def write(connection: Connection[Any], mailbox: MailboxFacts, prepared: Sequence[Prepared]) -> Saved:
            return PageWriter(connection, self.filer, page, mailbox).write(prepared, passed_over)

        return self._save(page.mailbox_id, page.messages, write)

    def choose_wanted(self, mailbox_id: UUID, headers: Sequence[NewHeader]) -> frozenset[str]:
        """The remote ids of messages that are worth to be fetched whole, should they be stored now.

        Which folder they lie in is not asked: whether it is a Sent folder counts when they are saved.
        """
        prepared = [prepare_header(header) for header in headers]
        with self._transaction() as connection:
            mailbox = mailbox_facts(connection, mailbox_id)
            if mailbox.keeps_everything:
                return frozenset(header.remote_id for header in headers)
            chosen = MessageWriter(connection, self.filer, mailbox).choose((), prepared, is_ours=True)
        return frozenset(header.new.remote_id for header in prepared if header.id in chosen)

    def save_unplaced(self, mailbox_id: UUID, message: NewMessage) -> UUID:
        """Save a message of a mailbox that no folder shows yet (it was sent from here); return its message id.

        The filer has to keep it, else LookupError.
        """

        def write(connection: Connection[Any], mailbox: MailboxFacts, prepared: Sequence[Prepared]) -> UUID:
            lock_workspace(connection, mailbox.workspace_id)
            writer = MessageWriter(connection, self.filer, mailbox)
            if known := writer.known([message.identity]):
                return known[message.identity]
            if not (mailbox.keeps_everything or writer.choose(prepared, (), is_ours=True)):
                raise LookupError(f"the mailbox keeps only what is on a record: {mailbox_id}")
            stored, filed = writer.store(prepared, is_ours=True)
            tell_pages(connection, mailbox_id, filed.record_ids)
            return stored[0].id

        return self._save(mailbox_id, [message], write)

    def join_names(self, mailbox_id: UUID, internet_message_ids: Sequence[str]) -> None:
        """Let one thread go by all these Message-IDs of a stored message. Raises Fenced when the mailbox is gone."""
        with self._transaction() as connection:
            mailbox = mailbox_facts(connection, mailbox_id)
            lock_workspace(connection, mailbox.workspace_id)
            MessageWriter(connection, self.filer, mailbox).join_names(internet_message_ids)

    def _save(
        self,
        mailbox_id: UUID,
        messages: Sequence[NewMessage],
        write: Callable[[Connection[Any], MailboxFacts, Sequence[Prepared]], Outcome],
    ) -> Outcome:
        """Run `write` in a transaction, and again after a unique violation, a deadlock or a serialization failure.

        The first is a race in spite of the lock; the next look finds the winner's rows.
        """
        for repeats in range(MOST_REPEATS + 1):
            try:
                with self._transaction() as connection:
                    hold_files(connection)
                    mailbox = mailbox_facts(connection, mailbox_id)
                    prepared = _prepare(messages, mailbox)
                    failpoints.reach("attachments_written")
                    outcome = write(connection, mailbox, prepared)
                    failpoints.reach("before_commit")
            except REPEATED:
                if repeats == MOST_REPEATS:
                    raise
            else:
                failpoints.reach("after_commit")
                return outcome
        raise AssertionError("unreachable")

    def close(self) -> None:
        if self._opened is not None:
            self._opened.close()
            self._opened = None

    @contextmanager
    def _transaction(self) -> Iterator[Connection[Any]]:
        """A transaction on the store's connection; a connection that broke is dropped, the next call opens another."""
        if self._opened is None:
            self._opened = open_connection()
        try:
            with self._opened.transaction():
                yield self._opened
        finally:
            if self._opened is not None and self._opened.closed:
                self._opened = None


def _prepare(messages: Sequence[NewMessage], mailbox: MailboxFacts) -> list[Prepared]:
    """Prepare messages, and save their attachments when all of them will be kept."""
    digests = [digests_of(message) for message in messages]
    files = (
        file
        for message, own in zip(messages, digests, strict=True)
        for file in zip(own, message.parsed.attachments, strict=True)
    )
    saving = attachment_files.begin_saving(files if mailbox.keeps_everything else ())
    prepared = [prepare(message, own, mailbox.workspace_id) for message, own in zip(messages, digests, strict=True)]
    saving.result()
    return prepared


def open_connection() -> Connection[Any]:
    """A connection beside the ORM's, with Django's parameters, for the page writer.

    Sequential scans are off: psycopg prepares a statement after five runs, and a plan made while the tables of a new
    installation are empty would read them whole for the rest of the import (research/prototypes.md 4).
    """
    connection = connect()
    connection.execute("SET enable_seqscan = off")
    connection.execute("SET TIME ZONE 'UTC'")
    return connection


def mailbox_facts(connection: Connection[Any], mailbox_id: UUID) -> MailboxFacts:
    """What page writing needs to know of a mailbox; raises Fenced when it is gone."""
    row = connection.execute(_MAILBOX_FACTS, [mailbox_id]).fetchone()
    if row is None:
        raise Fenced
    workspace_id, keeps_everything, has_sightings, addresses, sent_folder_ids = row
    return MailboxFacts(
        workspace_id=workspace_id,
        keeps_everything=keeps_everything,
        has_sightings=has_sightings,
        own_keys=frozenset(map(address_key, addresses)),
        sent_folder_ids=frozenset(sent_folder_ids),
    )
