"""Where the memory server keeps its mail: in this process. `disk` keeps the same things in files."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol
from uuid import uuid4

from postroom.providers.base import Role

STANDARD_FOLDERS: tuple[tuple[str, Role], ...] = (
    ("INBOX", "inbox"),
    ("Sent", "sent"),
    ("Drafts", "drafts"),
    ("Junk", "junk"),
    ("Trash", "trash"),
)


@dataclass(slots=True)
class KeptMessage:
    """One message in one folder; `change` is the folder's counter when it last changed."""

    uid: int
    raw: bytes
    received_at: datetime
    flags: tuple[str, ...] = ()
    change: int = 0


@dataclass(slots=True)
class KeptFolder:
    """A folder with IMAP's numbering: UIDs only grow, and mean nothing once `uid_validity` is another.

    `identity` stays when it is renamed; a folder made anew under an old name has its own.
    """

    name: str
    role: Role = ""
    uid_validity: int = 1
    uid_next: int = 1
    change: int = 0
    messages: dict[int, KeptMessage] = field(default_factory=dict)
    removed: list[tuple[int, int]] = field(default_factory=list)  # (change, uid)
    identity: str = field(default_factory=lambda: uuid4().hex)

    def add(self, raw: bytes, received_at: datetime, flags: tuple[str, ...] = ()) -> KeptMessage:
        self.change += 1
        message = KeptMessage(self.uid_next, raw, received_at, flags, self.change)
        self.messages[message.uid] = message
        self.uid_next += 1
        return message

    def set_flags(self, uid: int, flags: tuple[str, ...]) -> None:
        self.change += 1
        self.messages[uid].flags = flags
        self.messages[uid].change = self.change

    def remove(self, uid: int) -> None:
        self.change += 1
        del self.messages[uid]
        self.removed.append((self.change, uid))

    def renumber(self, uid_validity: int | None = None) -> None:
        """What a restored server does: another UIDVALIDITY (by default the next), the same messages anew."""
        kept = list(self.messages.values())
        self.uid_validity = self.uid_validity + 1 if uid_validity is None else uid_validity
        self.uid_next, self.messages, self.removed = 1, {}, []
        for message in reversed(kept):
            self.add(message.raw, message.received_at, message.flags)

    @property
    def outline(self) -> Outline:
        return Outline(self.name, self.role, self.identity, self.uid_validity, self.uid_next, self.change)


@dataclass(frozen=True, slots=True)
class Outline:
    """A folder without its messages."""

    name: str
    role: Role
    identity: str
    uid_validity: int
    uid_next: int
    change: int


@dataclass(frozen=True, slots=True)
class DueMail:
    """Mail that arrives later: `due_at` in seconds since 1970."""

    due_at: float
    address: str
    raw: bytes


class Shelf(Protocol):
    """What keeps folders. Within `changing()` a folder may be read and changed; nobody else changes it meanwhile."""

    def addresses(self) -> list[str]: ...

    def folders(self, address: str) -> list[Outline]:
        """The folders of a mailbox, which exists from then on."""
        ...

    def rename_folder(self, address: str, name: str, new_name: str) -> None: ...

    def remove_folder(self, address: str, name: str) -> None: ...

    def changing(self, address: str, name: str) -> AbstractContextManager[KeptFolder]: ...

    def read(self, address: str, name: str) -> KeptFolder | None: ...

    def put_due(self, mail: DueMail) -> None: ...

    def take_due(self, now: float) -> list[DueMail]: ...

    def state(self, address: str, name: str) -> int:
        """A number that differs after every change of the folder."""
        ...


class ProcessShelf:
    """Folders in dictionaries of this process."""

    def __init__(self) -> None:
        self._mailboxes: dict[str, dict[str, KeptFolder]] = {}
        self._due: list[DueMail] = []

    def addresses(self) -> list[str]:
        return list(self._mailboxes)

    def folders(self, address: str) -> list[Outline]:
        return [folder.outline for folder in self._folders(address).values()]

    def rename_folder(self, address: str, name: str, new_name: str) -> None:
        folder = self._folders(address).pop(name)
        folder.name = new_name
        self._folders(address)[new_name] = folder

    def remove_folder(self, address: str, name: str) -> None:
        del self._folders(address)[name]

    @contextmanager
    def changing(self, address: str, name: str) -> Iterator[KeptFolder]:
        folders = self._folders(address)
        if name not in folders:
            folders[name] = KeptFolder(name)
        yield folders[name]

    def read(self, address: str, name: str) -> KeptFolder | None:
        return self._folders(address).get(name)

    def put_due(self, mail: DueMail) -> None:
        self._due.append(mail)

    def take_due(self, now: float) -> list[DueMail]:
        due = [mail for mail in self._due if mail.due_at <= now]
        self._due = [mail for mail in self._due if mail.due_at > now]
        return due

    def state(self, address: str, name: str) -> int:
        folder = self.read(address, name)
        return folder.uid_validity * 1_000_000_000 + folder.change if folder else 0

    def _folders(self, address: str) -> dict[str, KeptFolder]:
        folders = self._mailboxes.setdefault(address, {})
        for name, role in STANDARD_FOLDERS if not folders else ():
            folders[name] = KeptFolder(name, role)
        return folders
