"""How a test that commits leaves the database: empty, by deleting the few rows it wrote.

Django truncates every table instead and makes its permissions anew. A truncated table is new files for itself and for
every index: a quarter of a second of a test's time, and of the next test's too, since all servers' processes forget
what they know of the tables.
"""

from typing import Any

from django.db import connection, transaction
from django.test import TransactionTestCase

# What Django makes after a migration, and again after it truncated.
_KEPT = frozenset({"auth_permission", "django_content_type"})
# From here truncating is quicker, and no later test reads over the dead rows.
_LARGE_OCTETS = 4 << 20

_truncate = TransactionTestCase._fixture_teardown


def empty_tables(case: TransactionTestCase) -> None:
    """What TransactionTestCase does at the end of a test, in milliseconds; sequences go on, as there."""
    names = set(connection.introspection.django_table_names(only_existing=True)) - _KEPT
    with transaction.atomic(), connection.cursor() as cursor:
        # Like truncating, wait for the last transactions of a process that the test killed: they may still write.
        _lock(cursor, names)
        cursor.execute(
            "SELECT max(pg_total_relation_size(name::regclass)) FROM unnest(%s::text[]) AS name", [list(names)]
        )
        if cursor.fetchone()[0] < _LARGE_OCTETS:
            for name in _with_rows(cursor, names):
                cursor.execute(f'DELETE FROM "{name}"')
            return
    _truncate(case)


def _lock(cursor: Any, names: set[str]) -> None:
    cursor.execute(f"LOCK TABLE {', '.join(map(connection.ops.quote_name, sorted(names)))} IN EXCLUSIVE MODE")


def _with_rows(cursor: Any, names: set[str]) -> list[str]:
    looks = (f"SELECT '{name}' WHERE EXISTS (SELECT FROM {connection.ops.quote_name(name)})" for name in sorted(names))
    cursor.execute(" UNION ALL ".join(looks))
    return [name for (name,) in cursor.fetchall()]
