"""Lists come in pages of {items, next}. `next` is opaque: give it back as `?next=` for the following page; null ends.

Pages follow the row's id, which sorts by the time it was made (UUIDv7), newest first: rows added or removed between two
pages never shift the others.
"""

from __future__ import annotations

from base64 import urlsafe_b64decode, urlsafe_b64encode
from binascii import Error as NotBase64
from collections.abc import Callable
from typing import Any, Final, TypeVar
from uuid import UUID

from django.db.models import Model, QuerySet
from ninja import Query, Schema
from pydantic import Field

from postroom.api.fields import Line
from postroom.api.problems import unfit
from postroom.api.schemas import Page

MOST: Final = 100
Row = TypeVar("Row", bound=Model)
Item = TypeVar("Item")


class PageQuery(Schema):
    """Which page of a list: at most `limit` items after `next`."""

    limit: int = Field(50, ge=1, le=MOST)
    next: Line = Field("", max_length=500)


PageOf: Any = Query(...)  # type: ignore[type-arg]  # a class in the stubs, a function in truth


def page(rows: QuerySet[Row], asked: PageQuery, answer: type[Page[Item]], show: Callable[[Row], Item]) -> Page[Item]:
    """One page of the rows. Raises Problem when `next` is none of ours."""
    if asked.next:
        rows = rows.filter(pk__lt=_id_of(asked.next))
    found = list(rows.order_by("-pk")[: asked.limit + 1])
    shown = found[: asked.limit]
    return answer(items=[show(row) for row in shown], next=_next_of(shown[-1].pk) if len(found) > len(shown) else None)


def _next_of(row_id: UUID) -> str:
    return urlsafe_b64encode(row_id.bytes).decode().rstrip("=")


def _id_of(cursor: str) -> UUID:
    try:
        return UUID(bytes=urlsafe_b64decode(cursor.encode() + b"=" * (-len(cursor) % 4)))
    except (NotBase64, ValueError) as error:
        raise unfit("next", "This is not the `next` of a page.") from error
