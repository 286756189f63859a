"""Files a page's new messages: two set queries, the pure function, one COPY (DESIGN.md 4).

Whether a header is wanted is asked of the same queries and the same function, so that the two cannot differ.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from psycopg import Connection

from postroom.correspondence.facts import MessageFacts
from postroom.correspondence.filer import Filed, FilingBatch, SentFrom
from postroom.correspondence.rows import find_rows, table_of
from postroom.filing.matching import NewFiling, Record, WorkspaceFacts, match
from postroom.filing.models import Filing
from postroom.workspaces.ids import new_id, new_row_id


@dataclass(frozen=True, slots=True)
class _Sent:
    """A message of the batch that was sent from here: its submission, and the record that was sent from."""

    message_id: UUID
    internet_message_id: str
    submission_id: str
    record: Record | None
    names: tuple[str, ...] = ()  # the ids that the submission goes by
    stored_id: UUID | None = None  # the message it was stored as


class RecordFiler:
    """correspondence.filer.Filer on the tables of records. Works on the page writer's connection and transaction."""

    def sent_from_here(
        self, connection: Connection[Any], workspace_id: UUID, mailbox_id: UUID, messages: Sequence[MessageFacts]
    ) -> Mapping[UUID, SentFrom]:
        sent = _sent(connection, workspace_id, messages, mailbox_id)
        for one in sent:
            if one.stored_id is not None and one.internet_message_id:
                _note_name(connection, one)
        return {one.message_id: SentFrom(one.stored_id, one.names) for one in sent}

    def wants(self, connection: Connection[Any], batch: FilingBatch) -> frozenset[UUID]:
        sent = _submissions(connection, batch)
        matched = match(batch.messages, _facts(connection, batch, sent))
        return frozenset(filing.message_id for filing in matched.filings) | {one.message_id for one in sent}

    def file(self, connection: Connection[Any], batch: FilingBatch) -> Filed:
        _join_threads(connection, batch)
        sent = _submissions(connection, batch)
        _tie(connection, sent)
        facts = _facts(connection, batch, sent)
        matched = match(batch.messages, facts)
        _copy(connection, batch.workspace_id, matched.filings)
        # A thread that took in another one spreads all it has; elsewhere only what is new to an older thread.
        spreads = {(thread, record) for thread, record in matched.spreads if thread in batch.old_threads}
        for thread_id in batch.merges.values():
            spreads |= {(thread_id, record) for record in facts.thread_records.get(thread_id, ())}
        spread_to = _spread(connection, batch.workspace_id, spreads)
        return Filed(
            message_ids=frozenset(filing.message_id for filing in matched.filings),
            record_ids=frozenset(filing.record.id for filing in matched.filings) | spread_to,
            kept_ids=frozenset(one.message_id for one in sent),
            spread_threads=frozenset(thread_id for thread_id, _ in spreads),
        )

    def file_again(self, connection: Connection[Any], batch: FilingBatch) -> None:
        _join_threads(connection, batch)
        for message in batch.messages:
            connection.execute(
                "UPDATE filing_filing SET thread_id = %s WHERE message_id = %s", [message.thread_id, message.message_id]
            )
        matched = match(batch.messages, _facts(connection, batch, ()))
        for filing in matched.filings:
            connection.execute(
                "INSERT INTO filing_filing"
                " (id, workspace_id, message_id, thread_id, record_type, record_id, reason, address, at)"
                " VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s)"
                " ON CONFLICT (message_id, record_type, record_id) DO NOTHING",
                [new_id(), batch.workspace_id, *_values(filing)],
            )
        spreads = {(thread, record) for thread, record in matched.spreads if thread in batch.old_threads}
        _spread(connection, batch.workspace_id, spreads)

    def move(self, connection: Connection[Any], moved: Mapping[UUID, UUID]) -> None:
        for message_id, other_id in moved.items():
            both = {"from": message_id, "to": other_id}
            connection.execute(  # what a person decided beats what a rule did
                "DELETE FROM filing_filing theirs USING filing_filing filing WHERE theirs.message_id = %(to)s"
                " AND theirs.reason <> 'manual' AND theirs.removed_by_id IS NULL AND filing.message_id = %(from)s"
                " AND (filing.reason = 'manual' OR filing.removed_by_id IS NOT NULL)"
                " AND (theirs.record_type, theirs.record_id) = (filing.record_type, filing.record_id)",
                both,
            )
            connection.execute(
                "UPDATE filing_filing filing SET message_id = other.id, thread_id = other.thread_id"
                " FROM correspondence_message other WHERE other.id = %(to)s AND filing.message_id = %(from)s"
                " AND NOT EXISTS (SELECT FROM filing_filing theirs WHERE theirs.message_id = %(to)s"
                " AND (theirs.record_type, theirs.record_id) = (filing.record_type, filing.record_id))",
                both,
            )
            connection.execute("DELETE FROM filing_filing WHERE message_id = %(from)s", both)
            connection.execute("UPDATE outbox_submission SET message_id = %(to)s WHERE message_id = %(from)s", both)

    def filed_among(self, connection: Connection[Any], message_ids: Collection[UUID]) -> Filed:
        if not message_ids:
            return Filed()
        rows = connection.execute(
            "SELECT message_id, true FROM filing_filing"
            " WHERE message_id = ANY(%(ids)s::uuid[]) AND removed_by_id IS NULL"
            " UNION SELECT message_id, false FROM outbox_submission WHERE message_id = ANY(%(ids)s::uuid[])",
            {"ids": list(message_ids)},
        ).fetchall()
        return Filed(
            message_ids=frozenset(message_id for message_id, is_filed in rows if is_filed),
            kept_ids=frozenset(message_id for message_id, is_filed in rows if not is_filed),
        )


