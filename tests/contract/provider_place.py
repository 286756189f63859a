"""What the contract suite needs of a provider: a mailbox, and somebody else who changes it."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Collection
from dataclasses import replace

from postroom.providers.base import Changes, Credentials, Provider, RemoteFolder, RemoteMessage, Session
from postroom.providers.errors import NeedsReconnect, SignInRefused


def make_mail(number: int, *, body: str = "Hello", message_id: str | None = None) -> bytes:
    return (
        f"From: Katrin Voss <katrin@customer.test>\r\nTo: sales@example.test\r\nSubject: Letter {number}\r\n"
        f"Message-ID: {message_id or f'<letter-{number}@customer.test>'}\r\nDate: Mon, 23 Nov 2026 09:00:00 +0000\r\n"
        f"\r\n{body} {number}\r\n"
    ).encode()


def settled(place: Place, changes: Changes, stored: Collection[str] = ()) -> Changes:
    """The changes with what was touched told apart by what is stored, as sync does."""
    assert place.touches or not changes.touched
    return replace(
        changes,
        added=changes.added + tuple(one for one in changes.touched if one.remote_id not in stored),
        flagged=changes.flagged + tuple(one for one in changes.touched if one.remote_id in stored),
        touched=(),
    )


def is_nothing(changes: Changes) -> bool:
    return not (changes.added or changes.flagged or changes.removed or changes.touched or changes.is_full)


def ids_of(messages: Collection[RemoteMessage]) -> list[str]:
    return [message.remote_id for message in messages]


async def by_name(session: Session) -> dict[str, RemoteFolder]:
    folders = await session.list_folders()
    assert len({folder.remote_name for folder in folders}) == len(folders)
    return {folder.name: folder for folder in folders}


class Place(ABC):
    """A mailbox of its own for one test, with somebody at the server who can change things there.

    `inbox` to `junk` are remote names, `nowhere` is one that no folder has, and no message has one of `no_ids`.
    """

    provider: Provider
    credentials: Credentials

    inbox, sent, trash, junk = "INBOX", "Sent", "Trash", "Junk"
    nowhere = "No such folder"
    no_ids: tuple[str, ...] = ("77.1", "nonsense")

    @abstractmethod
    async def deliver(self, raw: bytes) -> None:
        """Let a message arrive in the inbox."""

    @abstractmethod
    async def set_flags(self, remote_id: str, flags: tuple[str, ...]) -> None:
        """Change the flags of a message of the inbox, as another mail program would."""

    @abstractmethod
    async def remove(self, remote_id: str) -> None:
        """Delete a message of the inbox for good, as another mail program would."""

    @abstractmethod
    async def make_folder(self, name: str) -> None:
        """Make a folder, as another mail program would."""

    @abstractmethod
    async def rename_folder(self, name: str, new_name: str) -> None:
        """Rename a folder."""

    @abstractmethod
    async def remove_folder(self, name: str) -> None:
        """Delete a folder."""

    @abstractmethod
    def wrong_credentials(self) -> Credentials:
        """The same mailbox with a password that is wrong, or a grant that was taken back."""

    tells_flags = True  # whether list_changes tells of flags that changed
    touches = False  # whether list_changes tells what is new or changed without telling which
    tells_sizes = True  # whether a listing tells every message's size, and fetch_headers the same
    identifies = True  # whether folders have an identity
    names_stay = False  # whether a renamed folder keeps its remote name
    appends_drafts = False  # whether a message that is appended is a draft, whatever is asked for
    tells_where_removed = True  # whether poll() tells which folder a deleted message was in
    pushes_others = False  # whether wait() tells of folders that are not waited for
    refusal: type[NeedsReconnect] = SignInRefused  # of wrong_credentials
    refusal_code = "sign_in_refused"
    renumber = None  # async: give the inbox another UIDVALIDITY, where the test can do that
