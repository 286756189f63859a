"""What a provider shows of a mailbox, as values. `providers.base` speaks in them, the steps decide on them.

Everything that names a message at a provider (`remote_id`) or a place in its history (`cursor`) is opaque here.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal

Role = Literal["inbox", "sent", "drafts", "junk", "trash", "archive", "all", ""]


class CursorExpired(Exception):
    """The place in a folder's history that a cursor names is not known any more."""


class TooMuchAtOnce(Exception):
    """Messages that were asked for together do not fit into memory together: each has to be fetched by itself."""


class FolderClosed(Exception):
    """A folder that is listed cannot be opened, or is gone by now."""


@dataclass(frozen=True, slots=True)
class RemoteFolder:
    """A folder (or label) at the provider. `name` is for people, `remote_name` goes back to the provider.

    `identity` stays when the folder is renamed; "" when the provider has no such thing or was not asked. A message may
    wear several labels at once (`is_label`), and sits in one folder. A label that `sorts_inbox` shows what the inbox
    holds again, as a tab of it.
    """

    remote_name: str
    name: str
    role: Role = ""
    is_selectable: bool = True
    identity: str = ""
    is_label: bool = False
    sorts_inbox: bool = False


@dataclass(frozen=True, slots=True)
class RemoteIdentity:
    """An address that a mailbox may send as. `signature` is HTML."""

    address: str
    name: str = ""
    reply_to: str = ""
    signature: str = field(default="", repr=False)
    is_default: bool = False


@dataclass(frozen=True, slots=True)
class Uploaded:
    """What became of a message that was handed over before it was to be sent.

    waiting: it is still there, unsent. sent: it left. gone: it is not there and not known to have left.
    """

    state: Literal["waiting", "sent", "gone"]
    remote_id: str = ""
    internet_message_id: str = ""


@dataclass(frozen=True, slots=True)
class RemoteMessage:
    """A message as a listing shows it. `size` in octets, 0 when the provider does not say."""

    remote_id: str
    size: int = 0
    flags: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Window:
    """What a folder holds since a day, newest first, and the cursor from which changes() goes on."""

    messages: tuple[RemoteMessage, ...]
    cursor: str


@dataclass(frozen=True, slots=True)
class Changes:
    """What happened in a folder since a cursor.

    Absence means deleted only when `is_full`: then `added` lists everything the folder holds. `touched` are new here or
    have other flags: the provider does not say which, what is stored does.
    `was_reset` says that all earlier remote ids of this folder are void (UIDVALIDITY, RFC 3501 section 2.3.1.1).
    `tells_flags` is False where the provider cannot say which flags changed: they show in a full listing only.
    """

    added: tuple[RemoteMessage, ...]
    cursor: str
    flagged: tuple[RemoteMessage, ...] = ()
    removed: tuple[str, ...] = ()
    is_full: bool = False
    has_more: bool = False
    was_reset: bool = False
    tells_flags: bool = True
    touched: tuple[RemoteMessage, ...] = ()


@dataclass(frozen=True, slots=True)
class FetchedHeader:
    """What a listing with headers tells of a message: enough to decide whether its body is wanted.

    `block` holds the header fields that are decided on, as they came (RFC 5322 section 2.2); `size` in octets.
    """

    remote_id: str
    block: bytes
    size: int
    received_at: datetime
    flags: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class FetchedMessage:
    """A message with its bytes. `received_at` is the provider's clock (INTERNALDATE), aware."""

    remote_id: str
    raw: bytes
    received_at: datetime
    flags: tuple[str, ...] = ()
