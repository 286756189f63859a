"""What filing may know of a message: a value without database, so that matching stays a pure function."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID


@dataclass(frozen=True, slots=True)
class MessageFacts:
    """What filing may know of a message that is new. `participants` are (role, address key) in their order.

    `submission` is the X-Postroom-Submission header, a claim; "" without one.
    """

    message_id: UUID
    thread_id: UUID
    at: datetime
    is_outgoing: bool
    internet_message_id: str
    submission: str
    participants: tuple[tuple[str, str], ...]
