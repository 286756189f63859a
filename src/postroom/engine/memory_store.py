"""A store without a database: the same contract, for tests of sync and for trying things out.

It shares the pure parts with PostgreSQL's store (threads, reference keys) and passes the same suite
(tests/contract/store_contract.py). Several objects may share one `Memory`, as several workers share one database.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from uuid import UUID, uuid4

from postroom.engine.store import (
    Conflict,
    Fenced,
    FolderState,
    MailboxState,
    NewMessage,
    Page,
    PlannedSlice,
    Saved,
    SliceState,
)
from postroom.mail.message import ParsedMessage
from postroom.mail.threading import assign_threads, facts_of
from postroom.sync.remote import RemoteFolder


@dataclass(slots=True)
class Memory:
    """What is stored. `messages` by (workspace, identity); `placements` and `sightings` by (folder, remote id)."""

    mailboxes: dict[UUID, MailboxState] = field(default_factory=dict)
    folder_owner: dict[UUID, UUID] = field(default_factory=dict)
    messages: dict[tuple[UUID, UUID], NewMessage] = field(default_factory=dict)
    placements: dict[tuple[UUID, str], UUID] = field(default_factory=dict)
    flags: dict[tuple[UUID, str], tuple[str, ...]] = field(default_factory=dict)
    sightings: dict[tuple[UUID, str], NewMessage] = field(default_factory=dict)
    wanted: set[tuple[UUID, str]] = field(default_factory=set)
    threads: dict[tuple[UUID, UUID], UUID] = field(default_factory=dict)  # (workspace, reference key) → thread
    slices: dict[UUID, SliceState] = field(default_factory=dict)
    done: dict[UUID, int] = field(default_factory=dict)  # imported remote ids by mailbox

    def add_mailbox(self, workspace_id: UUID, address: str, *, keep: str = "everything") -> MailboxState:
        mailbox = MailboxState(uuid4(), workspace_id, address, "memory", keep, 30, 1, False, ())
        self.mailboxes[mailbox.id] = mailbox
        return mailbox

    def claim(self, mailbox_id: UUID) -> int:
        """Another worker takes the mailbox; its new epoch."""
        mailbox = self.mailboxes[mailbox_id]
        self.mailboxes[mailbox_id] = replace(mailbox, epoch=mailbox.epoch + 1)
        return mailbox.epoch + 1

    def thread_of(self, workspace_id: UUID, identity: UUID) -> UUID:
        return self.threads[workspace_id, facts_of(self.messages[workspace_id, identity].parsed, identity).key]


class MemoryStore:
    """engine.store.Store on a Memory. `belongs` says whether a message is on a record, where only such are kept."""

    def __init__(self, memory: Memory | None = None, belongs: Callable[[ParsedMessage], bool] | None = None) -> None:
        self.memory = memory or Memory()
        self.belongs = belongs or (lambda parsed: False)

    def load_mailbox(self, mailbox_id: UUID) -> MailboxState:
        if mailbox_id not in self.memory.mailboxes:
            raise Fenced
        return self.memory.mailboxes[mailbox_id]

    def save_folders(self, mailbox_id: UUID, epoch: int, folders: Sequence[RemoteFolder]) -> tuple[FolderState, ...]:
        mailbox = self._hold(mailbox_id, epoch)
        listed = {folder.remote_name: folder for folder in folders if folder.is_selectable}
        known = {folder.remote_name: folder for folder in mailbox.folders}
        for name, folder in listed.items():
            state = known.get(name) or FolderState(uuid4(), name, folder.role, "", 0)
            known[name] = replace(state, role=folder.role, is_synced=True)
            self.memory.folder_owner[state.id] = mailbox_id
        states = tuple(folder if name in listed else self._leave(folder) for name, folder in known.items())
        self.memory.mailboxes[mailbox_id] = replace(mailbox, folders=states)
        return tuple(folder for folder in states if folder.is_synced)

    def save_plan(
        self,
        mailbox_id: UUID,
        epoch: int,
        cursors: dict[UUID, str],
        slices: Sequence[PlannedSlice],
        *,
        replaces: bool = True,
    ) -> tuple[UUID, ...]:
        self._hold(mailbox_id, epoch)
        if replaces:
            for old in [found.id for found in self.memory.slices.values() if found.mailbox_id == mailbox_id]:
                del self.memory.slices[old]
        for folder_id, cursor in cursors.items():
            self._move_cursor(mailbox_id, folder_id, cursor)
        names = {folder.id: folder.remote_name for folder in self.memory.mailboxes[mailbox_id].folders}
        ids = []
        for planned in slices:
            found = SliceState(
                uuid4(), mailbox_id, planned.folder_id, names[planned.folder_id], planned.remote_ids, planned.sizes
            )
            self.memory.slices[found.id] = found
            ids.append(found.id)
        self.memory.mailboxes[mailbox_id] = replace(self.memory.mailboxes[mailbox_id], is_planned=True)
        return tuple(ids)

    def find_slice(self, slice_id: UUID) -> SliceState | None:
        found = self.memory.slices.get(slice_id)
        return None if found is None or found.done_count >= len(found.remote_ids) else found

    def known_remote_ids(self, folder_id: UUID) -> set[str]:
        passed_over = self.memory.sightings.keys() - self.memory.wanted
        return {remote_id for folder, remote_id in self.memory.placements.keys() | passed_over if folder == folder_id}

    def wanted(self, mailbox_id: UUID, limit: int) -> list[tuple[UUID, str, tuple[str, ...]]]:
        found = []
        for folder in filter(lambda folder: folder.is_synced, self.memory.mailboxes[mailbox_id].folders):
            ids = sorted(remote_id for folder_id, remote_id in self.memory.wanted if folder_id == folder.id)[:limit]
            limit -= len(ids)
            if ids:
                found.append((folder.id, folder.remote_name, tuple(ids)))
        return found

    def save_page(self, page: Page) -> Saved:
        """All or nothing: everything that can be refused is looked at before anything is changed."""
        mailbox = self._check(page)
        for remote_id in page.removed:
            self._forget(page.folder_id, remote_id)
        for remote_id, flags in page.flagged:
            if (page.folder_id, remote_id) in self.memory.placements:
                self.memory.flags[page.folder_id, remote_id] = flags
        new = kept = filed = 0
        for message in page.messages:
            is_filed = self.belongs(message.parsed)
            if mailbox.keep == "everything" or is_filed:
                kept += 1
                filed += is_filed
                new += self._keep(mailbox.workspace_id, page.folder_id, message)
            elif (page.folder_id, message.remote_id) not in self.memory.placements:
                self._forget(page.folder_id, message.remote_id)
                self.memory.sightings[page.folder_id, message.remote_id] = message
        self._advance(page)
        return Saved(new=new, filed=filed, kept=kept)

    def close(self) -> None:
        pass

    def _keep(self, workspace_id: UUID, folder_id: UUID, message: NewMessage) -> bool:
        """Store and place a message; whether it is new to the workspace."""
        place = folder_id, message.remote_id
        if place in self.memory.placements:
            return False
        self.memory.placements[place] = message.identity
        self.memory.flags[place] = message.flags
        self.memory.sightings.pop(place, None)
        self.memory.wanted.discard(place)
        if (workspace_id, message.identity) in self.memory.messages:
            return False
        self.memory.messages[workspace_id, message.identity] = message
        self._thread(workspace_id, message)
        return True

    def _thread(self, workspace_id: UUID, message: NewMessage) -> None:
        facts = facts_of(message.parsed, message.identity)
        refs = (facts.key, *facts.refs)
        threads = self.memory.threads
        known = {ref: threads[workspace_id, ref] for ref in refs if (workspace_id, ref) in threads}
        plan = assign_threads([facts], known, uuid4)
        for place, thread_id in threads.items():
            threads[place] = plan.merges.get(thread_id, thread_id)
        threads.update({(workspace_id, ref): thread_id for ref, thread_id in plan.new_refs})

    def _forget(self, folder_id: UUID, remote_id: str) -> None:
        place = folder_id, remote_id
        self.memory.placements.pop(place, None)
        self.memory.flags.pop(place, None)
        self.memory.sightings.pop(place, None)
        self.memory.wanted.discard(place)

    def _check(self, page: Page) -> MailboxState:
        mailbox = self._hold(page.mailbox_id, page.epoch)
        if page.cursor is not None:
            folder = next((folder for folder in mailbox.folders if folder.id == page.folder_id), None)
            if folder is None or folder.version != page.version:
                raise Conflict
        if page.slice_id is not None:
            found = self.memory.slices.get(page.slice_id)
            if found is None:
                raise Fenced
            if found.done_count != page.slice_from or found.done_count >= len(found.remote_ids):
                raise Conflict
        return mailbox

    def _leave(self, folder: FolderState) -> FolderState:
        """The folder is gone, and its open slices with it; should it come back it is planned anew."""
        slices = self.memory.slices
        dropped = [found.id for found in slices.values() if found.folder_id == folder.id and self.find_slice(found.id)]
        for slice_id in dropped:
            del slices[slice_id]
        return replace(folder, is_synced=False, cursor="" if dropped else folder.cursor)

    def _hold(self, mailbox_id: UUID, epoch: int | None) -> MailboxState:
        mailbox = self.memory.mailboxes.get(mailbox_id)
        if mailbox is None or (epoch is not None and mailbox.epoch != epoch):
            raise Fenced
        return mailbox

    def _advance(self, page: Page) -> None:
        if page.cursor is not None:
            self._move_cursor(page.mailbox_id, page.folder_id, page.cursor)
        if page.slice_id is not None:
            found = self.memory.slices[page.slice_id]
            self.memory.slices[page.slice_id] = replace(found, done_count=page.slice_done)
            done = self.memory.done.get(page.mailbox_id, 0)
            self.memory.done[page.mailbox_id] = done + page.slice_done - page.slice_from

    def _move_cursor(self, mailbox_id: UUID, folder_id: UUID, cursor: str) -> None:
        mailbox = self.memory.mailboxes[mailbox_id]
        folders = tuple(
            replace(folder, cursor=cursor, version=folder.version + 1) if folder.id == folder_id else folder
            for folder in mailbox.folders
        )
        self.memory.mailboxes[mailbox_id] = replace(mailbox, folders=folders)
