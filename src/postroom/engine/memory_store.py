"""A store without a database: the same contract, for tests of sync and for trying things out.

It shares the pure parts with PostgreSQL's store (threads, reference keys) and passes the same suite
(tests/contract/store_contract.py). Several objects may share one `Memory`, as several workers share one database.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, date, datetime
from itertools import compress
from uuid import UUID, uuid4

from postroom.engine.memory import Kept, Memory, Place
from postroom.engine.store import (
    ASKED_AGAIN,
    Addresses,
    Conflict,
    Fenced,
    FolderState,
    Hold,
    Known,
    KnownMessage,
    MailboxState,
    NewHeader,
    NewMessage,
    Page,
    Placed,
    PlannedSlice,
    Rebuild,
    Saved,
    SliceState,
    Wanted,
)
from postroom.mail.message import ParsedMessage
from postroom.mail.threading import assign_threads, facts_of
from postroom.sync.folders import renamed
from postroom.sync.remote import RemoteFolder

__all__ = ["Memory", "MemoryStore"]


class MemoryStore:
    """engine.store.Store on a Memory. `belongs` says whether a message is on a record, where only such are kept."""

    def __init__(self, memory: Memory | None = None, belongs: Callable[[ParsedMessage], bool] | None = None) -> None:
        self.memory = memory or Memory()
        self.belongs = belongs or (lambda parsed: False)

    def load_mailbox(self, mailbox_id: UUID) -> MailboxState:
        if mailbox_id not in self.memory.mailboxes:
            raise Fenced
        return self.memory.mailboxes[mailbox_id]

    def save_folders(
        self, mailbox_id: UUID, epoch: int, folders: Sequence[RemoteFolder], left_out: Collection[str] = ()
    ) -> tuple[FolderState, ...]:
        known = self._hold(mailbox_id, epoch).folders
        listed = {folder.remote_name: folder for folder in folders if folder.is_selectable}
        names = renamed(known, list(listed.values()))
        states = {folder.remote_name: folder for folder in known if folder.id not in names}
        for folder in known:
            if folder.id in names:
                states[names[folder.id]] = replace(folder, remote_name=names[folder.id])
        for name, remote in listed.items():
            state = states.get(name) or FolderState(uuid4(), name, remote.role, "", 0)
            is_synced = self.memory.chosen.get(state.id, name not in left_out)
            identity = remote.identity or state.identity
            states[name] = replace(state, role=remote.role, is_synced=is_synced, identity=identity)
            self.memory.folder_owner[state.id] = mailbox_id
        mailbox = self.memory.mailboxes[mailbox_id]
        self.memory.mailboxes[mailbox_id] = replace(mailbox, folders=tuple(states.values()))
        for state in states.values():
            if state.remote_name not in listed:
                self._leave(state)
            elif not state.is_synced and self._drop_slices(state.id):
                self.memory.change_folder(state.id, cursor="", version=state.version + 1, listed_since=None)
        return tuple(folder for folder in self.memory.mailboxes[mailbox_id].folders if folder.is_synced)

    def save_plan(
        self,
        mailbox_id: UUID,
        epoch: int,
        cursors: dict[UUID, str],
        slices: Sequence[PlannedSlice],
        listed_since: Mapping[UUID, date] | None = None,
        asked_until: datetime | None = None,
    ) -> tuple[UUID, ...]:
        self._hold(mailbox_id, epoch)
        if asked_until is not None:
            self.memory.asked_until[mailbox_id] = max(asked_until, self.memory.asked_until.get(mailbox_id, asked_until))
        for folder_id, cursor in cursors.items():
            self._move_cursor(folder_id, cursor)
        for folder_id, since in (listed_since or {}).items():
            self.memory.change_folder(folder_id, listed_since=since)
        self.memory.mailboxes[mailbox_id] = replace(self.memory.mailboxes[mailbox_id], is_planned=True)
        return self._add_slices(mailbox_id, slices)

    def find_slice(self, slice_id: UUID) -> SliceState | None:
        found = self.memory.slices.get(slice_id)
        return None if found is None or found.done_count >= len(found.remote_ids) else found

    def wanted(self, mailbox_id: UUID, limit: int) -> list[Wanted]:
        found = []
        for folder in filter(lambda folder: folder.is_synced, self.memory.mailboxes[mailbox_id].folders):
            ids = sorted(remote_id for folder_id, remote_id in self.memory.wanted if folder_id == folder.id)[:limit]
            limit -= len(ids)
            if ids:
                found.append(Wanted(folder.id, folder.remote_name, tuple(ids), (0,) * len(ids)))
        return found

    def save_page(self, page: Page) -> Saved:
        """All or nothing: everything that can be refused is looked at before anything is changed."""
        mailbox = self._check(page)
        for remote_id in page.removed:
            self._take_away((page.folder_id, remote_id))
        for remote_id, flags in page.flagged:
            if kept := self.memory.placements.get((page.folder_id, remote_id)):
                self.memory.placements[page.folder_id, remote_id] = replace(kept, flags=flags)
        new = kept_count = filed = 0
        for message in page.messages:
            is_filed = self.belongs(message.parsed)
            if mailbox.keep == "everything" or is_filed:
                kept_count += 1
                filed += is_filed
                new += self._keep(mailbox.workspace_id, page.folder_id, message)
            else:
                self._sight((page.folder_id, message.remote_id), message.received_at, message.raw_size)
        for header in page.passed_over:
            self._sight((page.folder_id, header.remote_id), header.received_at, header.size)
        for match in page.placed:
            kept_count += 1
            filed += self.belongs(self.memory.messages[mailbox.workspace_id, match.message_id].parsed)
            listed = match.listed
            self._put(
                (page.folder_id, listed.remote_id),
                Kept(match.message_id, listed.flags, listed.size, match.received_at),
            )
        self._advance(page)
        return Saved(new=new, filed=filed, kept=kept_count)

    def choose_wanted(self, mailbox_id: UUID, headers: Sequence[NewHeader]) -> frozenset[str]:
        workspace_id = self.load_mailbox(mailbox_id).workspace_id
        return frozenset(
            header.remote_id
            for header in headers
            if self.belongs(header.parsed) or any((workspace_id, ref) in self.memory.threads for ref in header.refs)
        )

    def known_messages(
        self, folder_id: UUID, *, for_matching: bool = False, remote_ids: Sequence[str] | None = None
    ) -> Known:
        workspace_id = self.memory.mailboxes[self.memory.folder_owner[folder_id]].workspace_id

        def is_asked(place: Place) -> bool:
            return place[0] == folder_id and (remote_ids is None or place[1] in remote_ids)

        sighted = {place[1]: seen for place, seen in self.memory.sightings.items() if is_asked(place)}
        return Known(
            messages=tuple(
                self._known(place[1], kept, workspace_id)
                if for_matching
                else KnownMessage(place[1], kept.identity, kept.flags, kept.size)
                for place, kept in self.memory.placements.items()
                if is_asked(place)
            ),
            sighted={remote_id: size for remote_id, (_, size) in sighted.items()},
            sighted_at={remote_id: at for remote_id, (at, _) in sighted.items()} if for_matching else {},
            planned=frozenset(
                remote_id
                for piece in self.memory.slices.values()
                if piece.folder_id == folder_id and (remote_ids is None or not for_matching)
                for remote_id in piece.remote_ids[piece.done_count :]
                if remote_ids is None or remote_id in remote_ids
            ),
        )

    def find_placed(self, mailbox_id: UUID, remote_ids: Sequence[str]) -> tuple[Placed, ...]:
        owner, asked = self.memory.folder_owner, frozenset(remote_ids)
        found: dict[str, Placed] = {}
        for (folder_id, remote_id), kept in (self.memory.left | self.memory.placements).items():
            if owner[folder_id] == mailbox_id and remote_id in asked:
                count = sum(place[1] == remote_id and owner[place[0]] == mailbox_id for place in self.memory.placements)
                found[remote_id] = Placed(remote_id, kept.identity, kept.received_at, kept.size, kept.flags, count)
        return tuple(found.values())

    def addresses(self, mailbox_id: UUID, *, is_new: bool = False) -> Addresses:
        workspace_id = self.load_mailbox(mailbox_id).workspace_id
        ours = {one.address for one in self.memory.mailboxes.values() if one.workspace_id == workspace_id}
        asked = self.memory.asked_until.get(mailbox_id) if is_new else None
        came = self.memory.addresses.items()
        keys = [key for key, at in came if key not in ours and (asked is None or at > asked - ASKED_AGAIN)]
        return Addresses(tuple(sorted(keys)), datetime.now(UTC))

    def _known(self, remote_id: str, kept: Kept, workspace_id: UUID) -> KnownMessage:
        parsed = self.memory.messages[workspace_id, kept.identity].parsed
        return KnownMessage(
            remote_id,
            kept.identity,
            kept.flags,
            kept.size,
            parsed.internet_message_id,
            kept.received_at,
            parsed.subject,
            parsed.from_[0].address if parsed.from_ else "",
        )

    def save_rebuild(self, rebuild: Rebuild) -> tuple[UUID, ...]:
        self._hold(rebuild.mailbox_id, rebuild.epoch)
        folder = self.memory.folder(rebuild.folder_id)
        if folder.version != rebuild.version:
            raise Conflict
        self._drop_slices(folder.id)
        matched = {match.message_id for match in rebuild.matches}
        wanted = {self.memory.sightings[place] for place in self.memory.wanted if place[0] == folder.id}
        for place, kept in [one for one in self.memory.placements.items() if one[0][0] == folder.id]:
            del self.memory.placements[place]
            if rebuild.hold is not None and kept.identity not in matched:
                self.memory.placements[folder.id, f"void.{uuid4()}"] = kept
        for place in [place for place in self.memory.sightings if place[0] == folder.id]:
            self._forget(place)
        for match in rebuild.matches:
            listed = match.listed
            kept = Kept(match.message_id, listed.flags, listed.size, match.received_at)
            self.memory.placements[folder.id, listed.remote_id] = kept
        for header in rebuild.passed_over:
            place = folder.id, header.remote_id
            self._sight(place, header.received_at, header.size)
            if self.belongs(header.parsed) or self.memory.sightings[place] in wanted:
                self.memory.wanted.add(place)
        self._move_cursor(folder.id, rebuild.cursor)
        self.memory.change_folder(folder.id, rebuilds=folder.rebuilds + 1, swept_at=datetime.now(UTC))
        self._ask(folder.id, rebuild.hold)
        return self._add_slices(rebuild.mailbox_id, rebuild.slices)

    def close(self) -> None:
        pass

    def _keep(self, workspace_id: UUID, folder_id: UUID, message: NewMessage) -> bool:
        """Store and place a message; whether it is new to the workspace."""
        place = folder_id, message.remote_id
        if place in self.memory.placements:
            return False
        self._put(place, Kept(message.identity, message.flags, message.raw_size, message.received_at))
        if (workspace_id, message.identity) in self.memory.messages:
            return False
        self.memory.messages[workspace_id, message.identity] = message
        self._thread(workspace_id, message)
        return True

    def _put(self, place: Place, kept: Kept) -> None:
        self._forget(place)
        self.memory.placements[place] = kept
        for left in self._in_mailbox_of(place[0], self.memory.left):
            if self.memory.left[left].identity == kept.identity:
                del self.memory.left[left]

    def _take_away(self, place: Place) -> None:
        """The message is not there any more; where it was last is remembered (correspondence/models.py, Placement)."""
        kept = self.memory.placements.get(place)
        self._forget(place)
        if kept is None:
            return
        live = self._in_mailbox_of(place[0], self.memory.placements)
        if all(self.memory.placements[other].identity != kept.identity for other in live):
            self.memory.left[place] = kept

    def _in_mailbox_of(self, folder_id: UUID, places: Iterable[Place]) -> list[Place]:
        owner = self.memory.folder_owner
        return [place for place in places if owner[place[0]] == owner[folder_id]]

    def _thread(self, workspace_id: UUID, message: NewMessage) -> None:
        facts = facts_of(message.parsed, message.identity)
        refs = (facts.key, *facts.refs)
        threads = self.memory.threads
        known = {ref: threads[workspace_id, ref] for ref in refs if (workspace_id, ref) in threads}
        plan = assign_threads([facts], known, uuid4)
        for place, thread_id in threads.items():
            threads[place] = plan.merges.get(thread_id, thread_id)
        threads.update({(workspace_id, ref): thread_id for ref, thread_id in plan.new_refs})

    def _sight(self, place: Place, at: datetime, size: int) -> None:
        if place not in self.memory.placements:
            self._forget(place)
            self.memory.sightings[place] = at, size

    def _forget(self, place: Place) -> None:
        self.memory.placements.pop(place, None)
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
        there = self.find_placed(page.mailbox_id, [match.listed.remote_id for match in page.placed])
        if {match.message_id for match in page.placed} - {one.message_id for one in there}:
            raise Conflict
        return mailbox

    def _leave(self, folder: FolderState) -> None:
        """The folder is gone: nothing sits there any more; should it come back it is planned anew."""
        self._drop_slices(folder.id)
        for place in [*self.memory.placements, *self.memory.sightings]:
            if place[0] == folder.id:
                self._take_away(place)
        self._ask(folder.id, None)
        self.memory.change_folder(folder.id, is_synced=False, cursor="", version=folder.version + 1, listed_since=None)

    def _add_slices(self, mailbox_id: UUID, slices: Sequence[PlannedSlice]) -> tuple[UUID, ...]:
        names = {folder.id: folder.remote_name for folder in self.memory.mailboxes[mailbox_id].folders}
        made = [
            SliceState(uuid4(), mailbox_id, one.folder_id, names[one.folder_id], one.remote_ids, one.sizes)
            for one in slices
        ]
        self.memory.slices.update({piece.id: piece for piece in made})
        return tuple(piece.id for piece in made)

    def _drop_slices(self, folder_id: UUID) -> bool:
        """Drop what is open of a folder; whether anything was."""
        slices = self.memory.slices
        dropped = [one.id for one in slices.values() if one.folder_id == folder_id and self.find_slice(one.id)]
        for slice_id in dropped:
            del slices[slice_id]
        return bool(dropped)

    def _cut_open_slices(self, folder_id: UUID, removed: frozenset[str]) -> None:
        """What left the folder leaves its open slices, which go by another id (correspondence/progress.py)."""
        for piece in [one for one in self.memory.slices.values() if one.folder_id == folder_id]:
            is_left = [n < piece.done_count or one not in removed for n, one in enumerate(piece.remote_ids)]
            if not all(is_left):
                del self.memory.slices[piece.id]
                remote_ids, sizes = tuple(compress(piece.remote_ids, is_left)), tuple(compress(piece.sizes, is_left))
                cut = replace(piece, id=uuid4(), remote_ids=remote_ids, sizes=sizes)
                self.memory.slices[cut.id] = cut

    def _ask(self, folder_id: UUID, hold: Hold | None) -> None:
        """Put a question, or withdraw what was asked."""
        was = self.memory.questions.pop(folder_id, None)
        may_remove = hold is not None and hold == was and self.memory.folder(folder_id).may_remove
        if hold is not None:
            self.memory.questions[folder_id] = hold
        self.memory.change_folder(folder_id, held=hold.code if hold else "", may_remove=may_remove)

    def _hold(self, mailbox_id: UUID, epoch: int | None) -> MailboxState:
        mailbox = self.memory.mailboxes.get(mailbox_id)
        if mailbox is None or (epoch is not None and mailbox.epoch != epoch):
            raise Fenced
        return mailbox

    def _advance(self, page: Page) -> None:
        if page.cursor is not None:
            self._move_cursor(page.folder_id, page.cursor)
        if page.slice_id is not None:
            found = self.memory.slices[page.slice_id]
            self.memory.slices[page.slice_id] = replace(found, done_count=page.slice_done)
            done = self.memory.done.get(page.mailbox_id, 0)
            self.memory.done[page.mailbox_id] = done + page.slice_done - page.slice_from
        elif page.removed:
            self._cut_open_slices(page.folder_id, frozenset(page.removed))
        if page.hold is not None or page.releases:
            self._ask(page.folder_id, page.hold)
        if page.is_swept:
            self.memory.change_folder(page.folder_id, swept_at=datetime.now(UTC))

    def _move_cursor(self, folder_id: UUID, cursor: str) -> None:
        version = self.memory.folder(folder_id).version
        self.memory.change_folder(folder_id, cursor=cursor, version=version + 1)
