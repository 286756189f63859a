"""Cutting a listing into the slices of an import."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

from postroom.sync import pages as bounds
from postroom.sync.remote import RemoteMessage
from postroom.sync.state import PlannedSlice


def cut(folder_id: UUID, listed: Sequence[RemoteMessage], first: int = 0) -> list[PlannedSlice]:
    """Slices of messages that are listed newest first; `first` is the position of the newest."""
    sizes = [message.size for message in listed]
    return [
        PlannedSlice(
            folder_id,
            position,
            remote_ids=tuple(message.remote_id for message in listed[start:end]),
            sizes=tuple(sizes[start:end]),
        )
        for position, (start, end) in enumerate(bounds.slices(sizes), first)
    ]


def slices_of(count: int) -> int:
    """How many slices so many messages make, at least: what is planned beside them stands behind."""
    return -(-count // (bounds.PAGE_MESSAGES * bounds.SLICE_PAGES))
