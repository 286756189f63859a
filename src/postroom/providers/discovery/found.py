"""What discovery finds, and how it says where it looked."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from postroom.providers.base import Security

# In the order in which they are asked; the first that names both servers wins.
Source = Literal["table", "autoconfig", "well_known", "public_database", "mx", "srv", "guess"]
Server = Literal["imap", "smtp"]
Secret = Literal["password", "app_password", "authorization_code", "bridge_password", "none"]


@dataclass(frozen=True, slots=True)
class FoundServer:
    """One server. `usernames` are the forms of the user name for this address, in the order they are tried."""

    host: str
    port: int
    security: Security
    usernames: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Found:
    """Settings for one address, and who said so.

    `provider` is the one whose sign-in page comes first ("" for none), `title` what people call the mail service,
    `secret` what its servers want instead of the account's password ("none": no password opens it any more), `advice`
    codes of the catalogue that say what to prepare. Either server may be missing; it is in `not_offered` ("imap",
    "smtp") when the domain itself says that it has none.
    """

    source: Source
    source_host: str
    imap: FoundServer | None = None
    smtp: FoundServer | None = None
    provider: str = ""
    title: str = ""
    secret: Secret = "password"  # noqa: S105  the kind of it
    advice: tuple[str, ...] = ()
    not_offered: tuple[Server, ...] = ()

    @property
    def servers(self) -> dict[Server, FoundServer]:
        """Those that are known."""
        named: dict[Server, FoundServer | None] = {"imap": self.imap, "smtp": self.smtp}
        return {name: server for name, server in named.items() if server is not None}

    @property
    def is_complete(self) -> bool:
        return self.imap is not None and self.smtp is not None

    @property
    def is_decided(self) -> bool:
        """Whether nothing is left to ask for: each server is named, or decidedly not offered."""
        return {"imap", "smtp"} == self.servers.keys() | set(self.not_offered)


@dataclass(frozen=True, slots=True)
class Look:
    """One place that was asked: `where` is its address or record, `found` what it said, `words` why it said nothing."""

    source: Source
    where: str
    seconds: float
    found: Found | None = None
    words: str = ""
