"""What a session reports about its mailbox, as a protocol; mailboxes/health.py stores it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol
from uuid import UUID

from postroom.providers.base import Credentials
from postroom.providers.errors import ProviderError


class Health(Protocol):
    """Blocking; every report is dropped when the epoch is not the mailbox's any more."""

    def credentials(self, mailbox_id: UUID) -> tuple[str, Credentials]:
        """The provider's name and what opens the mailbox. Raises NeedsReconnect, and Fenced when it is gone."""
        ...

    def synced(self, mailbox_id: UUID, epoch: int) -> None: ...

    def failed(self, mailbox_id: UUID, epoch: int, error: ProviderError) -> None: ...

    def planned(self, mailbox_id: UUID, slice_ids: Sequence[UUID]) -> None:
        """The slices are stored: have them imported."""
        ...
