"""Rows as the member may see them; any other is not there (DESIGN.md 8)."""

from __future__ import annotations

from typing import TypeVar
from uuid import UUID

from django.db.models import Model, QuerySet

from postroom.api.problems import Problem

Row = TypeVar("Row", bound=Model)


def one(rows: QuerySet[Row], row_id: UUID) -> Row:
    """The row with this id out of those the member may see; the problem not_found for any other."""
    found = rows.filter(pk=row_id).first()
    if found is None:
        raise Problem("not_found")
    return found
