"""What can be worked out about a message before the page takes its workspace's lock, and its rows once it has it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any
from uuid import UUID

from postroom.correspondence import blobs
from postroom.correspondence.facts import MessageFacts
from postroom.correspondence.models import Attachment, Body, Direction, Message, Participant
from postroom.correspondence.rows import LARGEST_INTEGER, LONGEST_KEY, MOST_POSITIONS, storable, table_of
from postroom.engine.store import NewMessage
from postroom.mail.address import address_key
from postroom.mail.message import ROLES, Attached, ParsedMessage
from postroom.mail.mime.parsing import PARSER_VERSION
from postroom.mail.mime.plain import snippet
from postroom.mail.threading import ThreadFacts, facts_of
from postroom.workspaces.ids import new_id, new_row_id

Rows = list[tuple[Any, ...]]

UNREADABLE = "unreadable"  # Message.problem
SUBMISSION_HEADER = "x-postroom-submission"


@dataclass(frozen=True, slots=True)
class PreparedParticipant:
    role: str
    position: int
    name: str
    address: str
    key: str


@dataclass(frozen=True, slots=True)
class Prepared:
    """A new message with all that costs time: writing holds the workspace's lock, so little may be left for then.

    `id` is what it gets should the workspace not have it yet.
    """

    id: UUID
    workspace_id: UUID
    new: NewMessage
    thread_facts: ThreadFacts
    participants: tuple[PreparedParticipant, ...]
    digests: tuple[bytes, ...]
    snippet: str
    body_row: tuple[Any, ...]
    participant_rows: Rows
    attachment_rows: Rows

    @property
    def refs(self) -> tuple[UUID, ...]:
        """The reference keys that belong to its thread: its own first."""
        return (self.thread_facts.key, *self.thread_facts.refs)

    @property
    def files(self) -> Iterator[tuple[bytes, Attached]]:
        """(SHA-256, attachment) of each attachment."""
        return zip(self.digests, self.new.parsed.attachments, strict=True)

    def is_outgoing(self, own_keys: frozenset[str]) -> bool:
        return any(person.role == "from" and person.key in own_keys for person in self.participants)


def digests_of(new: NewMessage) -> tuple[bytes, ...]:
    """The SHA-256 of each attachment."""
    return tuple([attachment.digest() for attachment in new.parsed.attachments])


def prepare(new: NewMessage, digests: tuple[bytes, ...], workspace_id: UUID) -> Prepared:
    """Prepare a message; `digests` are those of its attachments."""
    parsed = new.parsed
    message_id = new_id()
    participants = tuple(_participants(new))
    content = blobs.pack(parsed.text, parsed.html, parsed.raw_headers)
    return Prepared(
        id=message_id,
        workspace_id=workspace_id,
        new=new,
        thread_facts=facts_of(parsed, new.identity),
        participants=participants,
        digests=digests,
        snippet=storable(snippet(parsed)),
        body_row=table_of(Body).row(message_id=message_id, workspace_id=workspace_id, content=content),
        participant_rows=_participant_rows(participants, message_id, workspace_id),
        attachment_rows=_attachment_rows(parsed.attachments, digests, message_id, workspace_id),
    )


def _participants(new: NewMessage) -> Iterator[PreparedParticipant]:
    parsed = new.parsed
    for role, addresses in zip(ROLES, (parsed.from_, parsed.to, parsed.cc, parsed.bcc, parsed.reply_to), strict=True):
        for position, person in enumerate(addresses[:MOST_POSITIONS]):
            yield PreparedParticipant(role, position, *_spellings(person.name, person.address))


@lru_cache(maxsize=10_000)  # the same people write again and again
def _spellings(name: str, address: str) -> tuple[str, str, str]:
    """Name, address and key as they are stored."""
    return storable(name), storable(address), storable(address_key(address))[:LONGEST_KEY]


def _participant_rows(participants: Sequence[PreparedParticipant], message_id: UUID, workspace_id: UUID) -> Rows:
    row = table_of(Participant).row
    return [
        row(
            workspace_id=workspace_id,
            message_id=message_id,
            role=person.role,
            position=person.position,
            name=person.name,
            address=person.address,
            key=person.key,
        )
        for person in participants
    ]


def _attachment_rows(
    attachments: Sequence[Attached], digests: Sequence[bytes], message_id: UUID, workspace_id: UUID
) -> Rows:
    row = table_of(Attachment).row
    return [
        row(
            id=new_row_id(),
            workspace_id=workspace_id,
            message_id=message_id,
            position=position,
            filename=storable(attachment.filename),
            content_type=storable(attachment.content_type),
            size=attachment.size,
            sha256=sha256,
            content_id=storable(attachment.content_id),
            is_inline=attachment.is_inline,
        )
        for position, attachment, sha256 in zip(range(MOST_POSITIONS), attachments, digests, strict=False)
    ]


@dataclass(frozen=True, slots=True)
class StoredMessage:
    """A prepared message, which is new to its workspace, in its thread."""

    prepared: Prepared
    thread_id: UUID
    is_outgoing: bool

    @property
    def id(self) -> UUID:
        return self.prepared.id

    def facts(self) -> MessageFacts:
        parsed = self.prepared.new.parsed
        return MessageFacts(
            message_id=self.id,
            thread_id=self.thread_id,
            at=self.prepared.new.received_at,
            is_outgoing=self.is_outgoing,
            internet_message_id=storable(parsed.internet_message_id),
            submission=parsed.extra_headers.get(SUBMISSION_HEADER, ""),
            participants=tuple((person.role, person.key) for person in self.prepared.participants if person.key),
        )

    def message_row(self) -> tuple[Any, ...]:
        new, parsed = self.prepared.new, self.prepared.new.parsed
        sender = next((person for person in self.prepared.participants if person.role == "from"), None)
        return table_of(Message).row(
            id=self.id,
            workspace_id=self.prepared.workspace_id,
            thread_id=self.thread_id,
            identity=new.identity,
            ref=self.prepared.thread_facts.key,
            internet_message_id=storable(parsed.internet_message_id),
            direction=(Direction.OUT if self.is_outgoing else Direction.IN).value,
            at=new.received_at,
            date=parsed.date,
            from_name=sender.name if sender else "",
            from_address=sender.address if sender else "",
            subject=storable(parsed.subject),
            snippet=self.prepared.snippet,
            size=min(new.raw_size, LARGEST_INTEGER),
            attachment_count=min(len(parsed.attachments), MOST_POSITIONS),
            is_readable=parsed.is_readable,
            problem=problem_of(parsed),
            parser_version=PARSER_VERSION,
            has_twin=False,
        )


def problem_of(parsed: ParsedMessage) -> str:
    """Message.problem, "" when there is none."""
    if parsed.is_too_large:
        return "too_large"
    return "" if parsed.is_readable else UNREADABLE
