"""What is worked out about a header before it is decided whether its message is wanted."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from uuid import UUID

from postroom.correspondence import sightings
from postroom.correspondence.facts import MessageFacts
from postroom.correspondence.prepared import SUBMISSION_HEADER
from postroom.correspondence.rows import LONGEST_KEY, storable
from postroom.correspondence.sightings import Sighted
from postroom.engine.store import NewHeader
from postroom.mail.address import address_key
from postroom.mail.message import ParsedMessage
from postroom.mail.threading import ThreadFacts
from postroom.workspaces.ids import new_id


@dataclass(frozen=True, slots=True)
class PreparedHeader:
    """A header with what threading and filing ask of it. `id` is its name in one decision, no more."""

    id: UUID
    new: NewHeader
    thread_facts: ThreadFacts
    participants: tuple[tuple[str, str], ...]

    @property
    def is_nameless(self) -> bool:
        """Without a Message-ID: which message it is shows only when it is read whole (mail/mime/identity.py)."""
        return not self.new.parsed.internet_message_id

    def facts(self, thread_id: UUID, own_keys: frozenset[str]) -> MessageFacts:
        parsed = self.new.parsed
        return MessageFacts(
            message_id=self.id,
            thread_id=thread_id,
            at=self.new.received_at,
            is_outgoing=any(role == "from" and key in own_keys for role, key in self.participants),
            internet_message_id=storable(parsed.internet_message_id),
            submission=parsed.extra_headers.get(SUBMISSION_HEADER, ""),
            participants=self.participants,
        )

    def sighted(self, workspace_id: UUID, *, is_wanted: bool) -> Sighted:
        keys = (key for _, key in self.participants)
        hashes = sightings.hashes_of(workspace_id, keys, self.new.refs)
        return Sighted(self.new.remote_id, self.new.received_at, self.new.size, hashes, is_wanted)


def prepare_header(new: NewHeader) -> PreparedHeader:
    refs = new.refs
    own, others = (refs[0], refs[1:]) if new.parsed.internet_message_id else (new_id(), refs)
    return PreparedHeader(new_id(), new, ThreadFacts(own, others), _participants(new.parsed))


def _participants(parsed: ParsedMessage) -> tuple[tuple[str, str], ...]:
    """(role, key) as they are compared with those of contacts and of stored messages."""
    named = [(role, _key(person.address)) for role, person in parsed.participants()]
    return tuple([(role, key) for role, key in named if key])


@lru_cache(maxsize=10_000)  # the same people write again and again
def _key(address: str) -> str:
    return storable(address_key(address))[:LONGEST_KEY]
