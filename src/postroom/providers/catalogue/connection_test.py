"""The test of a connection: where the marked message stopped."""

from __future__ import annotations

from postroom.providers.catalogue.entry import Entry

ENTRIES: tuple[Entry, ...] = ()
