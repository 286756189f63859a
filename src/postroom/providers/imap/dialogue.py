"""Commands and answers over one connection, and the folder that is open on it.

Folders are opened with EXAMINE: looking never marks anything as read.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from postroom.providers.errors import FolderGone, ProviderError, Throttled, Unreachable
from postroom.providers.imap.causes import find_cause
from postroom.providers.imap.commands import Argument, Verbatim
from postroom.providers.imap.cursor import OpenFolder
from postroom.providers.imap.errors import error_for_status
from postroom.providers.imap.fetched import Fetch
from postroom.providers.imap.responses import Event, Status
from postroom.providers.imap.transport import Connection

# Malformed VANISHED answers are on record (Mailspring-Sync PR 91).
_NO_VANISHED_HOSTS = ("mail.me.com",)


class Dialogue:
    """One command at a time. `open` is the examined folder; `left` are folders that had changed when they were left."""

    def __init__(self, connection: Connection) -> None:
        self.connection = connection
        self.open: OpenFolder | None = None
        self.left = frozenset[str]()

    def offers(self, *names: str) -> bool:
        return self.connection.offers(*names)

    @property
    def knows_modseq(self) -> bool:
        """CONDSTORE (RFC 7162): the server can say which messages changed since a point in time."""
        return self.offers("CONDSTORE", "QRESYNC")

    @property
    def tells_vanished(self) -> bool:
        """QRESYNC: the server can say which UIDs are gone."""
        host = self.connection.settings.host.lower()
        return self.offers("QRESYNC") and not host.endswith(_NO_VANISHED_HOSTS)

    @property
    def message_limit(self) -> int:
        """How many messages one command may name (RFC 9738: Yahoo says MESSAGELIMIT=1000), 0 for any number."""
        for name in self.connection.capabilities:
            if name.startswith("MESSAGELIMIT=") and name[13:].isdecimal():
                return int(name[13:20])
        return 0

    async def examine(self, remote_name: str, *, may_be_open: bool = False) -> OpenFolder:
        """Open a folder read-only, anew unless told otherwise: only then are its numbers of now."""
        if may_be_open and self.open is not None and self.open.remote_name == remote_name:
            return self.open
        told: dict[str, int] = {}

        def take(event: Event) -> bool:
            if isinstance(event, Status) and event.code is not None:
                told[event.code.name] = event.code.number
            return isinstance(event, Status)

        if self.open is not None and self.connection.has_changed:
            self.left |= {self.open.remote_name}
        self.open, self.connection.exists = None, 0
        # RFC 7162 section 3.1.8; a server that does not know the parameter never sees it
        parameters = (Verbatim("(CONDSTORE)"),) if self.knows_modseq else ()
        await self.run(
            Verbatim("EXAMINE"), remote_name, *parameters, take=take, refused=FolderGone, remote_name=remote_name
        )
        self.connection.has_changed = False
        self.left -= {remote_name}
        exists = self.connection.exists
        # 0 stands for a server that names no UIDVALIDITY: its UIDs last for ever, as far as anybody can know.
        self.open = OpenFolder(
            remote_name=remote_name,
            uid_validity=told.get("UIDVALIDITY", 0),
            uid_next=told.get("UIDNEXT") or await self.highest_uid(exists) + 1,
            modseq=told.get("HIGHESTMODSEQ", 0) if self.knows_modseq else 0,
            exists=exists,
            tells_uid_next=bool(told.get("UIDNEXT")),
        )
        return self.open

    async def highest_uid(self, exists: int) -> int:
        """The UID of the last of so many messages, 0 when there is none."""
        uids: list[int] = []

        def take(event: Event) -> bool:
            if isinstance(event, Fetch) and event.uid is not None:
                uids.append(event.uid)
            return isinstance(event, Fetch)

        if exists:
            await self.run(Verbatim(f"FETCH {exists} (UID)"), take=take)
        return max(uids, default=0)

    async def run(
        self,
        *arguments: Argument,
        take: Callable[[Event], bool] | None = None,
        refused: type[ProviderError] = Unreachable,
        may_say_no: bool = False,
        may_say_bad: bool = False,
        **facts: Any,
    ) -> Status:
        """One command; NO and BAD are raised as the table of `errors` or else `refused` says.

        `may_say_no` (and `may_say_bad`) return them instead, but for words that the table knows: a server that asks
        for patience has not answered.
        """
        status = await self.connection.run(*arguments, answer=take)
        if status.condition == "OK":
            return status
        if (may_say_no and status.condition == "NO") or may_say_bad:
            cause = find_cause(self.connection.settings.host, status.words)
            if cause is None or not issubclass(cause.error, Unreachable | Throttled):
                return status
        raise error_for_status(self.connection.settings.host, status, refused, **facts)
