"""A mailbox at a provider and a store of its messages, both small enough to see through.

`World.run` drives steps like the engine does and can crash at the n-th ask: everything the store saved stays,
everything the step knew is gone. `World.change` alters the mailbox between two asks.
"""

from __future__ import annotations

from collections.abc import Callable
from copy import deepcopy
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, timedelta
from typing import Any
from uuid import UUID, uuid5

from postroom.engine.memory_store import Memory, MemoryStore
from postroom.mail.message import Address, ParsedMessage
from postroom.mail.mime.identity import identity
from postroom.mail.threading import refs_of
from postroom.sync import asks
from postroom.sync.manner import Manner
from postroom.sync.remote import Changes, CursorExpired, RemoteFolder, RemoteMessage, Window
from postroom.sync.state import Conflict, Fenced, FolderState, MailboxState, NewHeader, NewMessage, SliceState

NAMESPACE = UUID("5c2f0a52-4f0e-4b8e-9d0e-1d2a3b4c5d6e")
WHEN = datetime(2026, 1, 1, tzinfo=UTC)
SINCE = date(2025, 12, 1)
CUSTOMER = "anna@customer.example"


class Crash(Exception):
    """kill -9."""


@dataclass(frozen=True, slots=True)
class Mail:
    """What a message says, and what else tells it from others. Equal mail is one message."""

    text: str
    name: str = ""  # of its Message-ID, by default the text; "-": it has none
    size: int = 100
    sender: str = CUSTOMER

    @property
    def parsed(self) -> ParsedMessage:
        named = "" if self.name == "-" else f"<{self.name or self.text}@customer.example>"
        subject = self.text if self.name in ("", "-") else self.name
        return ParsedMessage(internet_message_id=named, subject=subject, from_=(Address(self.sender),), text=self.text)

    @property
    def identity(self) -> UUID:
        return identity(self.parsed, self.text.encode())


@dataclass
class RemoteCopy:
    """A message in the folder. `received_at` is the server's clock."""

    mail: Mail
    flags: tuple[str, ...] = ()
    received_at: datetime = WHEN


@dataclass
class RemoteMailbox:
    """One folder with UIDs. Sizes are told wrong by `size_error`."""

    validity: int = 1
    next_uid: int = 1
    copies: dict[int, RemoteCopy] = field(default_factory=dict)
    was_reset: bool = False
    clock: datetime = WHEN
    size_error: int = 0

    def deliver(self, *mails: Mail | str, received_at: datetime | None = None) -> None:
        """Take in messages, a second each."""
        for mail in mails:
            self.clock += timedelta(seconds=1)
            when = received_at or self.clock
            self.copies[self.next_uid] = RemoteCopy(Mail(mail) if isinstance(mail, str) else mail, (), when)
            self.next_uid += 1

    def expunge(self, *texts: str) -> None:
        self.copies = {uid: copy for uid, copy in self.copies.items() if copy.mail.text not in texts}

    def flag(self, text: str, *flags: str) -> None:
        for copy in self.copies.values():
            if copy.mail.text == text:
                copy.flags = flags

    def renumber(self, *, keeps_validity: bool = False, reverses: bool = False) -> None:
        """Give the messages new numbers: with another UIDVALIDITY, or with the same (fault 20)."""
        self.was_reset = keeps_validity
        self.validity += not keeps_validity
        copies = list(self.copies.values())
        self.copies = dict(enumerate(reversed(copies) if reverses else copies, start=1))
        self.next_uid = len(self.copies) + 1

    def restore(self, backup: RemoteMailbox) -> None:
        """Go back to an older copy: lost UIDs are given again, and nothing says so (fault 21)."""
        self.copies, self.next_uid = deepcopy(backup.copies), backup.next_uid

    def listed(self, first: int = 1) -> tuple[RemoteMessage, ...]:
        uids = sorted((uid for uid in self.copies if uid >= first), reverse=True)
        copies = [(uid, self.copies[uid]) for uid in uids]
        return tuple(RemoteMessage(f"{self.validity}.{uid}", self.size_of(copy), copy.flags) for uid, copy in copies)

    def size_of(self, copy: RemoteCopy) -> int:
        return copy.mail.size + self.size_error

    def window(self, since: date | None, before: date | None) -> Window:
        days = {f"{self.validity}.{uid}": copy.received_at.date() for uid, copy in self.copies.items()}
        inside = (one for one in self.listed() if (since or date.min) <= days[one.remote_id] < (before or date.max))
        return Window(tuple(inside), self.cursor)

    @property
    def cursor(self) -> str:
        return f"{self.validity}.{self.next_uid}"

    def changes(self, cursor: str, *, is_full: bool, removed: tuple[str, ...]) -> Changes:
        validity, _, next_uid = cursor.partition(".")
        if int(validity) != self.validity or self.was_reset:
            self.was_reset = int(validity) == self.validity  # until the new cursor is known, which is saved last
            return Changes(added=self.listed(), cursor=self.cursor, is_full=True, was_reset=True)
        if is_full:
            return Changes(added=self.listed(), cursor=self.cursor, is_full=True)
        return Changes(added=self.listed(int(next_uid)), cursor=self.cursor, removed=removed)

    def find(self, remote_ids: tuple[str, ...]) -> list[tuple[str, RemoteCopy]]:
        pairs = ((remote_id, remote_id.partition(".")) for remote_id in remote_ids)
        known = ((remote_id, int(uid)) for remote_id, (validity, _, uid) in pairs if validity == str(self.validity))
        return [(remote_id, self.copies[uid]) for remote_id, uid in known if uid in self.copies]


