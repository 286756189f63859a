"""Filing of mail that is stored already, when records or people's minds change: set-wise SQL, the rules of matching.py.

Every function takes the workspace's lock, so that a page being written is either seen here or sees what is done here,
and leaves the workspace's filings as if everything had been known from the start.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.db import transaction
from psycopg import Connection

from postroom.correspondence import sightings
from postroom.correspondence.models import Message
from postroom.filing.let_go import let_go
from postroom.filing.matching import CONTACT, MANUAL, SENT_FROM_RECORD, Record
from postroom.filing.models import Filing
from postroom.mail.address import address_key
from postroom.outbox.models import Submission
from postroom.records.models import Contact
from postroom.workspaces import events
from postroom.workspaces.database import lock_workspace, orm_connection
from postroom.workspaces.ids import new_id
from postroom.workspaces.members import Member

# Messages with one of the keys, each with its first such participant (the order of mail.message.ROLES).
_FILE_BY_ADDRESS = """
    WITH hit AS (
        SELECT DISTINCT ON (message_id) message_id, key FROM correspondence_participant
        WHERE workspace_id = %(workspace)s AND key = ANY(%(keys)s::text[])
        ORDER BY message_id, array_position(ARRAY['from', 'to', 'cc', 'bcc', 'reply_to'], role::text), position
    )
    INSERT INTO filing_filing (id, workspace_id, message_id, thread_id, record_type, record_id, reason, address, at)
    SELECT gen_random_uuid(), message.workspace_id, message.id, message.thread_id, %(type)s, %(record)s, 'address',
           hit.key, message.at
    FROM hit JOIN correspondence_message message ON message.id = hit.message_id
    ON CONFLICT (message_id, record_type, record_id) DO UPDATE SET reason = 'address', address = excluded.address
    WHERE filing_filing.removed_by_id IS NULL AND filing_filing.reason IN ('address', 'thread')
"""

# A filing by thread follows from one in its own right: made where it is missing, taken back where nothing carries it.
_SPREAD = """
    INSERT INTO filing_filing (id, workspace_id, message_id, thread_id, record_type, record_id, reason, address, at)
    SELECT gen_random_uuid(), message.workspace_id, message.id, message.thread_id, %(type)s, %(record)s, 'thread', '',
           message.at
    FROM (SELECT DISTINCT thread_id FROM filing_filing
          WHERE record_type = %(type)s AND record_id = %(record)s AND reason <> 'thread' AND removed_by_id IS NULL
            AND (%(thread)s::uuid IS NULL OR thread_id = %(thread)s)) standing
    JOIN correspondence_message message ON message.thread_id = standing.thread_id
    ON CONFLICT (message_id, record_type, record_id) DO NOTHING
"""
_RETRACT = """
    DELETE FROM filing_filing by_thread
    WHERE record_type = %(type)s AND record_id = %(record)s AND reason = 'thread' AND removed_by_id IS NULL
      AND (%(thread)s::uuid IS NULL OR thread_id = %(thread)s)
      AND NOT EXISTS (SELECT FROM filing_filing own WHERE own.thread_id = by_thread.thread_id
                      AND own.record_type = %(type)s AND own.record_id = %(record)s
                      AND own.reason <> 'thread' AND own.removed_by_id IS NULL)
    RETURNING message_id
"""


@dataclass(frozen=True, slots=True)
class Refiled:
    """`filed` messages are new on the record; `wanted` sightings, (mailbox, folder, remote id), will be fetched now."""

    filed: int
    wanted: tuple[tuple[UUID, UUID, str], ...] = ()


@transaction.atomic
def file_contact(contact: Contact) -> Refiled:
    """Put the stored history of a contact's addresses on it, and want what was passed over."""
    connection = orm_connection()
    lock_workspace(connection, contact.workspace_id)
    record = Record(CONTACT, contact.pk)
    before = _count(connection, record)
    keys = sorted(_keys_of(contact) - own_keys(contact.workspace_id))
    connection.execute(
        _FILE_BY_ADDRESS, {"workspace": contact.workspace_id, "keys": keys, "type": record.type, "record": record.id}
    )
    _spread(connection, record)
    wanted = _want(connection, contact.workspace_id, record, keys)
    _wake_asking(connection, contact.workspace_id)
    events.notify(f"record:{contact.pk}")
    return Refiled(_count(connection, record) - before, tuple(wanted))


