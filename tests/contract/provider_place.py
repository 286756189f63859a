"""What the contract suite needs of a provider: a mailbox, and somebody else who changes it."""

from __future__ import annotations

from abc import ABC, abstractmethod

from postroom.providers.base import Credentials, Provider


def make_mail(number: int, *, body: str = "Hello", message_id: str | None = None) -> bytes:
    return (
        f"From: Katrin Voss <katrin@customer.test>\r\nTo: sales@example.test\r\nSubject: Letter {number}\r\n"
        f"Message-ID: {message_id or f'<letter-{number}@customer.test>'}\r\nDate: Mon, 23 Nov 2026 09:00:00 +0000\r\n"
        f"\r\n{body} {number}\r\n"
    ).encode()


class Place(ABC):
    """A mailbox of its own for one test, with somebody at the server who can change things there."""

    provider: Provider
    credentials: Credentials

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
        """The same mailbox with a password that is wrong."""

    tells_flags = True  # whether list_changes tells of flags that changed
    identifies = True  # whether folders have an identity
    pushes_others = False  # whether wait() tells of folders that are not waited for
    renumber = None  # async: give the inbox another UIDVALIDITY, where the test can do that
