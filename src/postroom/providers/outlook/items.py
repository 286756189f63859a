"""A message as a listing of Graph shows it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from postroom.providers.base import RemoteMessage
from postroom.providers.outlook.flags import flags_of
from postroom.providers.outlook.requests import SIZE
from postroom.providers.outlook.responses import extended_value, read_moment, unreadable

_LONG_AGO = datetime.min.replace(tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Item:
    """What is known of a message; None: it was not told. `size` is that in the store, in octets."""

    remote_id: str
    received_at: datetime | None = None
    flags: tuple[str, ...] | None = None
    size: int | None = None

    @property
    def is_complete(self) -> bool:
        return self.received_at is not None and self.flags is not None

    @property
    def listed(self) -> RemoteMessage:
        return RemoteMessage(self.remote_id, self.size or 0, self.flags or ())

    def after(self, earlier: Item) -> Item:
        """This, told later: what it leaves out is as it was."""
        return Item(
            self.remote_id,
            self.received_at or earlier.received_at,
            earlier.flags if self.flags is None else self.flags,
            earlier.size if self.size is None else self.size,
        )


def read_item(message: Mapping[str, Any]) -> Item:
    """A message of Graph, whole or as an update shows it; raise ProtocolViolation without an id."""
    remote_id = message.get("id")
    if not isinstance(remote_id, str) or not remote_id:
        raise unreadable("a message without an id")
    size = extended_value(message, SIZE)
    return Item(
        remote_id,
        read_moment(message.get("receivedDateTime")),
        flags_of(message),
        int(size) if size.isascii() and size.isdigit() else None,
    )


def newest_first(items: list[Item]) -> list[Item]:
    """By arrival. Graph's seconds are whole ones, so that those of one second stay as they were listed."""
    return sorted(items, key=lambda item: item.received_at or _LONG_AGO, reverse=True)
