"""Files of attachments that no row names any more, and why none is removed that a page is about to name.

A content is one file, whoever has it. A page that finds the file of its attachment there writes it no second time, and
commits the row that names it later; were the file removed between the two, the row would name nothing. So pages hold
the files, all at once, from before they look until they have committed; who removes waits for them, and looks again
whether a row names the file. The files belong to all workspaces, so the lock of one (lock_workspace) will not do.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator
from typing import Any

from django.core.files.storage import Storage, storages
from django.db import transaction
from psycopg import Connection

from postroom.correspondence.attachment_files import STORAGE, name_of
from postroom.workspaces.database import orm_connection

_CONTENT = re.compile(r"[0-9a-f]{64}")
AT_ONCE = 100  # files removed while pages wait
_LOCK = (0x66696C65, 0)  # of the two-key kind of advisory lock, which nobody else here uses


def hold_files(connection: Connection[Any]) -> None:
    """Until the end of the transaction no file is removed. Many may hold them. Take it before any other lock."""
    connection.execute("SELECT pg_advisory_xact_lock_shared(%s, %s)", _LOCK)


def remove_unused(digests: Collection[bytes]) -> None:
    """Remove the files of contents that no attachment names. In no transaction: what names them must be committed.

    A few at a time: every page that is to be saved waits meanwhile, whoever's it is, and a mailbox that goes may leave
    a hundred thousand files in a storage that takes its time over each.
    """
    left = list(digests)
    for first in range(0, len(left), AT_ONCE):
        _remove_unused(left[first : first + AT_ONCE])


def _remove_unused(digests: Collection[bytes]) -> None:
    with transaction.atomic():
        connection = orm_connection()
        connection.execute("SELECT pg_advisory_xact_lock(%s, %s)", _LOCK)
        rows = connection.execute(
            "SELECT DISTINCT sha256 FROM correspondence_attachment WHERE sha256 = ANY(%s::bytea[])", [list(digests)]
        ).fetchall()
        storage = storages[STORAGE]
        for sha256 in set(digests) - {bytes(used) for (used,) in rows}:
            storage.delete(name_of(sha256))


def remove_orphans() -> int:
    """Remove files that dead workers left and no attachment names; their number.

    Goes through the whole storage, a folder at a time. In no transaction, as remove_unused.
    """
    removed = 0
    for names in _folders(storages[STORAGE]):
        unnamed = _without_row([bytes.fromhex(name) for name in names if _CONTENT.fullmatch(name)])
        remove_unused(unnamed)
        removed += len(unnamed)
    return removed


def _without_row(digests: Collection[bytes]) -> set[bytes]:
    """A first look without the lock; what a page is about to name is found out by the second."""
    rows = orm_connection().execute(
        "SELECT DISTINCT sha256 FROM correspondence_attachment WHERE sha256 = ANY(%s::bytea[])", [list(digests)]
    )
    return set(digests) - {bytes(sha256) for (sha256,) in rows}


def _folders(storage: Storage) -> Iterator[list[str]]:
    """The names in every aa/bb (attachment_files.name_of)."""
    try:
        firsts = storage.listdir("")[0]
    except FileNotFoundError:  # there never was an attachment
        return
    for first in firsts:
        for second in storage.listdir(first)[0]:
            yield storage.listdir(f"{first}/{second}")[1]
