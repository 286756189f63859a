"""Twins: messages that carry one Message-ID and are not one message, because their content differs.

A Message-ID is chosen by the sender, so anybody can give his mail that of another. Both are kept, as two messages in
one thread, and both are marked, so that nobody takes the one for the other (mail/mime/identity.py).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Sequence
from typing import Any
from uuid import UUID

from psycopg import Connection

from postroom.correspondence.prepared import StoredMessage


def mark_twins(
    connection: Connection[Any], workspace_id: UUID, stored: Sequence[StoredMessage], unheard_refs: Collection[UUID]
) -> None:
    """Mark twins among messages just stored, and those that the workspace had before.

    `unheard_refs` are the reference keys that nothing had named before this page: a message under one of them can only
    have its twin in the page. A message without an id has none.
    """
    own = Counter(
        message.prepared.thread_facts.key for message in stored if message.prepared.new.parsed.internet_message_id
    )
    suspects = [ref for ref, count in own.items() if count > 1 or ref not in unheard_refs]
    if not suspects:
        return
    rows = connection.execute(
        "SELECT suspect.ref FROM unnest(%(refs)s::uuid[]) suspect (ref) WHERE 1 < (SELECT count(*) FROM"
        " (SELECT FROM correspondence_message WHERE workspace_id = %(workspace)s AND ref = suspect.ref LIMIT 2) two)",
        # psycopg dumps a list item by item in Python; UUIDs need no quotes, so their array is written at once.
        {"refs": "{" + ",".join([ref.hex for ref in suspects]) + "}", "workspace": workspace_id},
    ).fetchall()
    if rows:
        connection.execute(
            "UPDATE correspondence_message SET has_twin = true"
            " WHERE workspace_id = %s AND ref = ANY(%s::uuid[]) AND NOT has_twin",
            [workspace_id, [ref for (ref,) in rows]],
        )
