"""A mailbox at a provider and a store of its messages, both small enough to see through.

`World.run` drives steps like the engine does and can crash at the n-th ask: everything the store saved stays,
everything the step knew is gone. `World.change` alters the mailbox between two asks.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any
from uuid import UUID, uuid5

from postroom.mail.message import ParsedMessage
from postroom.sync import asks
from postroom.sync.remote import Changes, RemoteFolder, RemoteMessage, Window
from postroom.sync.state import Conflict, Fenced, FolderState, NewMessage, Saved, SliceState

NAMESPACE = UUID("5c2f0a52-4f0e-4b8e-9d0e-1d2a3b4c5d6e")
WHEN = datetime(2026, 1, 1, tzinfo=UTC)


class Crash(Exception):
    """kill -9."""


@dataclass
class RemoteMailbox:
    """One folder with UIDs: `messages` maps the UID to what the message says."""

    validity: int = 1
    next_uid: int = 1
    messages: dict[int, str] = field(default_factory=dict)

    def deliver(self, content: str) -> None:
        self.messages[self.next_uid] = content
        self.next_uid += 1

    def expunge(self, content: str) -> None:
        self.messages = {uid: kept for uid, kept in self.messages.items() if kept != content}

    def renumber(self) -> None:
        """A UIDVALIDITY change: the same messages under new numbers."""
        self.validity += 1
        self.messages = dict(enumerate(self.messages.values(), start=1))
        self.next_uid = len(self.messages) + 1

    def listed(self, since: int = 1) -> tuple[RemoteMessage, ...]:
        uids = sorted((uid for uid in self.messages if uid >= since), reverse=True)
        return tuple(RemoteMessage(f"{self.validity}.{uid}", size=100) for uid in uids)

    @property
    def cursor(self) -> str:
        return f"{self.validity}.{self.next_uid}"

    def changes(self, cursor: str, *, is_full: bool) -> Changes:
        validity, _, next_uid = cursor.partition(".")
        if int(validity) != self.validity:
            return Changes(added=self.listed(), cursor=self.cursor, is_full=True, was_reset=True)
        if is_full:
            return Changes(added=self.listed(), cursor=self.cursor, is_full=True)
        return Changes(added=self.listed(int(next_uid)), cursor=self.cursor)

    def fetch(self, remote_ids: tuple[str, ...]) -> tuple[NewMessage, ...]:
        found = []
        for remote_id in remote_ids:
            validity, _, uid = remote_id.partition(".")
            if int(validity) == self.validity and int(uid) in self.messages:
                content = self.messages[int(uid)]
                found.append(
                    NewMessage(remote_id, 100, uuid5(NAMESPACE, content), WHEN, (), ParsedMessage(subject=content))
                )
        return tuple(found)


@dataclass
class World:
    """The mailbox, the store, and the fault that is to happen."""

    remote: RemoteMailbox = field(default_factory=RemoteMailbox)
    messages: dict[UUID, str] = field(default_factory=dict)
    placements: dict[str, UUID] = field(default_factory=dict)
    folder: FolderState = field(default_factory=lambda: FolderState(uuid5(NAMESPACE, "inbox"), "INBOX", "inbox", "", 0))
    slices: dict[UUID, SliceState] = field(default_factory=dict)
    mailbox_id: UUID = field(default_factory=lambda: uuid5(NAMESPACE, "mailbox"))
    epoch: int = 1
    lists_in_full: bool = False
    saved_twice: int = 0

    def run(self, steps: Any, *, crash_at: int | None = None, change: Callable[[int], None] | None = None) -> Any:
        """Drive steps to their end; raise Crash before the n-th ask is answered."""
        answer: Any = None
        error: Exception | None = None
        count = 0
        while True:
            try:
                ask = steps.send(answer) if error is None else steps.throw(error)
            except StopIteration as stop:
                return stop.value
            if count == crash_at:
                raise Crash
            if change is not None:
                change(count)
            count += 1
            try:
                answer, error = self._answer(ask), None
            except (Fenced, Conflict) as failure:
                answer, error = None, failure

    def _answer(self, ask: asks.Ask) -> Any:
        match ask:
            case asks.ListFolders():
                return [RemoteFolder("INBOX", "Inbox", "inbox"), RemoteFolder("Junk", "Junk", "junk")]
            case asks.SaveFolders(folders):
                assert [folder.remote_name for folder in folders] == ["INBOX"]
                return (self.folder,)
            case asks.ListWindow():
                return Window(self.remote.listed(), self.remote.cursor)
            case asks.KnownRemoteIds():
                return set(self.placements)
            case asks.SavePlan(cursors, slices):
                for folder_id, cursor in cursors.items():
                    assert folder_id == self.folder.id
                    self.folder = replace(self.folder, cursor=cursor, version=self.folder.version + 1)
                ids = []
                for piece in slices:
                    slice_id = uuid5(NAMESPACE, f"slice {len(self.slices)}")
                    self.slices[slice_id] = SliceState(
                        slice_id, self.mailbox_id, piece.folder_id, "INBOX", piece.remote_ids, piece.sizes
                    )
                    ids.append(slice_id)
                return tuple(ids)
            case asks.ListChanges(_, cursor):
                return self.remote.changes(cursor, is_full=self.lists_in_full)
            case asks.FetchMessages(_, remote_ids):
                return self.remote.fetch(remote_ids)
            case asks.SavePage(page):
                return self._save(page)
            case asks.LoadWanted():
                return []

    def _save(self, page: Any) -> Saved:
        if page.epoch is not None and page.epoch != self.epoch:
            raise Fenced
        if page.cursor is not None:
            if page.version != self.folder.version:
                raise Conflict
            self.folder = replace(self.folder, cursor=page.cursor, version=page.version + 1)
        if page.slice_id is not None:
            piece = self.slices[page.slice_id]
            if piece.done_count != page.slice_from:
                raise Conflict
            self.slices[page.slice_id] = replace(piece, done_count=page.slice_done)
        new = 0
        for message in page.messages:
            new += message.identity not in self.messages
            self.saved_twice += message.remote_id in self.placements
            self.messages[message.identity] = message.parsed.subject
            self.placements[message.remote_id] = message.identity
        for remote_id in page.removed:
            self.placements.pop(remote_id, None)
        return Saved(new=new, kept=len(page.messages))

    def open_slices(self) -> list[SliceState]:
        return [piece for piece in self.slices.values() if piece.done_count < len(piece.remote_ids)]

    def placed(self) -> set[tuple[str, str]]:
        """(remote id, content) as the store believes it."""
        return {(remote_id, self.messages[identity]) for remote_id, identity in self.placements.items()}

    def truth(self) -> set[tuple[str, str]]:
        return {(f"{self.remote.validity}.{uid}", content) for uid, content in self.remote.messages.items()}
