"""What changes in a mailbox without being asked for: the folder that is open by IDLE, the others by NOTIFY or a poll.

NOTIFY (RFC 5465) lets the server push the STATUS of any folder. It is a hint and never a truth: a folder that was
told of stays among the changed ones until it is listed, and a poll compares numbers whatever was pushed.
"""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Mapping
from typing import Any, TypeAlias, TypeVar

from postroom.providers.errors import ListingExpired
from postroom.providers.imap.commands import Verbatim
from postroom.providers.imap.cursor import Cursor, OpenFolder
from postroom.providers.imap.dialogue import Dialogue
from postroom.providers.imap.fetched import Fetch
from postroom.providers.imap.folder_names import canonical, is_selectable
from postroom.providers.imap.responses import Event, Folder, FolderStatus, Status

Result = TypeVar("Result")
# Of _ITEMS, None where not told. A tuple is small, and every idle mailbox keeps one for each folder.
Numbers: TypeAlias = "tuple[int | None, ...]"

IDLE_SECONDS = 9 * 60.0  # Gmail and NAT boxes forget sooner than the 29 minutes of RFC 2177
NOOP_SECONDS = 30.0
ENDING_SECONDS = 1.0  # what a short command may take when a wait is cancelled, before the connection is given up
FEW_FOLDERS = 2  # so many are asked one by one even where one LIST could tell of all

_ITEMS = ("UIDVALIDITY", "UIDNEXT", "MESSAGES", "HIGHESTMODSEQ", "UNSEEN")
_MODSEQ, _UNSEEN = 3, 4
_EVENTS = "MessageNew MessageExpunge FlagChange"
# STATUS: tell the numbers of now first, so that nothing falls between the last listing and this. Expunges wait for a
# command that may tell of them (selected-delayed), though sequence numbers mean nothing to us.
_SUBSCRIPTION = f"NOTIFY SET STATUS (selected-delayed ({_EVENTS})) (personal ({_EVENTS} MailboxName))"


