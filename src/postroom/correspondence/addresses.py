"""What the mail of records is found by, where a provider is asked for it by address (sync/asking.py)."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from psycopg import Connection

from postroom.engine.store import ASKED_AGAIN, Addresses, Fenced
from postroom.mail.address import address_key

_OWN = """
    SELECT address FROM mailboxes_mailbox WHERE workspace_id = %(workspace)s
    UNION SELECT address FROM mailboxes_identity WHERE workspace_id = %(workspace)s
"""
# What filing/matching.py goes by, in its own keys (mail/address.py): no rule files by a company's domain, and whatever
# is asked for is fetched whole.
_OF_RECORDS = """
    SELECT key FROM records_contactaddress WHERE workspace_id = %(workspace)s
      AND created_at > coalesce(%(after)s, '-infinity'::timestamptz)
    ORDER BY 1
"""


def load_addresses(connection: Connection[Any], mailbox_id: UUID, *, is_new: bool) -> Addresses:
    """Addresses of the workspace's contacts, but for its own; raises Fenced.

    `until` is when the transaction began: what is committed later is not seen here, and its `created_at` may be before.
    """
    row = connection.execute(
        "SELECT workspace_id, CASE WHEN %s THEN asked_until - %s END, now() FROM mailboxes_mailbox WHERE id = %s",
        [is_new, ASKED_AGAIN, mailbox_id],
    ).fetchone()
    if row is None:
        raise Fenced
    workspace_id, after, until = row
    asked = {"workspace": workspace_id, "after": after}
    keys = [key for (key,) in connection.execute(_OF_RECORDS, asked)]
    own = {address_key(address) for (address,) in connection.execute(_OWN, asked)} if keys else set()
    return Addresses(tuple(key for key in keys if key not in own), until)
