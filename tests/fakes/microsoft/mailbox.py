"""A mailbox of Exchange Online as Graph shows it: folders, messages and a log of everything that changed."""

from __future__ import annotations

import base64
import threading
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.message import EmailMessage
from typing import Literal
from uuid import uuid4

from tests.fakes.microsoft.errors import item_not_found
from tests.fakes.microsoft.mime import parse

WELL_KNOWN = {
    "inbox": "Inbox",
    "drafts": "Drafts",
    "sentitems": "Sent Items",
    "deleteditems": "Deleted Items",
    "junkemail": "Junk Email",
    "archive": "Archive",
    "outbox": "Outbox",
    "conversationhistory": "Conversation History",
}
ROOT = "msgfolderroot"


def opaque_id(prefix: str, owner: int, number: int) -> str:
    """An id as Exchange makes them: case matters, and it ends in padding (concepts/outlook-immutable-id.md)."""
    octets = b"\x2e" + owner.to_bytes(3, "big") + number.to_bytes(6, "big") * 2
    return prefix + base64.urlsafe_b64encode(octets).decode().rstrip("=") + "AAA="


@dataclass(slots=True)
class Folder:
    """A folder. Its id never changes, whatever it is called and wherever it is moved."""

    id: str
    name: str
    parent: str
    well_known: str = ""
    is_hidden: bool = False


@dataclass(slots=True)
class Message:
    """A message where it is now. `id` is the immutable one; `moved` counts its moves and makes the other id."""

    id: str
    folder: str
    raw: bytes
    received_at: datetime
    number: int
    conversation: str
    internet_message_id: str
    is_read: bool = False
    flag: str = "notFlagged"
    categories: tuple[str, ...] = ()
    is_draft: bool = False
    moved: int = 0
    version: int = 1
    hidden_until: float = 0.0  # time.monotonic(): the copy of a sent message appears late
    _parsed: EmailMessage | None = field(default=None, repr=False)

    @property
    def parsed(self) -> EmailMessage:
        """The message, read once."""
        if self._parsed is None:
            self._parsed = parse(self.raw)
        return self._parsed

    def rewrite(self, raw: bytes) -> None:
        """Replace the bytes."""
        self.raw = raw
        self._parsed = None
        self.version += 1


@dataclass(frozen=True, slots=True)
class Change:
    """Something that happened to a message or a folder. `folder` is the container that it happened in."""

    number: int
    item: str
    folder: str
    kind: Literal["created", "updated", "removed"]
    reason: Literal["deleted", "changed"] = "deleted"
    properties: frozenset[str] = frozenset()
    mutable_id: str = ""  # of a message, as it was then