def _facts(connection: Connection[Any], batch: FilingBatch, sent: Sequence[_Sent]) -> WorkspaceFacts:
    return WorkspaceFacts(
        contacts=_contacts(connection, batch),
        own_keys=batch.own_keys,
        sent_from={one.message_id: one.record for one in sent if one.record is not None},
        thread_records=_thread_records(connection, batch),
    )


def _join_threads(connection: Connection[Any], batch: FilingBatch) -> None:
    for lost, survivor in batch.merges.items():
        connection.execute("UPDATE filing_filing SET thread_id = %s WHERE thread_id = %s", [survivor, lost])


def _contacts(connection: Connection[Any], batch: FilingBatch) -> dict[str, UUID]:
    keys = {key for message in batch.messages for _, key in message.participants} - batch.own_keys
    scope = ("workspace_id", batch.workspace_id)
    return dict(find_rows(connection, "key, contact_id", "records_contactaddress", scope, "key", keys))


def _thread_records(connection: Connection[Any], batch: FilingBatch) -> dict[UUID, frozenset[Record]]:
    """By thread, the records on which its stored messages stand in their own right, with what it takes in."""
    thread_ids = batch.old_threads | batch.merges.keys()
    if not thread_ids:
        return {}
    rows = connection.execute(
        "SELECT DISTINCT thread_id, record_type, record_id FROM filing_filing"
        " WHERE thread_id = ANY(%s::uuid[]) AND reason <> 'thread' AND removed_by_id IS NULL",
        [list(thread_ids)],
    )
    found: dict[UUID, set[Record]] = {}
    for thread_id, record_type, record_id in rows.fetchall():
        found.setdefault(batch.merges.get(thread_id, thread_id), set()).add(Record(record_type, record_id))
    return {thread_id: frozenset(records) for thread_id, records in found.items()}


def _submissions(connection: Connection[Any], batch: FilingBatch) -> list[_Sent]:
    """What was sent from here.

    From and headers are claims that whoever knows a submission's id can make, so only what comes from a Sent folder or
    our own outbox is asked about; and the header counts only with the submission's sender.
    """
    return _sent(connection, batch.workspace_id, batch.messages) if batch.is_ours else []


def _sent(
    connection: Connection[Any],
    workspace_id: UUID,
    messages: Sequence[MessageFacts],
    mailbox_id: UUID | None = None,
) -> list[_Sent]:
    """The messages out of a Sent folder or our outbox that were sent from here; through one mailbox, if it is named."""
    by_name: dict[str, list[MessageFacts]] = {}
    by_header: dict[str, list[MessageFacts]] = {}
    for message in messages:
        if message.is_outgoing and message.internet_message_id:
            by_name.setdefault(message.internet_message_id, []).append(message)
        if message.is_outgoing and (claimed := _as_id(message.submission)):
            by_header.setdefault(str(claimed), []).append(message)
    if not by_name and not by_header:
        return []
    rows = connection.execute(
        _SENT, {"workspace": workspace_id, "mailbox": mailbox_id, "names": list(by_name), "ids": list(by_header)}
    ).fetchall()
    sent = []
    for submission_id, own, other, sender, record_type, record_id, stored_id in rows:
        record = None if record_id is None else Record(record_type, record_id)
        named = [message for name in {own, other} - {""} for message in by_name.get(name, ())]
        claiming = [message for message in by_header.get(submission_id, ()) if ("from", sender) in message.participants]
        for message in named or claiming:
            names = tuple(name for name in (own, other) if name and name != message.internet_message_id)
            sent.append(_Sent(message.message_id, message.internet_message_id, submission_id, record, names, stored_id))
    return sent


