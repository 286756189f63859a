"""Finding the settings of an address, and what to prepare before its password is asked for."""

from __future__ import annotations

from postroom.providers.catalogue.entry import Entry

ENTRIES: tuple[Entry, ...] = ()