class Watch:
    """What is known of each folder's numbers since it was last listed, and which folders may have changed."""

    def __init__(self, dialogue: Dialogue) -> None:
        self._dialogue = dialogue
        self._numbers: dict[str, Numbers] = {}  # by folder, as last listed or pushed
        # Nearly always empty, and then frozen ones take no memory (transport.py).
        self._stirred = frozenset[str]()  # may have changed since they were last listed
        self._named = frozenset[str]()  # made, renamed or deleted since the folders were last listed
        self._told = frozenset[str]()  # of all these, who waits was told of
        self._flagged = frozenset[str]()  # a flag was seen to change there
        self._unseen: dict[str, int] = {}  # as the last poll counted
        self._is_subscribed = self._is_subscribing = self._may_subscribe = False
        dialogue.connection.overhear = self._overhear

    # listings tell

    def listing(self, folder: OpenFolder) -> None:
        """Note that a folder is being listed: what was heard of it before is used up."""
        self._numbers[folder.remote_name] = _numbers_of(folder)
        self._stirred -= {folder.remote_name}
        self._told -= {folder.remote_name}

    def folders_listed(self) -> None:
        """Note that whoever reads this mailbox knows its folders by name."""
        self._told -= self._named
        self._named = frozenset()

    def take_flag_news(self, remote_name: str) -> tuple[bool, int | None]:
        """Whether a flag was seen to change in that folder, and UNSEEN as the last poll counted it; used up by this."""
        was_flagged = remote_name in self._flagged
        self._flagged -= {remote_name}
        return was_flagged, self._unseen.pop(remote_name, None)

    # polls

    async def poll(self, cursors: Mapping[str, str]) -> frozenset[str]:
        """The folders whose numbers are not those of their cursors."""
        changed = await self._poll_open(cursors)
        asked = [name for name in cursors if self._dialogue.open is None or name != self._dialogue.open.remote_name]
        told = await self._statuses(asked)
        for name in asked:
            items = told.get(name)
            if items is None or _differs(cursors[name], items):
                changed.add(name)
            if items is not None and "UNSEEN" in items:
                self._unseen[name] = items["UNSEEN"]
        return frozenset(changed | (self._changed() & cursors.keys()))

    async def _poll_open(self, cursors: Mapping[str, str]) -> set[str]:
        """The folder that is open, by its own numbers: STATUS is not meant for it (RFC 3501 section 6.3.10)."""
        folder = self._dialogue.open
        if folder is None or folder.remote_name not in cursors:
            return set()
        await self._dialogue.run(Verbatim("NOOP"))
        items = {"UIDVALIDITY": folder.uid_validity, "UIDNEXT": folder.uid_next}
        items |= {"MESSAGES": self._dialogue.connection.exists, "HIGHESTMODSEQ": folder.modseq}
        has_changed = self._dialogue.connection.has_changed
        return {folder.remote_name} if has_changed or _differs(cursors[folder.remote_name], items) else set()

    async def _statuses(self, names: list[str]) -> dict[str, dict[str, int]]:
        """STATUS items by folder; a folder that cannot be asked is left out."""
        told: dict[str, dict[str, int]] = {}

        def take(event: Event) -> bool:
            if isinstance(event, FolderStatus):
                told.setdefault(canonical(event.name), {}).update(event.items)
            return isinstance(event, FolderStatus | Folder)

        last = "HIGHESTMODSEQ" if self._dialogue.knows_modseq else "UNSEEN"
        items = f"(UIDVALIDITY UIDNEXT MESSAGES {last})"
        if len(names) > FEW_FOLDERS and self._dialogue.offers("LIST-STATUS"):
            listing = Verbatim(f'LIST "" "*" RETURN (STATUS {items})')
            status = await self._dialogue.run(listing, take=take, may_say_no=True, may_say_bad=True)
            if status.condition == "OK":
                return told
        for name in names:
            await self._dialogue.run(Verbatim("STATUS"), name, Verbatim(items), take=take, may_say_no=True)
        return told

    # waiting

    async def wait(self, remote_name: str, timeout_seconds: float) -> frozenset[str]:
        """Until this folder, or another that the server tells of, may have changed; empty when the time is over."""
        connection = self._dialogue.connection
        loop = asyncio.get_running_loop()
        end = loop.time() + timeout_seconds
        folder = await _undisturbed(self._dialogue.examine(remote_name, may_be_open=True))
        while True:
            if not self._is_subscribed:
                await _undisturbed(self._subscribe())
            connection.is_woken = False
            if changed := self._take_news(folder):
                return changed
            left = end - loop.time()
            if left <= 0:
                return frozenset()
            if connection.offers("IDLE"):
                await connection.idle(min(left, IDLE_SECONDS))
            else:
                await asyncio.sleep(min(left, NOOP_SECONDS))
                await _undisturbed(self._dialogue.run(Verbatim("NOOP")))

    def _take_news(self, folder: OpenFolder) -> frozenset[str]:
        """All folders that may have changed, if one of them has since this was last asked."""
        now = _numbers_of(folder)
        known = self._numbers.setdefault(folder.remote_name, now)
        if self._dialogue.connection.has_changed or _contradict(known, now):
            self._stir(folder.remote_name)
            self._numbers[folder.remote_name], self._dialogue.connection.has_changed = now, False
        changed = self._changed()
        if changed <= self._told:
            return frozenset()
        self._told = changed
        return changed

    def _changed(self) -> frozenset[str]:
        self._stirred |= self._dialogue.left
        self._told -= self._dialogue.left
        self._dialogue.left = frozenset()
        return self._stirred | self._named

    async def _subscribe(self) -> None:
        """Ask for pushes once; a server that says NO or BAD is polled."""
        self._is_subscribed = True
        if not self._dialogue.offers("NOTIFY"):
            return
        self._is_subscribing = True
        try:
            await self._dialogue.run(Verbatim(_SUBSCRIPTION), may_say_no=True, may_say_bad=True)
        finally:
            self._is_subscribing = False

    def _overhear(self, event: Event) -> bool:
        """See what nobody asked for; True when whoever waits must be told."""
        folder = self._dialogue.open
        if isinstance(event, Fetch):
            if folder is not None:
                self._flagged |= {folder.remote_name}
            return False  # the connection notes it itself
        if isinstance(event, Status) and event.code is not None and event.code.name == "NOTIFICATIONOVERFLOW":
            self._is_subscribed = False  # RFC 5465 section 5.8: the server has given up; asked again it tells all
            return True
        if isinstance(event, Folder):
            return self._hear_name(event)
        if not isinstance(event, FolderStatus):
            return False
        name = canonical(event.name)
        if folder is not None and folder.remote_name == name:
            return False
        known, told = self._numbers.get(name), tuple([event.items.get(item) for item in _ITEMS])
        self._numbers[name] = told if known is None else _renewed(known, told)
        return self._is_other(known, told) and self._stir(name)

    def _is_other(self, known: Numbers | None, told: Numbers) -> bool:
        """Whether pushed numbers tell of a change. What is told first on subscribing is only compared."""
        if known is None:
            return not self._is_subscribing
        if _contradict(known, told):
            return True
        # Without CONDSTORE: UNSEEN alone, after a flag changed, and nothing to compare it with.
        is_unclear = told[_MODSEQ] is None and told[_UNSEEN] is not None and known[_UNSEEN] is None
        return is_unclear and not self._is_subscribing

    def _hear_name(self, folder: Folder) -> bool:
        """LIST unasked: a folder was made, renamed or deleted; Dovecot says it of old ones too, at a first sign-in."""
        name = canonical(folder.name)
        if name in self._numbers and is_selectable(folder):
            return False
        self._numbers.pop(name, None)
        self._named |= {name}
        self._told -= {name}
        return True

    def _stir(self, name: str) -> bool:
        self._stirred |= {name}
        self._told -= {name}
        return True


