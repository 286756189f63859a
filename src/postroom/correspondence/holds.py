"""Questions about a folder that wait for its owner (sync/state.py, Hold), within the transaction that found them."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from psycopg import Connection
from psycopg.types.json import Jsonb

from postroom.engine.store import Hold


def ask_owner(connection: Connection[Any], folder_id: UUID, hold: Hold) -> None:
    """Put a question; asked before, it keeps the time it was first asked and has the facts of now.

    If its owner has answered to just these facts, which a session that is at work does not know yet, the answer stands.
    """
    connection.execute(
        "UPDATE mailboxes_folder SET held_facts = %(facts)s,"
        " may_remove = may_remove AND held_code = %(code)s AND held_facts = %(facts)s,"
        " held_at = CASE WHEN held_code = %(code)s THEN coalesce(held_at, now()) ELSE now() END, held_code = %(code)s"
        " WHERE id = %(folder)s",
        {"code": hold.code, "facts": Jsonb(hold.facts), "folder": folder_id},
    )


def withdraw(connection: Connection[Any], folder_id: UUID) -> None:
    """Nothing is left to ask: the owner has answered, or the mail is back."""
    connection.execute(
        "UPDATE mailboxes_folder SET held_code = '', held_facts = '{}', held_at = NULL, may_remove = false"
        " WHERE id = %s AND (held_code <> '' OR may_remove)",
        [folder_id],
    )
