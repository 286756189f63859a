"""Brings the tables up to date before anything runs, once, however many processes start together."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final

from django.apps import apps
from django.core.management import call_command
from django.db import connection
from django.db.migrations.executor import MigrationExecutor

from postroom import __version__

MIGRATION_LOCK: Final = 0x706F7374726F6F6D  # "postroom": two hosts on one database migrate one after the other


class NewerDatabase(Exception):
    """The database was written by a newer Postroom than this one."""


def ensure_migrated(tell: Callable[[str], None] = lambda step: None) -> None:
    """Bring the tables up to date, when they are not. Raises NewerDatabase rather than run old code on new tables."""
    if not is_pending():
        return
    with _advisory_lock():
        if is_pending():
            tell("Preparing the tables")
            call_command("migrate", interactive=False, verbosity=0)


def is_pending() -> bool:
    """Whether a migration of this installation is not applied yet."""
    loader = MigrationExecutor(connection).loader
    replaced = {key for migration in loader.disk_migrations.values() for key in migration.replaces}
    known = loader.disk_migrations.keys() | replaced
    ours = {config.label for config in apps.get_app_configs() if config.name.startswith("postroom.")}
    unknown = [key for key in loader.applied_migrations if key not in known and key[0] in ours]
    if unknown:
        names = ", ".join(".".join(key) for key in sorted(unknown))
        raise NewerDatabase(
            f"The database was written by a newer Postroom than {__version__} (it has {names})."
            " Update this installation, or restore a backup made by this version."
        )
    return bool(MigrationExecutor(connection).migration_plan(loader.graph.leaf_nodes()))


@contextmanager
def _advisory_lock() -> Iterator[None]:
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_lock(%s)", [MIGRATION_LOCK])
    try:
        yield
    finally:
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_advisory_unlock(%s)", [MIGRATION_LOCK])
