"""Reading listed messages: whole, or headers first where only some are wanted (DESIGN.md 5, "Wants")."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from postroom.sync.asks import ChooseWanted, FetchGiant, FetchHeaders, FetchMessages, Steps
from postroom.sync.pages import GIANT_OCTETS
from postroom.sync.state import NewHeader, NewMessage


@dataclass(frozen=True, slots=True)
class Read:
    """What was read of a page's messages: whole ones, and those that were passed over by their headers."""

    messages: tuple[NewMessage, ...] = field(default=(), repr=False)
    passed_over: tuple[NewHeader, ...] = field(default=(), repr=False)


def read(remote_name: str, remote_ids: Sequence[str], *, headers_first: bool, sizes: Sequence[int] = ()) -> Steps[Read]:
    """Fetch messages of one page. What is gone meanwhile is in neither list.

    `sizes` in octets, as they were listed; headers tell them anew.
    """
    if not headers_first:
        messages = yield from _fetch(remote_name, remote_ids, sizes)
        return Read(messages)
    headers: tuple[NewHeader, ...] = yield FetchHeaders(remote_name, tuple(remote_ids))
    chosen: frozenset[str] = yield ChooseWanted(headers)
    wanted = [header for header in headers if header.remote_id in chosen]
    fetched = yield from _fetch(
        remote_name, [header.remote_id for header in wanted], [header.size for header in wanted]
    )
    return Read(fetched, tuple(header for header in headers if header.remote_id not in chosen))


def _fetch(remote_name: str, remote_ids: Sequence[str], sizes: Sequence[int]) -> Steps[tuple[NewMessage, ...]]:
    """Giants one by one and by way of the disk, the others at once."""
    giants = {remote_id: size for remote_id, size in zip(remote_ids, sizes, strict=False) if size > GIANT_OCTETS}
    usual = tuple(remote_id for remote_id in remote_ids if remote_id not in giants)
    messages: tuple[NewMessage, ...] = (yield FetchMessages(remote_name, usual)) if usual else ()
    for remote_id, size in giants.items():
        messages += yield FetchGiant(remote_name, remote_id, size)
    return messages
