"""Reading listed messages: whole, or headers first where only some are wanted (DESIGN.md 5, "Wants")."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from postroom.sync.asks import ChooseWanted, FetchHeaders, FetchMessages, Steps
from postroom.sync.pages import PAGE_MESSAGES, pages
from postroom.sync.state import NewHeader, NewMessage

HEADERS_AT_ONCE = 1_000
_HEADER_OCTETS = 1_000  # what a header counts in a page that is bounded by octets


@dataclass(frozen=True, slots=True)
class Read:
    """What was read of a page's messages: whole ones, and those that were passed over by their headers."""

    messages: tuple[NewMessage, ...] = field(default=(), repr=False)
    passed_over: tuple[NewHeader, ...] = field(default=(), repr=False)


@dataclass(frozen=True, slots=True)
class Chosen:
    """Listed messages in their order: what is fetched whole, with sizes in octets, and the headers of all others.

    What is gone meanwhile is in neither.
    """

    remote_ids: tuple[str, ...] = field(repr=False)
    sizes: tuple[int, ...] = field(repr=False)
    wanted: frozenset[str] = field(repr=False)
    passed_over: dict[str, NewHeader] = field(default_factory=dict, repr=False)

    def pages(self) -> Iterator[tuple[int, int]]:
        """(start, end) of every page: headers cost next to nothing, so pages may hold more of them."""
        costs = [
            size if remote_id in self.wanted else _HEADER_OCTETS
            for remote_id, size in zip(self.remote_ids, self.sizes, strict=True)
        ]
        return pages(costs, most=HEADERS_AT_ONCE if self.passed_over else PAGE_MESSAGES)

    def read(self, remote_name: str, start: int, end: int) -> Steps[Read]:
        """Fetch what is wanted of a page."""
        page = self.remote_ids[start:end]
        asked = tuple([remote_id for remote_id in page if remote_id in self.wanted])
        messages: tuple[NewMessage, ...] = (yield FetchMessages(remote_name, asked)) if asked else ()
        passed_over = [self.passed_over[remote_id] for remote_id in page if remote_id in self.passed_over]
        return Read(messages, tuple(passed_over))


def choose(remote_name: str, remote_ids: Sequence[str], sizes: Sequence[int]) -> Steps[Chosen]:
    """Fetch headers, HEADERS_AT_ONCE at most, and choose by them what is wanted."""
    headers: tuple[NewHeader, ...] = yield FetchHeaders(remote_name, tuple(remote_ids))
    wanted: frozenset[str] = yield ChooseWanted(headers)
    passed_over = {header.remote_id: header for header in headers if header.remote_id not in wanted}
    return Chosen(tuple(remote_ids), tuple(sizes), wanted, passed_over)


def read(remote_name: str, remote_ids: Sequence[str], *, headers_first: bool) -> Steps[Read]:
    """Fetch messages of one page. What is gone meanwhile is in neither list."""
    if not headers_first:
        messages: tuple[NewMessage, ...] = yield FetchMessages(remote_name, tuple(remote_ids))
        return Read(messages)
    chosen = yield from choose(remote_name, remote_ids, [0] * len(remote_ids))
    read = yield from chosen.read(remote_name, 0, len(remote_ids))
    return read
