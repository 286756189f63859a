"""The thread that is open in a timeline."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from postroom.correspondence.models import Message
from postroom.filing.explain import Why
from postroom.filing.threads import ThreadView
from postroom.filing.timeline import Entry
from postroom.web.events import topics
from postroom.web.record_page import RecordPage
from postroom.workspaces.members import Member


@dataclass(frozen=True, slots=True)
class OpenThread:
    """A thread in a record's timeline: `message_id` is the entry it opened from."""

    view: ThreadView
    message_id: UUID
    thread_id: UUID
    evidence: list[Why]
    filing: Why | None  # the one on this record

    @classmethod
    def of(cls, view: ThreadView, message: Message, evidence: list[Why], page: RecordPage) -> OpenThread:
        here = next((why for why in evidence if why.record_id == page.pk), None)
        return cls(view, message.pk, message.thread_id, evidence, here)

    def beside(self, entries: Iterable[Entry]) -> list[Entry]:
        """What stays in the timeline: the other threads, notes, and the entry that the thread stands in for."""
        return [
            entry
            for entry in entries
            if entry.id == self.message_id or entry.message is None or entry.message.thread_id != self.thread_id
        ]

    def is_among(self, entries: Iterable[Entry]) -> bool:
        """Whether the timeline's page has the entry; a link from elsewhere may open one of an older page."""
        return any(entry.id == self.message_id for entry in entries)

    @property
    def topic(self) -> str:
        return f"thread:{self.thread_id}"

    @property
    def last(self) -> Any:
        return self.view.messages[-1] if self.view.messages else None

    def stream_url(self, member: Member, page: RecordPage) -> str:
        return topics.stream_url(member, [page.topic, self.topic])