@dataclass
class World:
    """The mailbox, the store, and what was asked of the mailbox. `keep` and `belongs` are those of the store."""

    remote: RemoteMailbox = field(default_factory=RemoteMailbox)
    keep: str = "everything"
    lists_in_full: bool = False
    tells_removed: bool = False
    expires_cursors: bool = False
    fetched: list[str] = field(default_factory=list)
    headers: list[str] = field(default_factory=list)
    windows: list[tuple[date | None, date | None]] = field(default_factory=list)
    saved_twice: int = 0
    announced: int = 0
    memory: Memory = field(default_factory=Memory)

    def __post_init__(self) -> None:
        self.store = MemoryStore(self.memory, lambda parsed: any(one.address == CUSTOMER for one in parsed.from_))
        mailbox = self.memory.add_mailbox(uuid5(NAMESPACE, "workspace"), "sales@tidewater.example", keep=self.keep)
        self.mailbox_id, self.epoch = mailbox.id, mailbox.epoch

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
                answer, error = self.answer(ask), None
            except (Fenced, Conflict, CursorExpired) as failure:
                answer, error = None, failure

    def answer(self, ask: asks.Ask) -> Any:
        match ask:
            case asks.ListFolders():
                return [RemoteFolder("INBOX", "Inbox", "inbox"), RemoteFolder("Junk", "Junk", "junk")]
            case asks.SaveFolders(folders, left_out):
                return self.store.save_folders(self.mailbox_id, self.epoch, folders, left_out)
            case asks.ListWindow(_, since, before):
                self.windows.append((since, before))
                return self.remote.window(since, before)
            case asks.ListAll():
                return Changes(self.remote.listed(), self.remote.cursor, is_full=True)
            case asks.KnownMessages(folder_id, for_matching, remote_ids):
                return self.store.known_messages(folder_id, for_matching=for_matching, remote_ids=remote_ids)
            case asks.SavePlan(cursors, slices, listed_since, until):
                return self.store.save_plan(self.mailbox_id, self.epoch, cursors, slices, listed_since, until)
            case asks.SaveRebuild(rebuild):
                self.remote.was_reset = False
                return self.store.save_rebuild(rebuild)
            case asks.ListChanges() if self.expires_cursors:
                raise CursorExpired
            case asks.ListChanges(_, cursor):
                removed = tuple(self.placed_ids() - self.remote_ids()) if self.tells_removed else ()
                return self.remote.changes(cursor, is_full=self.lists_in_full, removed=removed)
            case asks.FetchHeaders(_, remote_ids):
                self.headers += remote_ids
                return tuple(
                    _header(remote_id, copy, self.remote.size_of(copy))
                    for remote_id, copy in self.remote.find(remote_ids)
                )
            case asks.ChooseWanted(headers):
                return self.store.choose_wanted(self.mailbox_id, headers)
            case asks.FetchMessages(_, remote_ids):
                self.fetched += remote_ids
                return tuple(_message(remote_id, copy) for remote_id, copy in self.remote.find(remote_ids))
            case asks.SavePage(page):
                self.saved_twice += sum(message.remote_id in self.placed_ids() for message in page.messages)
                saved = self.store.save_page(page)
                self.announced += saved.new if page.is_live else 0
                return saved
            case asks.LoadWanted():
                return []

    @property
    def manner(self) -> Manner:
        return Manner(headers_first=self.keep == "records")

    @property
    def mailbox(self) -> MailboxState:
        return self.store.load_mailbox(self.mailbox_id)

    @property
    def folder(self) -> FolderState:
        """The inbox; one without a cursor before anything was listed."""
        nothing = FolderState(uuid5(NAMESPACE, "inbox"), "INBOX", "inbox", "", 0)
        return next((folder for folder in self.mailbox.folders if folder.remote_name == "INBOX"), nothing)

    @property
    def question(self) -> tuple[str, dict[str, int]] | None:
        hold = self.memory.questions.get(self.folder.id)
        return (hold.code, hold.facts) if hold else None

    def answer_yes(self) -> None:
        self.memory.change_folder(self.folder.id, may_remove=True)

    def pass_a_day(self) -> None:
        for folder in self.mailbox.folders:
            self.memory.change_folder(folder.id, rebuilds=0)

    def open_slices(self) -> list[SliceState]:
        return [piece for piece in self.memory.slices.values() if piece.done_count < len(piece.remote_ids)]

    def placed_ids(self) -> set[str]:
        return {remote_id for _, remote_id in self.memory.placements}

    def remote_ids(self) -> set[str]:
        return {message.remote_id for message in self.remote.listed()}

    def placed(self) -> set[tuple[str, UUID]]:
        """(remote id, which message) as the store believes it."""
        return {(remote_id, kept.identity) for (_, remote_id), kept in self.memory.placements.items()}

    def truth(self) -> set[tuple[str, UUID]]:
        return {(f"{self.remote.validity}.{uid}", copy.mail.identity) for uid, copy in self.remote.copies.items()}

    def flags(self) -> dict[str, tuple[str, ...]]:
        return {remote_id: kept.flags for (_, remote_id), kept in self.memory.placements.items()}

    def messages(self) -> set[UUID]:
        return {message for _, message in self.memory.messages}


def _header(remote_id: str, copy: RemoteCopy, size: int) -> NewHeader:
    parsed = replace(copy.mail.parsed, text="")
    return NewHeader(remote_id, size, copy.received_at, copy.flags, refs_of(parsed), parsed)


def _message(remote_id: str, copy: RemoteCopy) -> NewMessage:
    mail = copy.mail
    return NewMessage(remote_id, mail.size, mail.identity, copy.received_at, copy.flags, mail.parsed)


def days_before(days: int) -> datetime:
    return WHEN - timedelta(days=days)
