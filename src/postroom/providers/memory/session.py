"""Reading and writing a memory mailbox: the same promises as any provider's session."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, date, datetime, time
from email.parser import BytesHeaderParser
from email.policy import compat32

from postroom.providers.base import (
    Changes,
    FetchedHeader,
    FetchedMessage,
    RemoteFolder,
    RemoteIdentity,
    RemoteMessage,
    Sought,
    Uploaded,
    Window,
)
from postroom.providers.errors import FolderGone, ListingExpired, MessageGone, Unreachable, Unsupported
from postroom.providers.memory.server import MemoryServer
from postroom.providers.memory.shelf import KeptFolder, KeptMessage, Outline
from postroom.providers.memory.uploads import Uploads

PIECE = 1024 * 1024


class MemorySession:
    """See base.Session. Cursor: JSON {"uidvalidity", "uidnext", "change"}."""

    def __init__(self, server: MemoryServer, address: str) -> None:
        self._server = server
        self._address = address.lower()
        self._seen: dict[str, int] = {}  # by folder: its state when it was last listed, or told of by wait()

    async def list_folders(self) -> Sequence[RemoteFolder]:
        self._reach()
        return [
            RemoteFolder(one.name, one.name, one.role, identity=one.identity)
            for one in self._server.shelf.folders(self._address)
        ]

    async def list_window(
        self,
        remote_name: str,
        since: date | None,
        before: date | None = None,
        addresses: Sequence[str] | None = None,
    ) -> Window:
        if addresses is not None:
            raise Unsupported
        folder = self._read(remote_name)
        start = datetime.combine(since or date.min, time(), UTC)
        end = datetime.combine(before or date.max, time(), UTC)
        kept = [one for one in folder.messages.values() if start <= one.received_at < end]
        return Window(tuple(_listed(folder, one) for one in _newest_first(kept)), _cursor(folder))

    async def list_changes(self, remote_name: str, cursor: str) -> Changes:
        folder = self._read(remote_name)
        if self._server.faults.expire_cursors:
            raise ListingExpired
        try:
            told = json.loads(cursor)
            validity, uid_next, change = told["uidvalidity"], told["uidnext"], told["change"]
        except (ValueError, TypeError, KeyError) as error:
            raise ListingExpired from error
        kept = _newest_first(folder.messages.values())
        if validity != folder.uid_validity or folder.uid_next < uid_next:
            everything = tuple(_listed(folder, one) for one in kept)
            return Changes(everything, _cursor(folder), is_full=True, was_reset=True)
        return Changes(
            added=tuple(_listed(folder, one) for one in kept if one.uid >= uid_next),
            cursor=_cursor(folder),
            flagged=tuple(_listed(folder, one) for one in kept if one.uid < uid_next and one.change > change),
            removed=tuple(
                f"{folder.uid_validity}.{uid}" for when, uid in folder.removed if when > change and uid < uid_next
            ),
        )

    async def list_all(self, remote_name: str) -> Changes:
        folder = self._read(remote_name)
        everything = tuple(_listed(folder, one) for one in _newest_first(folder.messages.values()))
        return Changes(everything, _cursor(folder), is_full=True)

    async def poll(self, cursors: Mapping[str, str]) -> frozenset[str]:
        self._reach()
        now = {one.name: _cursor(one) for one in self._server.shelf.folders(self._address)}
        return frozenset(name for name, cursor in cursors.items() if now.get(name) != cursor)

    async def fetch(self, remote_name: str, remote_ids: Sequence[str]) -> Sequence[FetchedMessage]:
        folder = self._read(remote_name, is_listing=False)
        fetched: list[FetchedMessage] = []
        for remote_id in remote_ids:
            validity, _, uid = remote_id.partition(".")
            one = folder.messages.get(int(uid)) if uid.isdigit() and validity == str(folder.uid_validity) else None
            if one is not None:
                self._maybe_drop(len(fetched))
                fetched.append(FetchedMessage(remote_id, one.raw, one.received_at, one.flags))
        return fetched

    async def fetch_headers(self, remote_name: str, remote_ids: Sequence[str]) -> Sequence[FetchedHeader]:
        return [
            FetchedHeader(one.remote_id, _header(one.raw), len(one.raw), one.received_at, one.flags)
            for one in await self.fetch(remote_name, remote_ids)
        ]

    async def fetch_large(self, remote_name: str, remote_id: str, size: int, write: Callable[[bytes], None]) -> None:
        fetched = await self.fetch(remote_name, [remote_id])
        if not fetched:
            raise MessageGone
        raw = fetched[0].raw
        for start in range(0, len(raw), PIECE):
            write(raw[start : start + PIECE])

    async def wait(self, remote_name: str, timeout_seconds: float) -> frozenset[str]:
        loop = asyncio.get_running_loop()
        end = loop.time() + timeout_seconds
        self._reach()
        names = {remote_name} | {one.name for one in self._server.shelf.folders(self._address)}
        for name, state in self._states(names).items():
            self._seen.setdefault(name, state)  # folders that were never listed count from now on
        while True:
            self._reach()
            now = self._states(names)
            if changed := {name for name, state in now.items() if state != self._seen[name]}:
                self._seen |= now  # told of once: who does not read a folder must not be woken for ever
                return frozenset(changed)
            left = end - loop.time()
            if left <= 0:
                return frozenset()
            await asyncio.sleep(min(left, self._server.poll_seconds))

    async def find_by_message_id(
        self, remote_name: str, internet_message_id: str, submission: str = ""
    ) -> Sequence[str]:
        folder = self._read(remote_name, is_listing=False)
        raws = {uid: one.raw for uid, one in folder.messages.items()}
        found = [uid for uid, raw in raws.items() if _field(raw, "Message-ID") == internet_message_id]
        if not found and submission:
            found = [uid for uid, raw in raws.items() if _field(raw, "X-Postroom-Submission") == submission]
        return [f"{folder.uid_validity}.{uid}" for uid in found]

    async def search(self, remote_name: str, sought: Sought, most: int) -> Sequence[FetchedHeader]:
        window = await self.list_window(remote_name, sought.since, sought.before)
        headers = await self.fetch_headers(remote_name, [one.remote_id for one in window.messages])
        return [header for header in headers if sought.fits(header)][:most]

    async def append(self, remote_name: str, raw: bytes, flags: Sequence[str] = ()) -> None:
        self._read(remote_name, is_listing=False)
        self._server.deliver(self._address, raw, folder=remote_name, flags=flags)

    async def find_upload(self, upload: str) -> Uploaded:
        self._reach()
        is_waiting = upload in Uploads(self._server, self._address).waiting()
        return Uploaded("waiting" if is_waiting else "gone", upload if is_waiting else "")

    async def list_identities(self) -> Sequence[RemoteIdentity]:
        raise Unsupported

    async def close(self) -> None:
        """Nothing is open."""

    def _read(self, remote_name: str, *, is_listing: bool = True) -> KeptFolder:
        self._reach()
        state = self._server.shelf.state(self._address, remote_name)
        folder = self._server.shelf.read(self._address, remote_name)
        if folder is None:
            raise FolderGone(folder=remote_name)
        if is_listing:
            self._seen[remote_name] = state
        return folder

    def _states(self, names: Iterable[str]) -> dict[str, int]:
        return {name: self._server.shelf.state(self._address, name) for name in names}

    def _reach(self) -> None:
        if self._server.faults.unreachable:
            raise Unreachable("connection_lost", host="memory", port=0)
        self._server.pump()

    def _maybe_drop(self, fetched: int) -> None:
        if self._server.faults.drop_after_fetched == fetched:
            self._server.faults.drop_after_fetched = None
            raise Unreachable("connection_lost", host="memory", port=0)


def _listed(folder: KeptFolder, one: KeptMessage) -> RemoteMessage:
    return RemoteMessage(f"{folder.uid_validity}.{one.uid}", len(one.raw), one.flags)


def _newest_first(messages: Iterable[KeptMessage]) -> list[KeptMessage]:
    return sorted(messages, key=lambda one: one.uid, reverse=True)


def _cursor(folder: KeptFolder | Outline) -> str:
    return json.dumps({"uidvalidity": folder.uid_validity, "uidnext": folder.uid_next, "change": folder.change})


def _header(raw: bytes) -> bytes:
    """The header with the empty line that ends it, as IMAP gives it out."""
    head, empty, _ = raw.partition(b"\r\n\r\n")
    return head + (empty or b"\r\n\r\n")


def _field(raw: bytes, name: str) -> str:
    return str(BytesHeaderParser(policy=compat32).parsebytes(raw).get(name, "")).strip()
