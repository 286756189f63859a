"""A database and Django for the length of one command, whether or not `bin/up` runs."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from postroom.ops.data_folder import DataFolder
from postroom.ops.embedded_postgres import ensure_running
from postroom.ops.output import CommandFailed


@contextmanager
def running_database(tell: Callable[[str], None]) -> Iterator[None]:
    """Start (or borrow) the database, set Django up on it and bring the tables up to date.

    Raises DataFolderError, EmbeddedPostgresError, and CommandFailed when the database cannot be reached or is newer.
    """
    folder = DataFolder()
    folder.prepare()
    with ensure_running(folder) as url:
        os.environ["DATABASE_URL"] = url
        os.environ.setdefault("DJANGO_SETTINGS_MODULE", "postroom.config.settings")
        import django

        django.setup()
        from django.db import OperationalError, connections

        from postroom.ops.migrations import NewerDatabase, ensure_migrated

        try:
            try:
                ensure_migrated(tell)
            except (NewerDatabase, OperationalError) as error:
                raise CommandFailed(str(error).strip(), "database") from error
            yield
        finally:
            connections.close_all()  # before the server is asked to stop
