"""The interface of a provider. A new one implements these four protocols and passes tests/contract/.

Everything that names a message at a provider (`remote_id`) or a place in its history (`cursor`) is an opaque
string outside the provider's folder. All methods raise the tree of `errors`; none returns an empty list for an error.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Any, Literal, Protocol

from postroom.providers.oauth import OAuth
from postroom.providers.push import Push
from postroom.sync.remote import (
    Changes,
    FetchedHeader,
    FetchedMessage,
    RemoteFolder,
    RemoteIdentity,
    RemoteMessage,
    Role,
    Uploaded,
    Window,
)
from postroom.sync.sought import Sought

__all__ = [
    "Allowance",
    "BeforeNoReturn",
    "Capabilities",
    "Changes",
    "CheckStep",
    "Credentials",
    "Envelope",
    "FetchedHeader",
    "FetchedMessage",
    "Provider",
    "Receipt",
    "RemoteFolder",
    "RemoteIdentity",
    "RemoteMessage",
    "Role",
    "Sender",
    "ServerSettings",
    "Session",
    "Sought",
    "Tokens",
    "Uploaded",
    "Window",
]

# Awaited with the provider's own name of what was handed over ("" where there is none): `Session.find_upload` knows it.
BeforeNoReturn = Callable[[str], Awaitable[None]]

Security = Literal["tls", "starttls", "none"]


@dataclass(frozen=True, slots=True)
class Capabilities:
    """What a provider can do. Shared code asks this, never a provider's name.

    With `lists_by_address` an import asks for the mail of records instead of reading every header (DESIGN.md 5).
    With `ids_are_mailbox_wide` a remote id means the same message in all folders, and in the one it was moved to: what
    is stored is placed and not fetched again.
    """

    lists_headers_cheaply: bool
    pushes: bool  # the connection itself tells of new mail; else wait() polls
    files_sent_itself: bool | None  # None: learnt per mailbox by looking
    finds_by_message_id: bool
    needs_oauth: bool = False
    lists_by_address: bool = False
    ids_are_mailbox_wide: bool = False
    fetch_at_once: int = 500  # messages in a page; fewer where each costs much of what is allowed a minute
    units_a_minute: int | None = None  # what a mailbox may use; sessions pay by Credentials.allowance before they ask
    lists_identities: bool = False  # list_identities() tells the addresses one may send as
    opens_shared: bool = False  # one sign-in may open mailboxes of other addresses
    watches: bool = False  # can be asked to call a public address of ours when mail arrives
    # What was handed over and not sent can be seen (find_upload), and proves after so long that it never left.
    upload_settles_seconds: float | None = None


@dataclass(frozen=True, slots=True)
class ServerSettings:
    """One server of an IMAP/SMTP mailbox. The password, or the access token, is in here: never log or repr it."""

    host: str
    port: int
    security: Security
    username: str
    password: str = field(repr=False)
    token: str = field(default="", repr=False)


class Tokens(Protocol):
    """Where a session has its access token from: one for each grant, shared by all processes (mailboxes/tokens.py)."""

    async def access_token(self, refused: str = "") -> str:
        """A token to use now, refreshed when it is about to expire or is the one that was just `refused`.

        Raises NeedsReconnect (the grant is dead), NeedsAdministrator (our client id or secret is), Unreachable or
        Throttled.
        """
        ...


class Allowance(Protocol):
    """What a provider allows a mailbox a minute, shared by all processes (mailboxes/allowance.py)."""

    async def take(self, units: float) -> None:
        """Wait for so many units, and until a rest is over; raise AllowanceUsed when that is too long to sit out."""
        ...

    async def rest(self, seconds: float) -> None:
        """The provider asked to be left alone for so long: nobody's `take` is done before, in whatever process."""
        ...


@dataclass(frozen=True, slots=True)
class Credentials:
    """What opens a mailbox, unsealed. `secrets` is the provider's own shape (imap: {"imap": …, "smtp": …}).

    `tokens` is there for grants by OAuth. `sign_in_user` is who signed in, where that is not `address`. With
    `is_for_import` a session leaves room beside it: others read and send at the same time. `other_usernames` are forms
    of the user name that only `check` tries, in this order, when a server refuses the one in `secrets`: its sign_in
    step that passed has the one that worked in `facts["username"]`. With `is_shared` the check warns of a sign-in that
    is a person's own.
    """

    address: str
    secrets: dict[str, Any] = field(repr=False)
    tokens: Tokens | None = field(default=None, repr=False, compare=False)
    allowance: Allowance | None = field(default=None, repr=False, compare=False)
    sign_in_user: str = ""
    is_for_import: bool = False
    other_usernames: tuple[str, ...] = ()
    is_shared: bool = False


@dataclass(frozen=True, slots=True)
class Envelope:
    """Who a message leaves from and goes to, as SMTP says it (RFC 5321 section 2.3.1)."""

    sender: str
    recipients: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Receipt:
    """The provider took the message. `refused` maps a recipient to the server's words.

    `internet_message_id` is the one the message left with, where the provider tells and may have replaced ours.
    """

    reply: str
    refused: dict[str, str] = field(default_factory=dict)
    remote_id: str = ""
    internet_message_id: str = ""


@dataclass(frozen=True, slots=True)
class CheckStep:
    """One step of a connection check: name, reach, tls, greeting, sign_in, folders … of one `server` (imap, smtp).

    A step that is `ok` and has a `code` passed with a warning: that entry of the catalogue says what to think about.
    """

    server: str
    name: str
    ok: bool
    seconds: float
    note: str = ""
    code: str = ""
    server_words: str = ""
    facts: dict[str, object] = field(default_factory=dict)


