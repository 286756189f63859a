"""The health of a mailbox, of its permissions and of this installation."""

from __future__ import annotations

from postroom.providers.catalogue.entry import Entry

ENTRIES: tuple[Entry, ...] = ()
