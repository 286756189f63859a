"""A mailbox with labels whose remote ids are mailbox-wide, which is searched by address; and steps driven over it.

A history, as such providers keep one, tells of every change in order; a cursor is a place in it. `touches`: it does not
say whether a message is new or only changed.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid5

from postroom.engine.memory_store import Memory, MemoryStore
from postroom.mail.message import Address, ParsedMessage
from postroom.mail.mime.identity import identity
from postroom.mail.threading import refs_of
from postroom.sync import asks
from postroom.sync.asking import ask_for_new
from postroom.sync.catching_up import catch_up, fetch_wanted
from postroom.sync.importing import import_slice, plan_import
from postroom.sync.manner import Manner
from postroom.sync.remote import Changes, CursorExpired, RemoteFolder, RemoteMessage, Window
from postroom.sync.state import Conflict, Fenced, FolderState, NewHeader, NewMessage, SliceState, Wanted
from tests.unit.sync.world import NAMESPACE, SINCE, WHEN, Crash

INBOX, OFFERS, ARCHIVE = "INBOX", "Offers", "@archive"
LABELS = (INBOX, OFFERS, ARCHIVE)


@dataclass
class Letter:
    """A message as the provider has it. `number` is also its remote id."""

    number: int
    sender: str
    labels: frozenset[str]
    flags: tuple[str, ...] = ()

    @property
    def remote_id(self) -> str:
        return f"m{self.number}"

    @property
    def at(self) -> datetime:
        return WHEN + timedelta(seconds=self.number)

    @property
    def parsed(self) -> ParsedMessage:
        name = f"<{self.number}@x.example>"
        return ParsedMessage(internet_message_id=name, subject=str(self.number), from_=(Address(self.sender),))

    @property
    def identity(self) -> UUID:
        return identity(self.parsed, b"")


@dataclass
class LabelWorld:
    """The mailbox, a store, and what was asked for. `customers` are on records now; `sighted` sees who wrote."""

    keep: str = "records"
    touches: bool = False
    expires: bool = False
    by_address: bool = True
    letters: dict[str, Letter] = field(default_factory=dict)
    history: list[tuple[str, str, str]] = field(default_factory=list)  # (kind, label, remote id)
    customers: set[str] = field(default_factory=set)
    fetched: list[str] = field(default_factory=list)
    headers: list[str] = field(default_factory=list)
    clock: datetime = field(default_factory=lambda: datetime.now(UTC))

    def __post_init__(self) -> None:
        self.memory = Memory()
        self.store = MemoryStore(self.memory, lambda parsed: parsed.from_[0].address in self.customers)
        mailbox = self.memory.add_mailbox(uuid5(NAMESPACE, "labels"), "own@tidewater.example", keep=self.keep)
        self.mailbox_id, self.epoch = mailbox.id, mailbox.epoch

    # The other mail program, and people with contacts.

    def deliver(self, sender: str, *labels: str) -> str:
        letter = Letter(len(self.letters) + 1, sender, frozenset(labels))
        self.letters[letter.remote_id] = letter
        self.history += [("added", label, letter.remote_id) for label in sorted(labels)]
        return letter.remote_id

    def set_labels(self, remote_id: str, *labels: str) -> None:
        letter = self.letters[remote_id]
        self.history += [("removed", label, remote_id) for label in sorted(letter.labels - set(labels))]
        self.history += [("added", label, remote_id) for label in sorted(set(labels) - letter.labels)]
        letter.labels = frozenset(labels)

    def flag(self, remote_id: str, *flags: str) -> None:
        letter = self.letters[remote_id]
        letter.flags = flags
        self.history += [("flagged", label, remote_id) for label in sorted(letter.labels)]

    def add_contact(self, address: str) -> None:
        """What filing/refile.py does: what was sighted is wanted at once, and the mailbox is to ask for the rest."""
        self.customers.add(address)
        self.memory.addresses.setdefault(address, datetime.now(UTC))
        owned = {place for place in self.memory.sightings if self.letters[place[1]].sender == address}
        self.memory.wanted |= owned

    # The engine.

    @property
    def manner(self) -> Manner:
        is_private = self.keep == "records"
        return Manner(
            headers_first=is_private,
            by_address=self.by_address and is_private,
            customers_first=self.by_address and not is_private,
            ids_are_mailbox_wide=True,
            fetch_at_once=2,
        )

    def settle(self, order: Sequence[str] = LABELS, *, crash_at: int | None = None) -> None:
        """Everything a session does before it waits, and the import; it may die before its n-th ask."""
        self._left = crash_at
        self.run(plan_import(SINCE, self.manner, is_planned=self.state.is_planned))
        if self.manner.by_address:
            self.run(ask_for_new(self.state.folders, SINCE))
        for folder in sorted(self.state.folders, key=lambda one: order.index(one.remote_name)):
            if folder.is_synced and folder.cursor:
                self.run(catch_up(folder, self.mailbox_id, self.epoch, SINCE, self.manner))
        self.run(fetch_wanted(self.mailbox_id, self.epoch, self.manner))
        for piece in self.open_slices():
            self.run(import_slice(piece, self.manner.whole))

    def run(self, steps: Any) -> Any:
        answer: Any = None
        error: Exception | None = None
        while True:
            try:
                ask = steps.send(answer) if error is None else steps.throw(error)
            except StopIteration as stop:
                return stop.value
            if self._left is not None:
                if self._left == 0:
                    raise Crash
                self._left -= 1
            try:
                answer, error = self.answer(ask), None
            except (Fenced, Conflict, CursorExpired) as failure:
                answer, error = None, failure

    _left: int | None = None

    def answer(self, ask: asks.Ask) -> Any:
        store, mailbox_id = self.store, self.mailbox_id
        match ask:
            case asks.ListFolders():
                return [RemoteFolder(name, name, "inbox" if name == INBOX else "", is_label=True) for name in LABELS]
            case asks.SaveFolders(folders, left_out):
                return store.save_folders(mailbox_id, self.epoch, folders, left_out)
            case asks.ListWindow(name, _, _, addresses):
                return Window(self.listed(name, addresses), self.cursor)
            case asks.ListAll(name):
                return Changes(self.listed(name), self.cursor, is_full=True)
            case asks.ListChanges(name, cursor):
                return self.changes(name, cursor)
            case asks.LoadAddresses(is_new):
                return store.addresses(mailbox_id, is_new=is_new)
            case asks.FindPlaced(remote_ids):
                return store.find_placed(mailbox_id, remote_ids)
            case asks.KnownMessages(folder_id, for_matching, remote_ids):
                return store.known_messages(folder_id, for_matching=for_matching, remote_ids=remote_ids)
            case asks.SavePlan(cursors, slices, listed_since, until):
                return store.save_plan(mailbox_id, self.epoch, cursors, slices, listed_since, until)
            case asks.FetchHeaders(_, remote_ids):
                assert len(remote_ids) <= self.manner.fetch_at_once
                self.headers += remote_ids
                return tuple(_header(self.letters[remote_id]) for remote_id in remote_ids)
            case asks.ChooseWanted(headers):
                return store.choose_wanted(mailbox_id, headers)
            case asks.FetchMessages(_, remote_ids):
                assert len(remote_ids) <= self.manner.fetch_at_once
                self.fetched += remote_ids
                return tuple(_message(self.letters[remote_id]) for remote_id in remote_ids)
            case asks.SavePage(page):
                return store.save_page(page)
            case asks.LoadWanted():
                return [Wanted(one.folder_id, one.remote_name, one.remote_ids, one.sizes) for one in self._wanted()]
        raise AssertionError(ask)

    def _wanted(self) -> list[Wanted]:
        return self.store.wanted(self.mailbox_id, 100)

    def listed(self, label: str, addresses: tuple[str, ...] | None = None) -> tuple[RemoteMessage, ...]:
        worn = [one for one in self.letters.values() if label in one.labels]
        found = [one for one in worn if addresses is None or one.sender in addresses]
        return tuple(RemoteMessage(one.remote_id, 100, one.flags) for one in reversed(found))

    @property
    def cursor(self) -> str:
        return str(len(self.history) + 1)

    def changes(self, label: str, cursor: str) -> Changes:
        if self.expires:
            raise CursorExpired
        told: dict[str, str] = {}
        for kind, worn, remote_id in self.history[int(cursor) - 1 :]:
            if worn == label:
                told[remote_id] = "added" if kind == "flagged" and told.get(remote_id) == "added" else kind
        news = {
            kind: tuple(
                RemoteMessage(remote_id, 100, self.letters[remote_id].flags)
                for remote_id, last in reversed(told.items())
                if last == kind
            )
            for kind in ("added", "flagged")
        }
        removed = tuple(remote_id for remote_id, last in told.items() if last == "removed")
        if self.touches:
            return Changes((), self.cursor, removed=removed, touched=(*news["added"], *news["flagged"]))
        return Changes(news["added"], self.cursor, flagged=news["flagged"], removed=removed)

    # What came of it.

    @property
    def state(self) -> Any:
        return self.store.load_mailbox(self.mailbox_id)

    def folder(self, name: str) -> FolderState:
        return next(one for one in self.state.folders if one.remote_name == name)

    def open_slices(self) -> list[SliceState]:
        return [piece for piece in self.memory.slices.values() if piece.done_count < len(piece.remote_ids)]

    def placed(self) -> set[tuple[str, str, tuple[str, ...]]]:
        """(label, remote id, flags) as the store believes it."""
        names = {folder.id: folder.remote_name for folder in self.state.folders}
        return {
            (names[folder_id], remote_id, kept.flags) for (folder_id, remote_id), kept in self.memory.placements.items()
        }

    def truth(self) -> set[tuple[str, str, tuple[str, ...]]]:
        """The same as it is, of what the mailbox keeps."""
        kept = [one for one in self.letters.values() if self.keep == "everything" or one.sender in self.customers]
        return {(label, one.remote_id, one.flags) for one in kept for label in one.labels}


def _header(letter: Letter) -> NewHeader:
    return NewHeader(letter.remote_id, 100, letter.at, letter.flags, refs_of(letter.parsed), letter.parsed)


def _message(letter: Letter) -> NewMessage:
    return NewMessage(letter.remote_id, 100, letter.identity, letter.at, letter.flags, letter.parsed)
