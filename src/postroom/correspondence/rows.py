"""Binary COPY straight into Django's tables, whose models are the only source of the schema (prototypes.md 4)."""

from __future__ import annotations

import re
from collections import namedtuple
from collections.abc import Callable, Collection
from functools import cache
from typing import Any
from uuid import UUID

from django.db import connections, models
from psycopg import Connection, sql

LONGEST_KEY = 320  # characters of an address key; a B-tree entry holds 2,704 octets at most
LARGEST_INTEGER = 2**31 - 1
MOST_POSITIONS = 32_000  # rows of one kind a message may have; `position` is a smallint


class Table:
    """One model's table. Rows are made by name with `row(...)`, so that a moved field cannot swap two texts.

    Values of `encoded` columns are given in PostgreSQL's own binary form.
    """

    def __init__(self, model: type[models.Model], encoded: Collection[str] = ()) -> None:
        # db_default and generated columns are left to the server; a composite key is no concrete field.
        fields = [field for field in model._meta.concrete_fields if not field.has_db_default() and not field.generated]
        columns = [str(field.column) for field in fields]
        self.name = model._meta.db_table
        self.row: Callable[..., tuple[Any, ...]] = namedtuple(f"{model.__name__}Row", columns)  # type: ignore[misc]
        self._types = [
            "bytea" if field.column in encoded else re.sub(r"\(.*\)", "", field.db_type(connections["default"]) or "")
            for field in fields
        ]
        self._copy = sql.SQL("COPY {} ({}) FROM STDIN (FORMAT BINARY)").format(
            sql.Identifier(self.name), sql.SQL(", ").join(map(sql.Identifier, columns))
        )

    def copy(self, connection: Connection[Any], rows: Collection[tuple[Any, ...]]) -> None:
        """Append the rows; raises psycopg's UniqueViolation when one is there already.

        Nothing is asked of the server when there are none.
        """
        if not rows:
            return
        with connection.cursor() as cursor, cursor.copy(self._copy) as copy:
            copy.set_types(self._types)
            write = copy.write_row
            for row in rows:
                write(row)


@cache
def table_of(model: type[models.Model]) -> Table:
    return Table(model)


def find_rows(
    connection: Connection[Any], columns: str, table: str, scope: tuple[str, UUID], key: str, keys: Collection[Any]
) -> list[tuple[Any, ...]]:
    """The rows of `table` with one of the keys, in a scope such as ("workspace_id", …); (scope, key) is unique.

    `= ANY(array)` would do, but the plan psycopg keeps while the tables of a new installation are empty reads the whole
    workspace for it. This shape leaves the planner no choice: one look into the unique index for each key.
    """
    if not keys:
        return []
    scope_column, scope_id = scope
    is_uuid = isinstance(next(iter(keys)), UUID)
    query = sql.SQL(
        "SELECT found.* FROM unnest(%s::{kind}) wanted (key) CROSS JOIN LATERAL"
        " (SELECT {columns} FROM {table} WHERE {scope} = %s AND {key} = wanted.key LIMIT 1) found"
    ).format(
        kind=sql.SQL("uuid[]" if is_uuid else "text[]"),
        columns=sql.SQL(columns),
        table=sql.SQL(table),
        scope=sql.Identifier(scope_column),
        key=sql.Identifier(key),
    )
    # psycopg dumps a list item by item in Python; UUIDs need no quotes, so their array is written at once.
    wanted = "{" + ",".join([key.hex for key in keys]) + "}" if is_uuid else list(keys)
    return connection.execute(query, [wanted, scope_id]).fetchall()


def storable(text: str) -> str:
    """The text as PostgreSQL takes it: without NUL and lone surrogates, which one bad mail may well hold."""
    if "\0" in text:
        text = text.replace("\0", "")
    if text.isascii():
        return text
    return text.encode("utf-8", "replace").decode("utf-8")
