"""Hints between processes by NOTIFY. A hint says "look again" and carries no content, so one lost is no loss.

`postroom_events` reaches the open pages, `postroom_wake` and `postroom_arrived` the sessions. Inside a transaction all
fire on commit.
"""

from __future__ import annotations

from uuid import UUID

from django.db import connection

EVENTS = "postroom_events"
WAKE = "postroom_wake"
ARRIVED = "postroom_arrived"


def notify(*topics: str) -> None:
    """Tell the pages that show these topics ("record:<uuid>", "mailbox:<uuid>" …) to look again."""
    with connection.cursor() as cursor:
        for topic in topics:
            cursor.execute("SELECT pg_notify(%s, %s)", [EVENTS, topic])


def wake(mailbox_id: UUID) -> None:
    """Tell the session of this mailbox, wherever it runs, to look now."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_notify(%s, %s)", [WAKE, str(mailbox_id)])


def tell_arrived(mailbox_id: UUID) -> None:
    """Tell the session of this mailbox that its provider says that something changed there: it polls now."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_notify(%s, %s)", [ARRIVED, str(mailbox_id)])