class FakeMailbox:
    """A mailbox. Its methods are a test's hands in it: what another program or the server itself does."""

    def __init__(
        self, address: str, name: str, owner: int, lock: threading.RLock, tell: Callable[[FakeMailbox, Change], None]
    ) -> None:
        self.address = address
        self.name = name
        self.user_id = f"{owner:08d}-4cd8-4a2c-a6b4-{owner:012d}"
        self.lock = lock
        self.folders: dict[str, Folder] = {}
        self.by_id: dict[str, Message] = {}
        self.changes: list[Change] = []  # of messages
        self.folder_changes: list[Change] = []
        self.full_access: set[str] = set()  # who may open it, beside its user
        self.send_as: set[str] = set()
        self.send_on_behalf: set[str] = set()
        self.submitted: list[Submitted] = []
        self.is_enabled = True  # has a mailbox at Exchange Online
        self.forgotten = 0  # changes up to this number: delta tokens from before are expired
        self._owner = owner
        self._number = 0
        self._tell = tell
        self._ids: dict[str, str] = {}  # every id that names a message now → the immutable one
        for well_known, title in WELL_KNOWN.items():
            self._add_folder(title, ROOT, well_known)

    # What tests do.

    def deliver(self, raw: bytes, folder: str = "inbox", at: datetime | None = None, *, is_read: bool = False) -> str:
        """Put a message into a folder as mail that came; its immutable id."""
        with self.lock:
            return self.add(raw, self.find_folder(folder), at=at, is_read=is_read).id

    def update(
        self,
        message_id: str,
        *,
        is_read: bool | None = None,
        flag: str | None = None,
        categories: Iterable[str] | None = None,
    ) -> None:
        """Change flags. `flag`: notFlagged, flagged or complete."""
        with self.lock:
            message = self.find(message_id)
            changed: set[str] = set()
            if is_read is not None:
                message.is_read, changed = is_read, changed | {"isRead"}
            if flag is not None:
                message.flag, changed = flag, changed | {"flag"}
            if categories is not None:
                message.categories, changed = tuple(categories), changed | {"categories"}
            self.note_update(message, changed)

    def move(self, message_id: str, folder: str) -> str:
        """Move a message: the immutable id stays, the other one changes. The immutable id."""
        with self.lock:
            message, target = self.find(message_id), self.find_folder(folder)
            self._log(message.id, message.folder, "removed", "changed")
            del self._ids[self.mutable_id(message)]
            message.folder = target.id
            message.moved += 1
            message.version += 1
            self._ids[self.mutable_id(message)] = message.id
            self._log(message.id, message.folder, "created")
            return message.id

    def delete(self, message_id: str) -> None:
        """Remove a message for good."""
        with self.lock:
            message = self.find(message_id)
            self._log(message.id, message.folder, "removed", "deleted")
            del self.by_id[message.id], self._ids[message.id], self._ids[self.mutable_id(message)]

    def make_folder(self, name: str, parent: str = ROOT) -> str:
        """Make a folder; its id."""
        with self.lock:
            return self._add_folder(name, parent if parent == ROOT else self.find_folder(parent).id).id

    def rename_folder(self, folder: str, name: str) -> None:
        """Call a folder something else; its id stays."""
        with self.lock:
            found = self.find_folder(folder)
            found.name = name
            self._log_folder(found.id, found.parent, "updated")

    def delete_folder(self, folder: str) -> None:
        """Remove a folder with all that is in it."""
        with self.lock:
            found = self.find_folder(folder)
            for child in [one.id for one in self.folders.values() if one.parent == found.id]:
                self.delete_folder(child)
            for message in self.in_folder(found.id):
                self.delete(message.id)
            del self.folders[found.id]
            self._log_folder(found.id, found.parent, "removed")

    def forget_changes(self) -> None:
        """Let every deltaLink that was given out be expired."""
        with self.lock:
            self.changes.append(Change(len(self.changes) + 1, "", "", "updated"))
            self.forgotten = len(self.changes)

    def share(self, with_: str, *, full_access: bool = True, send_as: bool = False, on_behalf: bool = False) -> None:
        """Give another user rights in this mailbox; all that are not named are taken back."""
        with self.lock:
            for right, has in (
                (self.full_access, full_access),
                (self.send_as, send_as),
                (self.send_on_behalf, on_behalf),
            ):
                right.add(with_) if has else right.discard(with_)

    @property
    def messages(self) -> list[Message]:
        """Everything in the mailbox, in the order in which it came."""
        with self.lock:
            return sorted(self.by_id.values(), key=lambda message: message.number)

    def folder_named(self, name: str) -> str:
        """The id of a folder by its well-known or display name."""
        with self.lock:
            return self.find_folder(name).id

    def messages_in(self, folder: str) -> list[Message]:
        """What a folder holds, newest first."""
        with self.lock:
            return self.in_folder(self.find_folder(folder).id)

    def sent_count(self, internet_message_id: str) -> int:
        """How often a message left this mailbox, by the Message-ID it was handed over with."""
        with self.lock:
            return sum(one.internet_message_id == internet_message_id for one in self.submitted)

    def delivered_count(self, internet_message_id: str) -> int:
        """How many messages with that Message-ID came into the inbox (and are still in the mailbox)."""
        with self.lock:
            return sum(
                one.internet_message_id == internet_message_id and self.folders[one.folder].well_known == "inbox"
                for one in self.by_id.values()
            )

    # What the server does, under the lock.

    def find(self, message_id: str) -> Message:
        """The message of either id; raise GraphError."""
        message = self.by_id.get(self._ids.get(message_id, ""))
        if message is None:
            raise item_not_found()
        return message

    def find_folder(self, name: str) -> Folder:
        """A folder by id, well-known name or, for tests, display name; raise GraphError."""
        if name in self.folders:
            return self.folders[name]
        for folder in self.folders.values():
            if folder.well_known == name.lower():
                return folder
        for folder in self.folders.values():
            if folder.name == name:
                return folder
        raise item_not_found()

    def in_folder(self, folder_id: str) -> list[Message]:
        """A folder's messages, newest first."""
        found = [message for message in self.by_id.values() if message.folder == folder_id]
        return sorted(found, key=lambda message: (message.received_at, message.number), reverse=True)

    def mutable_id(self, message: Message) -> str:
        """The id that a client sees which does not ask for immutable ones: another one after each move."""
        return opaque_id(f"AAMkAGI{message.moved}", self._owner, message.number)

    def add(
        self,
        raw: bytes,
        folder: Folder,
        *,
        at: datetime | None = None,
        is_read: bool = False,
        is_draft: bool = False,
        conversation: str = "",
    ) -> Message:
        """Store a message."""
        self._number += 1
        parsed = parse(raw)
        message = Message(
            id=opaque_id("AAkALgAAAAAAHYQDEapm", self._owner, self._number),
            folder=folder.id,
            raw=raw,
            received_at=(at or datetime.now(UTC)).astimezone(UTC).replace(microsecond=0),
            number=self._number,
            conversation=conversation or self._conversation_of(parsed),
            internet_message_id=str(parsed["Message-ID"] or "").strip() or self.made_message_id(),
            is_read=is_read,
            is_draft=is_draft,
        )
        self.by_id[message.id] = message
        self._ids[message.id] = self._ids[self.mutable_id(message)] = message.id
        self._log(message.id, folder.id, "created")
        return message

    def made_message_id(self) -> str:
        """A Message-ID as Exchange Online makes them."""
        return f"<{uuid4().hex.upper()}@AM0PR04MB{self._owner:04d}.eurprd04.prod.outlook.com>"

    def note_update(self, message: Message, properties: Iterable[str]) -> None:
        """Log that these properties are other ones now."""
        message.version += 1
        self._log(message.id, message.folder, "updated", properties=frozenset(properties))

    def _conversation_of(self, parsed: EmailMessage) -> str:
        named = f"{parsed['In-Reply-To'] or ''} {parsed['References'] or ''}".split()
        for message in self.by_id.values() if named else ():
            if message.internet_message_id in named:
                return message.conversation
        return opaque_id("AAQkAGI2", self._owner, self._number)

    def _add_folder(self, name: str, parent: str, well_known: str = "") -> Folder:
        self._number += 1
        folder = Folder(opaque_id("AQMkAGI2", self._owner, self._number), name, parent, well_known)
        self.folders[folder.id] = folder
        self._log_folder(folder.id, parent, "created")
        return folder

    def _log(
        self,
        item: str,
        folder: str,
        kind: Literal["created", "updated", "removed"],
        reason: Literal["deleted", "changed"] = "deleted",
        properties: frozenset[str] = frozenset(),
    ) -> None:
        mutable = self.mutable_id(self.by_id[item])
        change = Change(len(self.changes) + 1, item, folder, kind, reason, properties, mutable)
        self.changes.append(change)
        self._tell(self, change)

    def _log_folder(self, item: str, parent: str, kind: Literal["created", "updated", "removed"]) -> None:
        self.folder_changes.append(Change(len(self.folder_changes) + 1, item, parent, kind))


@dataclass(frozen=True, slots=True)
class Submitted:
    """A message that left. `internet_message_id` is what it was handed over with, `final_id` what it left with."""

    internet_message_id: str
    final_id: str
    sender: str
    recipients: tuple[str, ...]
    raw: bytes = field(repr=False)