@transaction.atomic
def unfile_addresses(contact: Contact, keys: Collection[str]) -> None:
    """Take away what only these addresses of the contact had filed; call once they are gone and new ones are there."""
    connection = orm_connection()
    lock_workspace(connection, contact.workspace_id)
    record = Record(CONTACT, contact.pk)
    unfiled = connection.execute(
        "DELETE FROM filing_filing WHERE record_type = %s AND record_id = %s AND reason = 'address'"
        " AND address = ANY(%s::text[]) AND removed_by_id IS NULL RETURNING message_id",
        [record.type, record.id, list(keys)],
    ).fetchall()
    file_contact(contact)  # another of its addresses may be on the same messages
    retracted = _retract(connection, record)
    let_go(connection, contact.workspace_id, {message_id for (message_id,) in unfiled} | retracted)


@transaction.atomic
def unfile_record(workspace_id: UUID, record_type: int, record_id: UUID) -> None:
    """Forget all filings of a record that is deleted."""
    connection = orm_connection()
    lock_workspace(connection, workspace_id)
    unfiled = connection.execute(
        "DELETE FROM filing_filing WHERE workspace_id = %s AND record_type = %s AND record_id = %s"
        " RETURNING message_id",
        [workspace_id, record_type, record_id],
    ).fetchall()
    let_go(connection, workspace_id, {message_id for (message_id,) in unfiled})


@transaction.atomic
def file_by_hand(member: Member, message: Message, record_type: int, record_id: UUID) -> Filing:
    """Put a message on a record; its thread follows. Also takes a removal back."""
    connection = orm_connection()
    lock_workspace(connection, member.workspace_id)
    message.refresh_from_db(fields=["thread_id"])
    record = Record(record_type, record_id)
    _stand(connection, message, record, MANUAL)
    _spread(connection, record, message.thread_id)
    _want(connection, member.workspace_id, record, (), message.thread_id)
    events.notify(f"record:{record_id}")
    return Filing.objects.get(message_id=message.pk, record_type=record_type, record_id=record_id)


@transaction.atomic
def remove_filing(member: Member, filing: Filing) -> None:
    """Take a message off a record for good: no rule brings it back. What stood there only by it goes too."""
    connection = orm_connection()
    lock_workspace(connection, member.workspace_id)
    filing.refresh_from_db(fields=["thread_id"])
    Filing.objects.filter(pk=filing.pk, workspace_id=member.workspace_id).update(removed_by_id=member.user.pk)
    retracted = _retract(connection, Record(filing.record_type, filing.record_id), filing.thread_id)
    let_go(connection, member.workspace_id, retracted)
    events.notify(f"record:{filing.record_id}")


@transaction.atomic
def file_sent(submission: Submission, message_id: UUID) -> None:
    """Tie a submission to the message it became, and put that on the record it was sent from."""
    connection = orm_connection()
    lock_workspace(connection, submission.workspace_id)
    submission.message_id = message_id
    Submission.objects.filter(pk=submission.pk).update(message_id=message_id)
    if submission.record_id is None or submission.record_type is None:
        return
    message = Message.objects.get(pk=message_id)
    record = Record(submission.record_type, submission.record_id)
    _stand(connection, message, record, SENT_FROM_RECORD)
    _spread(connection, record, message.thread_id)
    _want(connection, submission.workspace_id, record, (), message.thread_id)
    events.notify(f"record:{record.id}")


