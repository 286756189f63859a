"""Writes messages that are new to a workspace: threads, filings, rows; within an open transaction."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from psycopg import Connection

from postroom.correspondence import attachment_files, sightings
from postroom.correspondence.facts import MessageFacts
from postroom.correspondence.filer import Filed, Filer, FilingBatch
from postroom.correspondence.models import Attachment, Body, Message, Participant, Thread, ThreadRef
from postroom.correspondence.prepared import Prepared, StoredMessage
from postroom.correspondence.prepared_header import PreparedHeader
from postroom.correspondence.rows import find_rows, storable, table_of
from postroom.correspondence.twins import mark_twins
from postroom.mail.mime.identity import reference_key
from postroom.mail.threading import ThreadFacts, ThreadPlan, assign_threads
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

    def choose(
        self, messages: Sequence[Prepared], headers: Sequence[PreparedHeader], *, is_ours: bool
    ) -> frozenset[UUID]:
        """The ids of those that are kept or wanted: on a record, in a thread that is on one, or sent from here.

        The same threads and the same filing as when they are stored, yet nothing is written: what is not kept changes
        nothing, and does not even join threads of others.
        """
        plan = self._plan([one.thread_facts for one in messages] + [one.thread_facts for one in headers])
        threads = iter(plan.thread_of)
        own_keys = self.mailbox.own_keys
        facts = [
            StoredMessage(message, thread_id, message.is_outgoing(own_keys)).facts()
            for message, thread_id in zip(messages, threads, strict=False)
        ]
        facts += [header.facts(thread_id, own_keys) for header, thread_id in zip(headers, threads, strict=True)]
        wanted = self.filer.wants(self.connection, self._batch(facts, plan, is_ours=is_ours))
        return wanted | {header.id for header in headers if header.is_nameless}

    def store(self, new: Sequence[Prepared], *, is_ours: bool) -> tuple[list[StoredMessage], Filed]:
        """Thread, file and store messages that are new to the workspace and that the mailbox keeps.

        `is_ours`: they come from a Sent folder or from our outbox, not from anybody who can write to us.
        """
        if not new:
            return [], Filed()
        plan = self._plan([message.thread_facts for message in new])
        self._join_threads(plan)
        stored = [
            StoredMessage(
                prepared=message,
                thread_id=thread_id,
                is_outgoing=message.is_outgoing(self.mailbox.own_keys),
            )
            for message, thread_id in zip(new, plan.thread_of, strict=True)
        ]
        filed = self.filer.file(
            self.connection, self._batch([message.facts() for message in stored], plan, is_ours=is_ours)
        )
        if not self.mailbox.keeps_everything:
            attachment_files.save_contents(file for message in new for file in message.files)
        self._copy(stored, plan)
        mark_twins(self.connection, self.workspace_id, stored, {ref for ref, _ in plan.new_refs})
        if self.mailbox.has_sightings:
            self._want_related(stored, filed)
        return stored, filed

    def store_again(self, messages: Sequence[Prepared], *, is_ours: bool) -> None:
        """Thread, file and store messages anew that had been stored under the same ids, whose rows are gone."""
        if not messages:
            return
        plan = self._plan([message.thread_facts for message in messages])
        self._join_threads(plan)
        stored = [
            StoredMessage(message, thread_id, message.is_outgoing(self.mailbox.own_keys))
            for message, thread_id in zip(messages, plan.thread_of, strict=True)
        ]
        attachment_files.save_contents(file for message in messages for file in message.files)
        self._copy(stored, plan)
        mark_twins(self.connection, self.workspace_id, stored, {ref for ref, _ in plan.new_refs})
        self.filer.file_again(self.connection, self._batch([one.facts() for one in stored], plan, is_ours=is_ours))

    def join_names(self, internet_message_ids: Sequence[str]) -> None:
        """Make one thread of what these ids belong to, of which the workspace knows one at least."""
        own, *others = dict.fromkeys(map(reference_key, internet_message_ids))
        plan = self._plan([ThreadFacts(own, tuple(others))])
        self._join_threads(plan)
        self.filer.file(self.connection, self._batch((), plan, is_ours=False))
        self._copy((), plan)

    def _batch(self, facts: Sequence[MessageFacts], plan: ThreadPlan, *, is_ours: bool) -> FilingBatch:
        return FilingBatch(
            workspace_id=self.workspace_id,
            messages=facts,
            old_threads=frozenset(plan.thread_of) - frozenset(plan.new_threads),
            merges=plan.merges,
            own_keys=self.mailbox.own_keys,
            is_ours=is_ours,
        )

    def _plan(self, facts: Sequence[ThreadFacts]) -> ThreadPlan:
        refs = {ref.int: ref for one in facts for ref in (one.key, *one.refs)}  # a UUID hashes slowly
        known = self._find("ref, thread_id", "correspondence_threadref", "ref", refs.values())
        return assign_threads(facts, dict(known), new_id)

    def _join_threads(self, plan: ThreadPlan) -> None:
        """Make one of threads that turned out to be one; filing joins its own rows by the batch."""
        for lost, survivor in plan.merges.items():
            both = [survivor, lost]
            self.connection.execute("UPDATE correspondence_threadref SET thread_id = %s WHERE thread_id = %s", both)
            self.connection.execute("UPDATE correspondence_message SET thread_id = %s WHERE thread_id = %s", both)
            self.connection.execute("DELETE FROM correspondence_thread WHERE id = %s", [lost])

    def _copy(self, new: Sequence[StoredMessage], plan: ThreadPlan) -> None:
        """COPY the rows of new messages."""
        first_of: dict[UUID, StoredMessage] = {}
        for message in sorted(new, key=lambda message: message.prepared.new.received_at):
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
            ],
        )
        ref.copy(
            self.connection,
            [
                ref.row(workspace_id=self.workspace_id, ref=key, thread_id=thread_id)
                for key, thread_id in sorted(plan.new_refs, key=lambda ref: ref[0].int)  # a UUID compares slowly
            ],
        )
        table_of(Message).copy(self.connection, [message.message_row() for message in new])
        table_of(Body).copy(self.connection, [message.prepared.body_row for message in new])
        table_of(Participant).copy(
            self.connection, [row for message in new for row in message.prepared.participant_rows]
        )
        table_of(Attachment).copy(self.connection, [row for message in new for row in message.prepared.attachment_rows])

    def _want_related(self, new: Sequence[StoredMessage], filed: Filed) -> None:
        """Want what was passed over and belongs to the thread of a message that is on a record now."""
        on_record = [message.prepared for message in new if message.id in filed.message_ids]
        refs = {ref for message in on_record for ref in message.refs}
        sightings.want(self.connection, self.workspace_id, sightings.reference_hashes(self.workspace_id, refs))
        if filed.spread_threads:
            sightings.want_threads(self.connection, self.workspace_id, filed.spread_threads)
