"""What a session reports about its mailbox, as a protocol; mailboxes/health.py stores it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol
from uuid import UUID

from postroom.providers.base import Credentials, RemoteIdentity
from postroom.providers.errors import ProviderError


class Health(Protocol):
    """Blocking; every report is dropped when the epoch is not the mailbox's any more."""

    def credentials(self, mailbox_id: UUID) -> tuple[str, Credentials]:
        """The provider's name and what opens the mailbox. Raises NeedsReconnect, and Fenced when it is gone."""
        ...

    def synced(self, mailbox_id: UUID, epoch: int) -> None:
        """Everything was looked at and is stored: what failed before is over."""
        ...

    def looked(self, looks: Sequence[tuple[UUID, int]]) -> None:
        """The mailboxes of these (mailbox id, epoch) were looked at, and nothing had happened."""
        ...

    def failed(self, mailbox_id: UUID, epoch: int, error: ProviderError, wait_seconds: float) -> None:
        """Another failure in a row; the mailbox is left alone for so long, by whichever worker has it."""
        ...

    def identities(self, mailbox_id: UUID, epoch: int, listed: Sequence[RemoteIdentity]) -> None:
        """The addresses that the mailbox may send as, as the provider tells them now."""
        ...

    def planned(self, mailbox_id: UUID, slice_ids: Sequence[UUID]) -> int:
        """The slices are stored: have them imported. Returns how many messages they hold."""
        ...
