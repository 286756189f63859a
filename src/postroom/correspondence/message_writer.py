"""Writes messages that are new to a workspace: threads, filings, rows; within an open transaction."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from psycopg import Connection

from postroom.correspondence import attachment_files, sightings
from postroom.correspondence.filer import Filed, Filer, FilingBatch
from postroom.correspondence.models import Attachment, Body, Message, Participant, Thread, ThreadRef
from postroom.correspondence.prepared import Prepared, StoredMessage
from postroom.correspondence.rows import find_rows, storable, table_of
from postroom.mail.threading import ThreadPlan, assign_threads
from postroom.workspaces.ids import new_id


@dataclass(frozen=True, slots=True)
class MailboxFacts:
    """What a page needs to know of its mailbox.

    `own_keys` are the address keys the workspace itself writes from. `sent_folder_ids` are the folders that only the
    mailbox's people put mail into, so what lies there was really sent by them.
    """

    workspace_id: UUID
    keeps_everything: bool
    has_sightings: bool
    own_keys: frozenset[str]
    sent_folder_ids: frozenset[UUID] = frozenset()


class MessageWriter:
    """Stores messages in the transaction the caller opened on `connection`."""

    def __init__(self, connection: Connection[Any], filer: Filer, mailbox: MailboxFacts) -> None:
        self.connection = connection
        self.filer = filer
        self.mailbox = mailbox
        self.workspace_id = mailbox.workspace_id

    def known(self, identities: Collection[UUID]) -> dict[UUID, UUID]:
        """Message ids by identity, of those the workspace has."""
        return dict(self._find("identity, id", "correspondence_message", "identity", identities))

    def _find(self, columns: str, table: str, key: str, keys: Collection[UUID]) -> list[tuple[Any, ...]]:
        return find_rows(self.connection, columns, table, ("workspace_id", self.workspace_id), key, keys)

    def store(self, new: Sequence[Prepared], *, is_ours: bool) -> tuple[list[StoredMessage], Filed]:
        """Thread, file and store messages that are new to the workspace; those that are not kept are left out.

        `is_ours`: they come from a Sent folder or from our outbox, not from anybody who can write to us.
        """
        if not new:
            return [], Filed()
        plan = self._threads(new)
        candidates = [
            StoredMessage(
                prepared=message,
                thread_id=thread_id,
                is_outgoing=message.is_outgoing(self.mailbox.own_keys),
            )
            for message, thread_id in zip(new, plan.thread_of, strict=True)
        ]
        batch = FilingBatch(
            workspace_id=self.workspace_id,
            messages=[message.facts() for message in candidates],
            old_threads=frozenset(plan.thread_of) - frozenset(plan.new_threads),
            merges=plan.merges,
            own_keys=self.mailbox.own_keys,
            is_ours=is_ours,
        )
        filed = self.filer.file(self.connection, batch)
        kept = candidates
        if not self.mailbox.keeps_everything:
            kept_ids = filed.message_ids | filed.kept_ids
            kept = [message for message in candidates if message.id in kept_ids]
            attachment_files.save_contents(file for message in kept for file in message.prepared.files)
        self._copy(kept, plan)
        if self.mailbox.has_sightings:
            self._want_related(kept, filed)
        return kept, filed

    def _threads(self, new: Sequence[Prepared]) -> ThreadPlan:
        """Assign threads; those that turn out to be one are joined at once (filing joins its own rows by the batch)."""
        refs = {ref for message in new for ref in message.refs}
        known = self._find("ref, thread_id", "correspondence_threadref", "ref", refs)
        plan = assign_threads([message.thread_facts for message in new], dict(known), new_id)
        for lost, survivor in plan.merges.items():
            both = [survivor, lost]
            self.connection.execute("UPDATE correspondence_threadref SET thread_id = %s WHERE thread_id = %s", both)
            self.connection.execute("UPDATE correspondence_message SET thread_id = %s WHERE thread_id = %s", both)
            self.connection.execute("DELETE FROM correspondence_thread WHERE id = %s", [lost])
        return plan

    def _copy(self, kept: Sequence[StoredMessage], plan: ThreadPlan) -> None:
        """COPY the rows of new messages. Of messages that are not kept nothing stays, not even a hashed reference."""
        first_of: dict[UUID, StoredMessage] = {}
        for message in sorted(kept, key=lambda message: message.prepared.new.received_at):
            first_of.setdefault(message.thread_id, message)
        thread, ref = table_of(Thread), table_of(ThreadRef)
        thread.copy(
            self.connection,
            [
                thread.row(
                    id=thread_id,
                    workspace_id=self.workspace_id,
                    subject=storable(first_of[thread_id].prepared.new.parsed.subject),
                    created_at=first_of[thread_id].prepared.new.received_at,
                )
                for thread_id in plan.new_threads
                if thread_id in first_of
            ],
        )
        kept_refs = {ref for message in kept for ref in message.prepared.refs}
        ref.copy(
            self.connection,
            [
                ref.row(workspace_id=self.workspace_id, ref=key, thread_id=thread_id)
                for key, thread_id in sorted(plan.new_refs, key=lambda ref: ref[0].int)  # a UUID compares slowly
                if key in kept_refs
            ],
        )
        table_of(Message).copy(self.connection, [message.message_row() for message in kept])
        table_of(Body).copy(self.connection, [message.prepared.body_row for message in kept])
        table_of(Participant).copy(
            self.connection, [row for message in kept for row in message.prepared.participant_rows]
        )
        table_of(Attachment).copy(
            self.connection, [row for message in kept for row in message.prepared.attachment_rows]
        )

    def _want_related(self, kept: Sequence[StoredMessage], filed: Filed) -> None:
        """Messages that were passed over and belong to the thread of one that is now on a record are wanted."""
        on_record = [message.prepared for message in kept if message.id in filed.message_ids]
        refs = {ref for message in on_record for ref in message.refs}
        sightings.want(self.connection, self.workspace_id, sightings.reference_hashes(self.workspace_id, refs))
