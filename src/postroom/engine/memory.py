"""What a store without a database keeps (memory_store.py): plain dictionaries, which tests may look into."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any
from uuid import UUID, uuid4

from postroom.engine.store import FolderState, Hold, MailboxState, NewMessage, SliceState
from postroom.mail.threading import facts_of

Place = tuple[UUID, str]  # folder, remote id


@dataclass(frozen=True, slots=True)
class Kept:
    """A message in a folder; `identity` says which."""

    identity: UUID
    flags: tuple[str, ...]
    size: int
    received_at: datetime


@dataclass(slots=True)
class Memory:
    """What is stored. `messages` by (workspace, identity); `chosen` folders and `questions` by folder.

    `sightings` have (time, size). `left` are messages where they were last, of a mailbox that has them nowhere now.
    `addresses` of the workspaces' records have the time when they came.
    """

    mailboxes: dict[UUID, MailboxState] = field(default_factory=dict)
    folder_owner: dict[UUID, UUID] = field(default_factory=dict)
    messages: dict[tuple[UUID, UUID], NewMessage] = field(default_factory=dict)
    placements: dict[Place, Kept] = field(default_factory=dict)
    left: dict[Place, Kept] = field(default_factory=dict)
    sightings: dict[Place, tuple[datetime, int]] = field(default_factory=dict)
    wanted: set[Place] = field(default_factory=set)
    chosen: dict[UUID, bool] = field(default_factory=dict)
    questions: dict[UUID, Hold] = field(default_factory=dict)
    threads: dict[tuple[UUID, UUID], UUID] = field(default_factory=dict)  # (workspace, reference key) → thread
    slices: dict[UUID, SliceState] = field(default_factory=dict)
    done: dict[UUID, int] = field(default_factory=dict)  # imported remote ids by mailbox
    addresses: dict[str, datetime] = field(default_factory=dict)
    asked_until: dict[UUID, datetime] = field(default_factory=dict)  # by mailbox

    def add_mailbox(self, workspace_id: UUID, address: str, *, keep: str = "everything") -> MailboxState:
        mailbox = MailboxState(uuid4(), workspace_id, address, "memory", keep, 30, 1, False, ())
        self.mailboxes[mailbox.id] = mailbox
        return mailbox

    def claim(self, mailbox_id: UUID) -> int:
        """Another worker takes the mailbox; its new epoch."""
        mailbox = self.mailboxes[mailbox_id]
        self.mailboxes[mailbox_id] = replace(mailbox, epoch=mailbox.epoch + 1)
        return mailbox.epoch + 1

    def change_folder(self, folder_id: UUID, **changes: Any) -> None:
        """Replace fields of a folder's state."""
        mailbox = self.mailboxes[self.folder_owner[folder_id]]
        folders = tuple(replace(one, **changes) if one.id == folder_id else one for one in mailbox.folders)
        self.mailboxes[mailbox.id] = replace(mailbox, folders=folders)

    def folder(self, folder_id: UUID) -> FolderState:
        folders = self.mailboxes[self.folder_owner[folder_id]].folders
        return next(folder for folder in folders if folder.id == folder_id)

    def thread_of(self, workspace_id: UUID, identity: UUID) -> UUID:
        return self.threads[workspace_id, facts_of(self.messages[workspace_id, identity].parsed, identity).key]

    def add_addresses(self, *keys: str) -> None:
        """Somebody puts addresses on a record."""
        self.addresses |= dict.fromkeys(keys, datetime.now(UTC))
