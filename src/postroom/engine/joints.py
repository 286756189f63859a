"""Where lower parts meet higher ones: config/wiring.py installs, everybody else asks.

The layers only import downwards, yet the page writer (correspondence) has to file (filing). Such a need is a
protocol in the lower package and an entry here.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from uuid import UUID

from postroom.engine.store import Store


@dataclass(frozen=True, slots=True)
class KnownMessage:
    """A message that a mailbox holds: the folder it is in, by the provider's name, and its Message-ID header."""

    folder: str
    internet_message_id: str


def _none_known(mailbox_id: UUID, most: int) -> Sequence[KnownMessage]:
    return ()


@dataclass(frozen=True, slots=True)
class Joints:
    """What lower layers may ask of higher ones.

    `store` makes a store with its own database connection; close it after use.
    `forget_mailbox(mailbox_id, keep_history)` removes the mail of a disconnected mailbox that may not stay.
    `spool` is the folder for what is too large for memory; it is made when it is needed.
    `newest_messages(mailbox_id, most)` are messages by which a mailbox is told from another account's.
    """

    store: Callable[[], Store]
    forget_mailbox: Callable[[UUID, bool], None]
    spool: Path
    newest_messages: Callable[[UUID, int], Sequence[KnownMessage]] = _none_known


_installed: list[Joints] = []


def install(joints: Joints) -> None:
    _installed[:] = [joints]


def joints() -> Joints:
    return _installed[0]
