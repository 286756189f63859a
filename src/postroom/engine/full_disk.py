"""A full disk, ours or PostgreSQL's, as the error that says so."""

from __future__ import annotations

import errno
from collections.abc import Iterator
from contextlib import contextmanager

from psycopg.errors import DiskFull

from postroom.providers.errors import StorageFull

_NO_ROOM = frozenset((errno.ENOSPC, errno.EDQUOT))


@contextmanager
def full_disk_told() -> Iterator[None]:
    """Raise StorageFull in place of the operating system's or PostgreSQL's word for it."""
    try:
        yield
    except OSError as error:
        if error.errno in _NO_ROOM:
            raise StorageFull(server_words=str(error)) from error
        raise
    except DiskFull as error:
        raise StorageFull(server_words=str(error)) from error
