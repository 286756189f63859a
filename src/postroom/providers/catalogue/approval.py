"""What a workspace allows its members to connect, and the import that waits for a yes."""

from __future__ import annotations

from postroom.providers.catalogue.entry import Entry

ENTRIES: tuple[Entry, ...] = ()