class Session(Protocol):
    """One open, signed-in conversation with a mailbox. Not for two tasks at once."""

    async def list_folders(self) -> Sequence[RemoteFolder]: ...

    async def list_window(
        self,
        remote_name: str,
        since: date | None,
        before: date | None = None,
        addresses: Sequence[str] | None = None,
    ) -> Window:
        """List what arrived since that day (None: everything) and before another, newest first.

        With `addresses` (lower case; "@domain" for all of a domain) only what is from, to, cc or bcc one of them, and
        the rest of those conversations; no addresses find nothing; the cursor is the folder's as ever. Raises
        Unsupported where the capability `lists_by_address` is missing.
        """
        ...

    async def list_all(self, remote_name: str) -> Changes:
        """List everything a folder holds, with flags, newest first (`is_full`), and the cursor of now."""
        ...

    async def poll(self, cursors: Mapping[str, str]) -> frozenset[str]:
        """Of folders with their cursors, those that may have changed since; cheap. A folder that is gone counts as
        changed: its listing raises FolderGone."""
        ...

    async def fetch_headers(self, remote_name: str, remote_ids: Sequence[str]) -> Sequence[FetchedHeader]:
        """Fetch the header fields that decide whether a message is wanted; those that are gone are left out."""
        ...

    async def list_changes(self, remote_name: str, cursor: str) -> Changes:
        """List what happened since `cursor`; raise ListingExpired or FolderGone."""
        ...

    async def fetch(self, remote_name: str, remote_ids: Sequence[str]) -> Sequence[FetchedMessage]:
        """Fetch whole messages; those that are gone are left out. Raises TooMuch for more than fits into memory."""
        ...

    async def fetch_large(self, remote_name: str, remote_id: str, size: int, write: Callable[[bytes], None]) -> None:
        """Fetch one whole message and hand it on in pieces of at most 1 MiB, in order; `size` as it was listed.

        Raises MessageGone, and Refused("message_too_large") where the provider gives out whole messages only.
        """
        ...

    async def wait(self, remote_name: str, timeout_seconds: float) -> frozenset[str]:
        """Wait until a folder may have changed, this one or, where the provider tells, any other; their names.

        Empty when the time is over. Each change ends one wait, so that who does not list a folder is not woken for
        ever; `poll` names it until it is listed. A name that is not known, or of a folder that is gone: list the
        folders.
        """
        ...

    async def find_by_message_id(
        self, remote_name: str, internet_message_id: str, submission: str = ""
    ) -> Sequence[str]:
        """The remote ids in that folder whose Message-ID header is exactly this.

        Where there are none and a sent message is known by nothing else (no `find_upload`), those whose
        X-Postroom-Submission header is `submission`: servers replace the Message-ID of what they send.
        """
        ...

    async def search(self, remote_name: str, sought: Sought, most: int) -> Sequence[FetchedHeader]:
        """The headers of what was sought in that folder, newest first, `most` at most: more may be there then.

        Junk and trash are searched like any other folder. What the provider finds by words of a subject may have to be
        whole words. Raises Unsupported where a text cannot be looked for.
        """
        ...

    async def append(self, remote_name: str, raw: bytes, flags: Sequence[str] = ()) -> None:
        """Put a message into a folder."""
        ...

    async def find_upload(self, upload: str) -> Uploaded:
        """What became of a message that a Sender handed over under this name (`BeforeNoReturn`). Never sends.

        Raises Unsupported where nothing can be handed over before it is sent.
        """
        ...

    async def list_identities(self) -> Sequence[RemoteIdentity]:
        """The addresses this mailbox may send as; raises Unsupported where the provider does not tell."""
        ...

    async def close(self) -> None: ...


class Sender(Protocol):
    """One open conversation that takes messages to send."""

    async def send(
        self,
        envelope: Envelope,
        mime: bytes,
        before_no_return: BeforeNoReturn,
        upload: str = "",
        was_tried: bool = False,
    ) -> Receipt:
        """Send `mime` once. Awaits `before_no_return(name)` just before the act that cannot be taken back.

        `upload` is what an earlier try of the same message handed over: it is sent instead of a second one, and when it
        is not there any more, InDoubt is raised before `before_no_return` is awaited. `was_tried`: an earlier try may
        have handed it over and not heard the name, so it is looked for first. Raises Refused, Throttled or Unreachable
        while the message is certainly not sent, and InDoubt once `before_no_return` was awaited and no clear answer
        came (RFC 5321 section 4.5.3.2.6: 600 s are given).
        """
        ...

    async def drop_uploads(self, internet_message_id: str, keep: str = "") -> None:
        """Delete what was handed over of this message and never sent, but for `keep`. Nothing where there is none."""
        ...

    async def close(self) -> None: ...


class Provider(Protocol):
    """A kind of mailbox: how to open one and how to check one."""

    name: str
    title: str
    capabilities: Capabilities
    oauth: OAuth | None  # how a member's permission is had; None where a password opens the mailbox
    push: Push | None  # how it calls us when mail arrives; None where it cannot (Capabilities.watches)

    def host_of(self, credentials: Credentials) -> str:
        """The server that `open` connects to, as a name to count connections by. Raises WrongSettings."""
        ...

    async def open(self, credentials: Credentials) -> Session: ...

    async def open_sender(self, credentials: Credentials) -> Sender: ...

    def check(self, credentials: Credentials) -> AsyncIterator[CheckStep]:
        """Try everything a mailbox needs, step by step; stops a server's row at its first failure."""
        ...