def own_keys(workspace_id: UUID) -> set[str]:
    """The keys of all addresses the workspace writes from; they match no contact."""
    rows = orm_connection().execute(
        "SELECT address FROM mailboxes_mailbox WHERE workspace_id = %(workspace)s"
        " UNION SELECT address FROM mailboxes_identity WHERE workspace_id = %(workspace)s",
        {"workspace": workspace_id},
    )
    return {address_key(address) for (address,) in rows.fetchall()}


def _stand(connection: Connection[Any], message: Message, record: Record, reason: str) -> None:
    """File a message in its own right. By hand beats everything; another reason respects what a hand did."""
    connection.execute(
        "INSERT INTO filing_filing"
        " (id, workspace_id, message_id, thread_id, record_type, record_id, reason, address, at)"
        " VALUES (%(id)s, %(workspace)s, %(message)s, %(thread)s, %(type)s, %(record)s, %(reason)s, '', %(at)s)"
        " ON CONFLICT (message_id, record_type, record_id)"
        " DO UPDATE SET reason = excluded.reason, address = '', removed_by_id = NULL"
        " WHERE excluded.reason = 'manual'"
        " OR (filing_filing.removed_by_id IS NULL AND filing_filing.reason <> 'manual')",
        {
            "id": new_id(),
            "workspace": message.workspace_id,
            "message": message.pk,
            "thread": message.thread_id,
            "type": record.type,
            "record": record.id,
            "reason": reason,
            "at": message.at,
        },
    )


def _spread(connection: Connection[Any], record: Record, thread_id: UUID | None = None) -> None:
    connection.execute(_SPREAD, {"type": record.type, "record": record.id, "thread": thread_id})


def _retract(connection: Connection[Any], record: Record, thread_id: UUID | None = None) -> set[UUID]:
    """Take back filings by thread that nothing carries any more; their messages."""
    rows = connection.execute(_RETRACT, {"type": record.type, "record": record.id, "thread": thread_id}).fetchall()
    return {message_id for (message_id,) in rows}


def _want(
    connection: Connection[Any], workspace_id: UUID, record: Record, keys: Sequence[str], thread_id: UUID | None = None
) -> list[tuple[UUID, UUID, str]]:
    """Want sightings with one of the addresses, or that belong to a thread of the record."""
    refs = connection.execute(
        "SELECT ref FROM correspondence_threadref WHERE thread_id IN"
        " (SELECT thread_id FROM filing_filing WHERE record_type = %(type)s AND record_id = %(record)s"
        "  AND removed_by_id IS NULL AND (%(thread)s::uuid IS NULL OR thread_id = %(thread)s))",
        {"type": record.type, "record": record.id, "thread": thread_id},
    ).fetchall()
    hashes = sightings.address_hashes(workspace_id, keys)
    hashes += sightings.reference_hashes(workspace_id, (ref for (ref,) in refs))
    return sightings.want(connection, workspace_id, hashes)


def _wake_asking(connection: Connection[Any], workspace_id: UUID) -> None:
    """Have the mailboxes whose provider is asked by address ask for what is new (sync/asking.py)."""
    connection.execute(
        "SELECT pg_notify(%s, id::text) FROM mailboxes_mailbox WHERE workspace_id = %s AND keep = 'records'"
        " AND asked_until IS NOT NULL AND disconnected_at IS NULL AND paused_at IS NULL",
        [events.WAKE, workspace_id],
    )


def _keys_of(contact: Contact) -> set[str]:
    return set(contact.addresses.values_list("key", flat=True))


def _count(connection: Connection[Any], record: Record) -> int:
    row = connection.execute(
        "SELECT count(*) FROM filing_filing WHERE record_type = %s AND record_id = %s AND removed_by_id IS NULL",
        [record.type, record.id],
    ).fetchone()
    return int(row[0]) if row else 0
