"""How a mailbox is read, as one value: what its provider offers and what is kept of it (engine/manners.py makes it)."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final

from postroom.sync import pages as bounds


@dataclass(frozen=True, slots=True)
class Manner:
    """How listed messages are read.

    `headers_first`: bodies are fetched only of what is wanted. `by_address`: the provider is asked for the mail of
    records, and what a folder holds besides is neither read nor sighted. `customers_first`: all is read, the mail of
    records before the rest. `ids_are_mailbox_wide`: a remote id means one message in all folders, so what is stored is
    placed and not fetched. `fetch_at_once`: messages in a page, and headers asked for at once where they are dear.
    """

    headers_first: bool = False
    by_address: bool = False
    customers_first: bool = False
    ids_are_mailbox_wide: bool = False
    fetch_at_once: int = 500

    @property
    def page_messages(self) -> int:
        return min(self.fetch_at_once, bounds.PAGE_MESSAGES)

    @property
    def whole(self) -> Manner:
        """The same for messages that are fetched whole, because a search found them."""
        return replace(self, headers_first=False)

    def headers_at_once(self, most: int) -> int:
        """How many headers are asked for at once: `most`, where they cost next to nothing."""
        return most if self.fetch_at_once >= bounds.PAGE_MESSAGES else self.fetch_at_once


WHOLE: Final = Manner()  # everything, from a provider that offers nothing besides