def _numbers_of(folder: OpenFolder) -> Numbers:
    return folder.uid_validity, folder.uid_next, folder.exists, folder.modseq or None, None


def _contradict(known: Numbers, told: Numbers) -> bool:
    return any(a != b for a, b in zip(known, told, strict=True) if a is not None and b is not None)


def _renewed(known: Numbers, told: Numbers) -> Numbers:
    return tuple([a if b is None else b for a, b in zip(known, told, strict=True)])


def _differs(cursor: str, items: Mapping[str, int]) -> bool:
    """Whether a folder's numbers are not its cursor's. An item that the server leaves out says nothing."""
    try:
        before = Cursor.read(cursor)
    except ListingExpired:
        return True  # listing the folder says so again
    known = {"UIDVALIDITY": before.uidvalidity, "UIDNEXT": before.uidnext, "MESSAGES": before.exists}
    if before.modseq or items.get("HIGHESTMODSEQ"):
        known["HIGHESTMODSEQ"] = before.modseq
    elif "UNSEEN" in items:
        return before.unseen != items["UNSEEN"] or any(items.get(name, known[name]) != known[name] for name in known)
    return any(items.get(name, value) != value for name, value in known.items())


async def _undisturbed(command: Coroutine[Any, Any, Result]) -> Result:
    """A short command that a cancelled wait lets finish: half a command would cost the connection."""
    task = asyncio.ensure_future(command)
    try:
        return await asyncio.shield(task)
    except asyncio.CancelledError:
        await asyncio.wait({task}, timeout=ENDING_SECONDS)
        task.cancel()
        await asyncio.wait({task})
        if not task.cancelled():
            task.exception()  # who was cancelled does not want to know
        raise
