"""Reading listed messages: whole, or headers first where only some are wanted (DESIGN.md 5, "Wants")."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from postroom.sync.asks import ChooseWanted, FetchGiant, FetchHeaders, FetchMessages, Steps
from postroom.sync.manner import WHOLE, Manner
from postroom.sync.pages import GIANT_OCTETS, pages
from postroom.sync.remote import RemoteMessage, TooMuchAtOnce
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

    def pages(self, manner: Manner) -> Iterator[tuple[int, int]]:
        """(start, end) of every page: headers cost next to nothing to save, so pages may hold more of them."""
        costs = [
            size if remote_id in self.wanted else _HEADER_OCTETS
            for remote_id, size in zip(self.remote_ids, self.sizes, strict=True)
        ]
        return pages(costs, most=HEADERS_AT_ONCE if self.passed_over else manner.page_messages)

    def read(self, remote_name: str, start: int, end: int) -> Steps[Read]:
        """Fetch what is wanted of a page."""
        page = self.remote_ids[start:end]
        asked = {
            remote_id: size
            for remote_id, size in zip(page, self.sizes[start:end], strict=True)
            if remote_id in self.wanted
        }
        messages = yield from _fetch(remote_name, asked)
        passed_over = [self.passed_over[remote_id] for remote_id in page if remote_id in self.passed_over]
        return Read(messages, tuple(passed_over))


def choose(
    remote_name: str, remote_ids: Sequence[str], sizes: Sequence[int], besides: Collection[str] = ()
) -> Steps[Chosen]:
    """Fetch headers, HEADERS_AT_ONCE at most, and choose by them what is wanted. Not of those `besides`."""
    asked = tuple(remote_id for remote_id in remote_ids if remote_id not in besides) if besides else tuple(remote_ids)
    headers: tuple[NewHeader, ...] = (yield FetchHeaders(remote_name, asked)) if asked else ()
    wanted: frozenset[str] = (yield ChooseWanted(headers)) if headers else frozenset()
    passed_over = {header.remote_id: header for header in headers if header.remote_id not in wanted}
    told = {header.remote_id: header.size for header in headers}
    sizes = [size or told.get(remote_id, 0) for remote_id, size in zip(remote_ids, sizes, strict=True)]
    return Chosen(tuple(remote_ids), tuple(sizes), wanted, passed_over)


def read(
    remote_name: str, remote_ids: Sequence[str], manner: Manner = WHOLE, *, sizes: Sequence[int] = ()
) -> Steps[Read]:
    """Fetch messages of one page. What is gone meanwhile is in neither list.

    `sizes` in octets, as they were listed (0: not told): what is too large for memory goes by way of the disk.
    """
    sizes = sizes or [0] * len(remote_ids)
    if not manner.headers_first:
        messages = yield from _fetch(remote_name, dict(zip(remote_ids, sizes, strict=True)))
        return Read(messages)
    chosen = yield from choose(remote_name, remote_ids, sizes)
    read = yield from chosen.read(remote_name, 0, len(remote_ids))
    return read


def read_listed(remote_name: str, listed: Sequence[RemoteMessage], manner: Manner) -> Steps[Read]:
    """The same for messages as they were listed, of which there may be none."""
    if not listed:
        return Read()
    ids = [message.remote_id for message in listed]
    return (yield from read(remote_name, ids, manner, sizes=[message.size for message in listed]))


def _fetch(remote_name: str, sizes: Mapping[str, int]) -> Steps[tuple[NewMessage, ...]]:
    """Fetch messages, given by remote id with their sizes: giants one by one, the others at once.

    Where sizes were not told, all may turn out to be giants.
    """
    giants = [remote_id for remote_id, size in sizes.items() if size > GIANT_OCTETS]
    usual = tuple(sizes) if not giants else tuple([one for one in sizes if sizes[one] <= GIANT_OCTETS])
    messages: tuple[NewMessage, ...] = ()
    try:
        messages = (yield FetchMessages(remote_name, usual)) if usual else ()
    except TooMuchAtOnce:
        giants = list(sizes)
    for remote_id in giants:
        messages += yield FetchGiant(remote_name, remote_id, sizes[remote_id])
    return messages
