"""What needs Django before the first request: tables, static files, the set-up link.

Run as a child of `bin/up` (`python -m postroom.ops.prepare BASE_URL [--demo]`), so that the supervisor stays small and
can start children safely. Its output is one JSON object a line: {"step": text},
{"setup_link": url}, {"sign_in": text}, {"error": text}.
"""

import json
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from postroom import __version__
from postroom.ops.prepared import files_digest

MIGRATION_LOCK: Final = 0x706F7374726F6F6D  # "postroom": two hosts on one database migrate one after the other


def main(arguments: list[str]) -> int:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "postroom.config.settings")
    import django

    django.setup()
    from django.conf import settings

    try:
        migrate()
    except NewerDatabase as error:
        tell(error=str(error))
        return 1
    collect_static(Path(settings.STATIC_ROOT))
    if "--demo" in arguments:
        from postroom.ops import demo

        tell(step="Filling the demo")
        demo.load()
        tell(sign_in=f"{demo.EMAIL} with the password {demo.PASSWORD}")
    from postroom.workspaces.setup import setup_link

    if link := setup_link(arguments[0]):
        tell(setup_link=link)
    return 0


class NewerDatabase(Exception):
    """The database was written by a newer Postroom than this one."""


def migrate() -> None:
    """Bring the tables up to date, when they are not. Raises NewerDatabase rather than run old code on new tables."""
    from django.core.management import call_command
    from django.db import connection
    from django.db.migrations.executor import MigrationExecutor

    def pending() -> bool:
        loader = MigrationExecutor(connection).loader
        replaced = {key for migration in loader.disk_migrations.values() for key in migration.replaces}
        known = loader.disk_migrations.keys() | replaced
        unknown = [key for key in loader.applied_migrations if key not in known and key[0] in _ours()]
        if unknown:
            names = ", ".join(".".join(key) for key in sorted(unknown))
            raise NewerDatabase(
                f"The database was written by a newer Postroom than {__version__} (it has {names})."
                " Update this installation, or restore a backup made by this version."
            )
        return bool(MigrationExecutor(connection).migration_plan(loader.graph.leaf_nodes()))

    if not pending():
        return
    with _advisory_lock():
        if pending():
            tell(step="Preparing the tables")
            call_command("migrate", interactive=False, verbosity=0)


def collect_static(root: Path) -> None:
    """Copy and compress the static files when they are not those of the last time."""
    from django.core.management import call_command

    stamp = root.with_name("static.stamp")
    wanted = files_digest("*/static/**/*")
    if root.exists() and stamp.exists() and stamp.read_text() == wanted:
        return
    tell(step="Collecting static files")
    call_command("collectstatic", interactive=False, clear=True, verbosity=0)
    stamp.write_text(wanted)


def tell(**said: str) -> None:
    print(json.dumps(said), flush=True)


def _ours() -> set[str]:
    from django.apps import apps

    return {config.label for config in apps.get_app_configs() if config.name.startswith("postroom.")}


@contextmanager
def _advisory_lock() -> Iterator[None]:
    from django.db import connection

    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_lock(%s)", [MIGRATION_LOCK])
    try:
        yield
    finally:
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_advisory_unlock(%s)", [MIGRATION_LOCK])


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
