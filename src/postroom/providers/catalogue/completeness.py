"""Why history is not whole, and why a message is not on a record."""

from __future__ import annotations

from postroom.providers.catalogue.entry import Entry

ENTRIES: tuple[Entry, ...] = ()
