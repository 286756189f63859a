"""The one place where a manner of reading is made: of what the provider offers and of what the mailbox keeps."""

from __future__ import annotations

from postroom.providers.base import Capabilities
from postroom.sync.manner import Manner


def manner_of(capabilities: Capabilities, *, keeps_everything: bool) -> Manner:
    """How a session reads: what arrives is decided on by its header wherever only records' mail is kept."""
    return Manner(
        headers_first=not keeps_everything,
        by_address=capabilities.lists_by_address and not keeps_everything,
        customers_first=capabilities.lists_by_address and keeps_everything,
        ids_are_mailbox_wide=capabilities.ids_are_mailbox_wide,
        fetch_at_once=capabilities.fetch_at_once,
    )


def import_manner_of(capabilities: Capabilities, *, keeps_everything: bool) -> Manner:
    """How an import reads: headers first only where they cost next to nothing, and not what a search has found."""
    manner = manner_of(capabilities, keeps_everything=keeps_everything)
    return manner if capabilities.lists_headers_cheaply and not manner.by_address else manner.whole
