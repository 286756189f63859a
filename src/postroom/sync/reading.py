"""Reading listed messages: whole, or headers first where only some are wanted (DESIGN.md 5, "Wants")."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from postroom.sync.asks import ChooseWanted, FetchHeaders, FetchMessages, Steps
from postroom.sync.state import NewHeader, NewMessage


@dataclass(frozen=True, slots=True)
class Read:
    """What was read of a page's messages: whole ones, and those that were passed over by their headers."""

    messages: tuple[NewMessage, ...] = field(default=(), repr=False)
    passed_over: tuple[NewHeader, ...] = field(default=(), repr=False)


def read(remote_name: str, remote_ids: Sequence[str], *, headers_first: bool) -> Steps[Read]:
    """Fetch messages of one page. What is gone meanwhile is in neither list."""
    if not headers_first:
        messages: tuple[NewMessage, ...] = yield FetchMessages(remote_name, tuple(remote_ids))
        return Read(messages)
    headers: tuple[NewHeader, ...] = yield FetchHeaders(remote_name, tuple(remote_ids))
    wanted: frozenset[str] = yield ChooseWanted(headers)
    asked = tuple(header.remote_id for header in headers if header.remote_id in wanted)
    fetched: tuple[NewMessage, ...] = (yield FetchMessages(remote_name, asked)) if asked else ()
    return Read(fetched, tuple(header for header in headers if header.remote_id not in wanted))
