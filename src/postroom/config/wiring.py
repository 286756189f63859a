"""The only place that joins parts: which store, with which filer."""

from __future__ import annotations

from django.conf import settings

from postroom.correspondence.newest import newest_messages
from postroom.correspondence.store import PostgresStore
from postroom.engine import joints
from postroom.filing.filer import RecordFiler
from postroom.filing.forget import forget_mailbox


def install() -> None:
    joints.install(
        joints.Joints(
            store=lambda: PostgresStore(RecordFiler()),
            forget_mailbox=forget_mailbox,
            spool=settings.SPOOL,
            newest_messages=newest_messages,
        )
    )
