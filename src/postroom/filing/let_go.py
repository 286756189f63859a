"""What a mailbox with only records' mail lets go of once it is on no record any more: it becomes a sighting again.

So what is stored does not depend on the order in which mail and contacts came and went. What was taken off a record by
hand stays, because that row is what keeps it off; so does what was sent from here.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Any
from uuid import UUID

from psycopg import Connection

from postroom.correspondence import sightings
from postroom.correspondence.blobs import unpack
from postroom.correspondence.sightings import Place, Sighted
from postroom.filing.deletion import delete_messages
from postroom.mail.mime.parsing import parse_headers
from postroom.mail.threading import facts_of

_UNKEPT = """
CREATE TEMPORARY TABLE unkept ON COMMIT DROP AS
SELECT message.id AS message_id, message.thread_id
FROM correspondence_message message
WHERE message.id = ANY(%s::uuid[])
  AND NOT EXISTS (SELECT FROM filing_filing filing WHERE filing.message_id = message.id)
  AND NOT EXISTS (SELECT FROM outbox_submission submission WHERE submission.message_id = message.id)
"""
_LEAVE = """
DELETE FROM correspondence_placement placement
USING unkept, correspondence_message message, mailboxes_mailbox mailbox
WHERE placement.message_id = unkept.message_id AND message.id = unkept.message_id
  AND mailbox.id = placement.mailbox_id AND mailbox.keep = 'records'
RETURNING placement.message_id, placement.mailbox_id, placement.folder_id, placement.remote_id,
          coalesce(placement.received_at, message.at), greatest(placement.size, message.size),
          placement.removed_at IS NULL AND mailbox.disconnected_at IS NULL
"""
# It was kept for that mailbox alone: a message that nobody has any more was not there because of a placement.
_GOING = """
SELECT message_id, thread_id FROM unkept
WHERE message_id = ANY(%(left)s::uuid[])
  AND NOT EXISTS (SELECT FROM correspondence_placement placement WHERE placement.message_id = unkept.message_id)
"""
_KEYS = "SELECT message_id, array_agg(key) FROM correspondence_participant JOIN unkept USING (message_id) GROUP BY 1"
_HEADERS = """
SELECT message.id, message.identity, body.content
FROM correspondence_message message JOIN correspondence_body body ON body.message_id = message.id
WHERE message.thread_id = ANY(%s::uuid[])
"""
_VOID = "void."  # begins the remote ids of a folder that waits for its owner's answer (correspondence/placements.py)

Refs = dict[UUID, tuple[UUID, ...]]


def let_go(connection: Connection[Any], workspace_id: UUID, message_ids: Collection[UUID]) -> None:
    """Pass over again those of the messages that nobody may see any more. The caller holds the workspace's lock."""
    if not message_ids:
        return
    connection.execute(_UNKEPT, [list(message_ids)])
    left = connection.execute(_LEAVE).fetchall()
    if left:
        threads = connection.execute("SELECT DISTINCT thread_id FROM unkept").fetchall()
        refs = _references(connection, [thread_id for (thread_id,) in threads])
        keys = dict(connection.execute(_KEYS).fetchall())
        sighted: dict[Place, list[Sighted]] = {}
        for message_id, mailbox_id, folder_id, remote_id, at, size, is_there in left:
            if is_there and not remote_id.startswith(_VOID):
                hashes = sightings.hashes_of(workspace_id, keys.get(message_id, ()), refs.get(message_id, ()))
                place = Place(workspace_id, mailbox_id, folder_id)
                sighted.setdefault(place, []).append(Sighted(remote_id, at, size, hashes))
        for place, ones in sighted.items():
            sightings.save(connection, place, ones)
        delete_messages(connection, _GOING, {"left": [message_id for message_id, *_ in left]})
        _forget_references(connection, workspace_id, refs)
    connection.execute("DROP TABLE unkept")


def _references(connection: Connection[Any], thread_ids: Collection[UUID]) -> Refs:
    """The reference keys of every message in the threads, its own first."""
    refs: Refs = {}
    for message_id, identity, content in connection.execute(_HEADERS, [list(thread_ids)]):
        facts = facts_of(parse_headers(unpack(content).headers), identity)
        refs[message_id] = (facts.key, *facts.refs)
    return refs


def _forget_references(connection: Connection[Any], workspace_id: UUID, refs: Refs) -> None:
    """Of threads that go on, keep only the references that a message which is still there has."""
    rows = connection.execute("SELECT id FROM correspondence_message WHERE id = ANY(%s::uuid[])", [list(refs)])
    there = {message_id for (message_id,) in rows}
    kept = {ref for message_id in there for ref in refs[message_id]}
    forgotten = {ref for own in refs.values() for ref in own} - kept
    connection.execute(
        "DELETE FROM correspondence_threadref WHERE workspace_id = %s AND ref = ANY(%s::uuid[])",
        [workspace_id, list(forgotten)],
    )