# One that a person sent again is the same message in two rows: the later one counts, and comes last.
_SENT = """
    SELECT id::text, internet_message_id, sent_internet_message_id, lower(from_address), record_type, record_id,
           (SELECT message.id FROM correspondence_message message WHERE message.id = submission.message_id)
    FROM outbox_submission submission
    WHERE workspace_id = %(workspace)s AND (%(mailbox)s::uuid IS NULL OR mailbox_id = %(mailbox)s) AND id IN (
        SELECT id FROM outbox_submission
        WHERE workspace_id = %(workspace)s AND internet_message_id = ANY(%(names)s::text[])
        UNION SELECT id FROM outbox_submission
        WHERE workspace_id = %(workspace)s AND sent_internet_message_id = ANY(%(names)s::text[])
          AND sent_internet_message_id <> ''
        UNION SELECT unnest(%(ids)s::uuid[]))
    ORDER BY created_at
"""


def _tie(connection: Connection[Any], sent: Sequence[_Sent]) -> None:
    """Note at each submission which message it became, and the id that it left with."""
    for one in sent:
        connection.execute(
            "UPDATE outbox_submission SET message_id = %s WHERE id = %s AND message_id IS NULL",
            [one.message_id, one.submission_id],
        )
        _note_name(connection, one)


def _note_name(connection: Connection[Any], sent: _Sent) -> None:
    connection.execute(
        "UPDATE outbox_submission SET sent_internet_message_id = %(name)s"
        " WHERE id = %(id)s AND internet_message_id <> %(name)s AND sent_internet_message_id <> %(name)s",
        {"name": sent.internet_message_id, "id": sent.submission_id},
    )


def _as_id(header: str) -> UUID | None:
    try:
        return UUID(header.strip()) if header else None
    except ValueError:
        return None


def _copy(connection: Connection[Any], workspace_id: UUID, filings: Sequence[NewFiling]) -> None:
    if not filings:
        return
    table = table_of(Filing)
    row = table.row
    table.copy(
        connection,
        [
            row(
                id=new_row_id(),
                workspace_id=workspace_id,
                message_id=filing.message_id,
                thread_id=filing.thread_id,
                record_type=filing.record.type,
                record_id=filing.record.id,
                reason=filing.reason,
                address=filing.address,
                at=filing.at,
                removed_by_id=None,
            )
            for filing in filings
        ],
    )


def _values(filing: NewFiling) -> list[object]:
    record = filing.record
    return [filing.message_id, filing.thread_id, record.type, record.id, filing.reason, filing.address, filing.at]


def _spread(connection: Connection[Any], workspace_id: UUID, spreads: Iterable[tuple[UUID, Record]]) -> frozenset[UUID]:
    """File the stored messages of threads on records of those threads; return the records that got something."""
    pairs = sorted(spreads)
    if not pairs:
        return frozenset()
    rows = connection.execute(
        "INSERT INTO filing_filing"
        " (id, workspace_id, message_id, thread_id, record_type, record_id, reason, address, at)"
        " SELECT gen_random_uuid(), %s, message.id, message.thread_id, pair.record_type, pair.record_id, 'thread', '',"
        " message.at FROM unnest(%s::uuid[], %s::smallint[], %s::uuid[]) pair (thread_id, record_type, record_id)"
        " JOIN correspondence_message message ON message.thread_id = pair.thread_id"
        " ON CONFLICT (message_id, record_type, record_id) DO NOTHING RETURNING record_id",
        [
            workspace_id,
            [thread_id for thread_id, _ in pairs],
            [record.type for _, record in pairs],
            [record.id for _, record in pairs],
        ],
    )
    return frozenset(record_id for (record_id,) in rows.fetchall())
