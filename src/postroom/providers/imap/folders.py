"""The folders of a mailbox, with what tells them apart when they are renamed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from postroom.providers.base import RemoteFolder
from postroom.providers.errors import ProtocolViolation
from postroom.providers.imap.commands import Verbatim
from postroom.providers.imap.dialogue import Dialogue
from postroom.providers.imap.folder_names import (
    Namespaces,
    as_remote_folders,
    can_be_kept,
    canonical,
    distinct,
    has_role,
    is_selectable,
)
from postroom.providers.imap.responses import Event, Folder, FolderStatus, Other

MOST_ANSWERS = 100_000  # to all questions for the list together; a server that never ends costs a connection
MAX_ASKED = 200  # folders whose identity is asked for one by one, in one session


class FolderList:
    """Lists folders; asks each for its identity once, as long as the names stay the same."""

    def __init__(self, dialogue: Dialogue) -> None:
        self._dialogue = dialogue
        self._identities: dict[str, str] = {}  # by folder, "" when the server does not say
        self._namespaces: Namespaces | None = None

    async def read(self) -> Sequence[RemoteFolder]:
        """The mailbox's own folders, each once."""
        self._namespaces = self._namespaces or await self._read_namespaces()
        told: dict[str, FolderStatus] = {}
        folders = distinct(await self._list(told), self._namespaces)
        await self._identify([folder.name for folder in folders if is_selectable(folder)], told)
        counts = Counter(self._identities.values())
        # Folders made in one second share a UIDVALIDITY at many servers (Cyrus, Courier): then it tells nothing.
        identities = {name: identity for name, identity in self._identities.items() if counts[identity] == 1}
        return as_remote_folders(folders, self._namespaces, identities)

    async def _read_namespaces(self) -> Namespaces:
        found = Namespaces()

        def take(event: Event) -> bool:
            nonlocal found
            if isinstance(event, Other) and event.name == "NAMESPACE":
                found = Namespaces.read(event.values)
                return True
            return False

        if self._dialogue.offers("NAMESPACE"):
            await self._dialogue.run(Verbatim("NAMESPACE"), take=take, may_say_no=True, may_say_bad=True)
        return found

    async def _list(self, told: dict[str, FolderStatus]) -> list[Folder]:
        listed: list[Folder] = []
        count = 0

        def take(event: Event) -> bool:
            nonlocal count
            if not isinstance(event, Folder | FolderStatus):
                return False
            count += 1
            if count > MOST_ANSWERS:
                raise ProtocolViolation("flood", limit=MOST_ANSWERS)
            if isinstance(event, FolderStatus):
                told[canonical(event.name)] = event
            elif can_be_kept(event.name):
                listed.append(event)
            return True

        offers, run = self._dialogue.offers, self._dialogue.run
        returned = []
        if offers("LIST-EXTENDED"):
            returned = ["SPECIAL-USE"] if offers("SPECIAL-USE") else []
            # Never MAILBOXID here: Cyrus 3.6.1 answers octets of somewhere else (run: "MAILBOXID (clTzV)").
            returned += ["STATUS (UIDVALIDITY)"] if offers("LIST-STATUS") and not offers("OBJECTID") else []
        if returned:
            command = Verbatim(f'LIST "" "*" RETURN ({" ".join(returned)})')
            await run(command, take=take, may_say_no=True, may_say_bad=True)
        elif offers("XLIST") and not offers("SPECIAL-USE"):
            await run(Verbatim('XLIST "" "*"'), take=take, may_say_no=True, may_say_bad=True)
        if not listed:  # STRATO offers XLIST and answers nothing
            await run(Verbatim('LIST "" "*"'), take=take)
        if offers("SPECIAL-USE") and not any(map(has_role, listed)):
            await run(Verbatim('LIST (SPECIAL-USE) "" "*"'), take=take, may_say_no=True, may_say_bad=True)
        return listed

    async def _identify(self, names: Sequence[str], told: dict[str, FolderStatus]) -> None:
        """Learn what each folder is, from LIST-STATUS or one by one where the names are not those of the last time."""
        if told:
            self._identities = {name: _identity(told[name]) for name in names if name in told}
            return
        if self._identities.keys() == set(names[:MAX_ASKED]):
            return
        item = "MAILBOXID" if self._dialogue.offers("OBJECTID") else "UIDVALIDITY"

        def take(event: Event) -> bool:
            if isinstance(event, FolderStatus):
                told[canonical(event.name)] = event
            return isinstance(event, FolderStatus)

        folder = self._dialogue.open
        for name in names[:MAX_ASKED]:
            if folder is not None and name == folder.remote_name and item == "UIDVALIDITY":
                told[name] = FolderStatus(name, {item: folder.uid_validity})  # STATUS is not meant for the open folder
                continue
            await self._dialogue.run(
                Verbatim("STATUS"), name, Verbatim(f"({item})"), take=take, may_say_no=True, may_say_bad=True
            )
        self._identities = {name: _identity(told[name]) if name in told else "" for name in names[:MAX_ASKED]}


def _identity(status: FolderStatus) -> str:
    if status.mailbox_id:
        return status.mailbox_id
    validity = status.items.get("UIDVALIDITY", 0)
    return f"uidvalidity:{validity}" if validity else ""
