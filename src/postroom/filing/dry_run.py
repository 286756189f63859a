"""What an import would bring, counted at the mailbox's server before anything is stored (filing/tally.py counts).

Headers are listed by the mailbox's own session and looked at in memory: no message, no sighting, no folder is written.
Where headers are dear (Capabilities.lists_headers_cheaply), the mail of records is counted by a search and of the rest
the newest are looked at; the numbers say so. One limit holds for all of it, from signing in to the last header, and the
folders that were not counted by then are named.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Final
from uuid import UUID

from asgiref.sync import sync_to_async

from postroom.correspondence.models import ThreadRef
from postroom.correspondence.prepared_header import prepare_header
from postroom.engine.driver import new_header
from postroom.filing.matching import THREAD
from postroom.filing.models import Filing
from postroom.filing.tally import People, Tally
from postroom.mail.address import address_key
from postroom.mailboxes.connect import ConnectRequest
from postroom.mailboxes.credentials import load_credentials
from postroom.mailboxes.models import Folder, Identity, Keep, Kind, Mailbox, Sharing
from postroom.providers import registry
from postroom.providers.base import Capabilities, Credentials, FetchedHeader, Session
from postroom.providers.errors import AllowanceUsed, FolderGone, Unreachable
from postroom.providers.private_domains import PRIVATE_DOMAINS
from postroom.records.models import ContactAddress
from postroom.sync.folders import left_out, listed_once
from postroom.workspaces.models import Membership

MOST_HEADERS: Final = 100_000
MOST_DEAR_HEADERS: Final = 500
MOST_SECONDS: Final = 300.0
LISTING_SHARE: Final = 0.5  # of the time; no folder is begun to be listed later, so that headers are looked at, too
HEADERS_AT_ONCE: Final = 500
SHOWN_CONTACTS: Final = 20


@dataclass(frozen=True, slots=True)
class Planned:
    """An import that has not begun. `chosen`: by remote name, folders that somebody chose or left out by hand."""

    workspace_id: UUID
    provider: str
    address: str
    kind: str
    keep: str
    sharing: str
    backfill_days: int
    credentials: Credentials = field(repr=False)
    chosen: Mapping[str, bool] = field(default_factory=dict)

    @property
    def keeps_everything(self) -> bool:
        return self.keep == Keep.EVERYTHING


@dataclass(frozen=True, slots=True)
class Counts:
    """How far the count is. `listed` messages lie in the window; `looked_at` of them were put into a group.

    With `is_sample` these are not all: the newest ones, after all mail of records where the provider searches for it.
    `contacts` are the ids of those with most messages, with their numbers. `folders` are the names of what was counted,
    `not_counted` of what the import would read too and there was no time for.
    """

    listed: int = 0
    looked_at: int = 0
    known: int = 0
    colleagues: int = 0
    private: int = 0
    unknown: int = 0
    contacts: tuple[tuple[UUID, int], ...] = ()
    folders: tuple[str, ...] = ()
    left_out: tuple[str, ...] = ()
    not_counted: tuple[str, ...] = ()
    is_sample: bool = False
    is_done: bool = False

    def kept(self, *, keeps_everything: bool) -> int:
        """How many messages the import would store."""
        return max(self.listed, self.looked_at) if keeps_everything else self.known


def planned_mailbox(mailbox: Mailbox) -> Planned:
    """The import of a mailbox that waits for its start. Raises sealing.Unsealable or Grant.DoesNotExist."""
    chosen = Folder.objects.filter(mailbox=mailbox).exclude(is_chosen=None)
    return Planned(
        workspace_id=mailbox.workspace_id,
        provider=mailbox.provider,
        address=mailbox.address,
        kind=mailbox.kind,
        keep=mailbox.keep,
        sharing=mailbox.sharing,
        backfill_days=mailbox.backfill_days,
        credentials=load_credentials(mailbox, "import"),
        chosen={folder.remote_name: bool(folder.is_chosen) for folder in chosen},
    )


def planned_request(workspace_id: UUID, request: ConnectRequest) -> Planned:
    """The import of a mailbox that is not connected."""
    is_personal = request.kind == Kind.PERSONAL
    return Planned(
        workspace_id=workspace_id,
        provider=request.provider,
        address=request.address,
        kind=request.kind,
        keep=request.keep or (Keep.RECORDS if is_personal else Keep.EVERYTHING),
        sharing=request.sharing or (Sharing.NOTHING if is_personal else Sharing.EVERYTHING),
        backfill_days=request.backfill_days,
        credentials=request.credentials,
    )


async def count(planned: Planned, seconds: float = MOST_SECONDS) -> AsyncIterator[Counts]:
    """Count step by step, newest mail of each folder first, for so long at most. Nothing is stored in any case.

    Raises ProviderError, also where not even one folder could be listed in that time.
    """
    began = time.monotonic()
    provider = registry.provider(planned.provider)
    try:
        async with asyncio.timeout(seconds):
            session = await provider.open(planned.credentials)
        try:
            counting = _Count(
                planned,
                session,
                provider.capabilities,
                until=began + seconds,
                list_until=began + seconds * LISTING_SHARE,
            )
            async for counts in counting.run():
                yield counts
        finally:
            await session.close()
    except TimeoutError:
        raise Unreachable("counting_slow", host=provider.host_of(planned.credentials)) from None


async def count_all(planned: Planned, seconds: float = MOST_SECONDS) -> Counts:
    """The whole count. Raises as `count`."""
    last = Counts()
    async for counts in count(planned, seconds):
        last = counts
    return last


class _Count:
    """One count, on one session. `until` and `list_until` are moments of the monotonic clock."""

    def __init__(
        self, planned: Planned, session: Session, capabilities: Capabilities, *, until: float, list_until: float
    ) -> None:
        self._planned = planned
        self._session = session
        self._is_cheap = capabilities.lists_headers_cheaply
        self._searches = capabilities.lists_by_address and not self._is_cheap
        self._is_wide = capabilities.ids_are_mailbox_wide
        self._at_once = min(HEADERS_AT_ONCE, capabilities.fetch_at_once)
        self._since = datetime.now(UTC).date() - timedelta(days=planned.backfill_days)
        # Past all that is there: where a window ends, a provider need not list the folder whole for a cursor.
        self._before = datetime.now(UTC).date() + timedelta(days=2)
        self._until = until
        self._list_until = list_until
        self._tally = Tally()
        self._waiting: list[tuple[str, list[str]]] = []  # folder by folder: the remote ids to look at
        self._looked_at = 0
        self._ids: set[str] = set()
        self._found: set[str] = set()  # the mail of records, where it was searched for
        self._folders: list[str] = []
        self._left_out: list[str] = []
        self._not_counted: list[str] = []

    async def run(self) -> AsyncIterator[Counts]:
        people = await sync_to_async(_people)(self._planned)
        yield Counts()
        async with self._time():
            folders = await self._read_folders()
        for number, (remote_name, name) in enumerate(folders):
            try:
                await self._list(remote_name, name, people)
            except (TimeoutError, AllowanceUsed):
                if not self._folders:
                    raise
                self._not_counted = [name for _, name in folders[number:]]
                break
            yield self._counts()
        for remote_name, page in self._pages():
            try:
                async with self._time():
                    headers = await self._session.fetch_headers(remote_name, page)
            except (TimeoutError, AllowanceUsed):  # a sample now is worth more than all of it in some minutes
                break
            await sync_to_async(_put_into)(self._tally, headers, people, self._planned.workspace_id)
            self._looked_at += len(page)
            yield self._counts()
        yield self._counts(is_done=True)

    async def _read_folders(self) -> list[tuple[str, str]]:
        """(remote name, name) of the folders that the import would read."""
        listed = await self._session.list_folders()
        out = left_out(listed)
        chosen = self._planned.chosen
        is_read = {one.remote_name: chosen.get(one.remote_name, one.remote_name not in out) for one in listed}
        once = listed_once(listed)
        self._left_out = [one.name for one in once if not is_read[one.remote_name]]
        return [(one.remote_name, one.name) for one in once if is_read[one.remote_name]]

    def _time(self) -> asyncio.Timeout:
        """As long as there is: TimeoutError leaves the session as it is, good for nothing but to be closed."""
        return asyncio.timeout(max(self._until - time.monotonic(), 0))

    async def _list(self, remote_name: str, name: str, people: People) -> None:
        """Put the folder's messages of the window down to be looked at; one that nobody may open is left out.

        Raises TimeoutError where there is no time for it.
        """
        if time.monotonic() > self._list_until:
            raise TimeoutError
        try:
            async with self._time():
                window = await self._session.list_window(remote_name, self._since, self._before)
                if self._searches:
                    keys = sorted(people.contacts.keys() - people.own_keys)
                    found = await self._session.list_window(remote_name, self._since, self._before, keys)
                    self._found.update(self._id(remote_name, one.remote_id) for one in found.messages)
        except FolderGone:
            self._left_out.append(name)
            return
        self._folders.append(name)
        ids = {one.remote_id: self._id(remote_name, one.remote_id) for one in window.messages}
        new = [remote_id for remote_id, own_id in ids.items() if own_id not in self._ids]
        self._ids.update(ids.values())
        # The mail of records is counted by the search already; the rest is what is left to be looked at.
        self._waiting.append((remote_name, [one for one in new if ids[one] not in self._found]))

    def _pages(self) -> Iterator[tuple[str, list[str]]]:
        """(folder, remote ids) to look at, at most so many as the provider makes cheap."""
        room = MOST_HEADERS if self._is_cheap else MOST_DEAR_HEADERS
        for remote_name, remote_ids in self._waiting:
            for start in range(0, min(len(remote_ids), room), self._at_once):
                yield remote_name, remote_ids[start : min(start + self._at_once, room)]
            room -= min(len(remote_ids), room)

    def _id(self, remote_name: str, remote_id: str) -> str:
        """One of its own for each message of the mailbox."""
        return remote_id if self._is_wide else f"{remote_name}\0{remote_id}"

    def _counts(self, *, is_done: bool = False) -> Counts:
        groups = self._tally.counts()
        is_whole = self._looked_at == sum(len(remote_ids) for _, remote_ids in self._waiting)
        looked_at = self._tally.seen + len(self._found)
        return Counts(
            # What lies in several folders was listed several times, and is one message.
            listed=looked_at if is_done and is_whole else len(self._ids),
            looked_at=looked_at,
            known=groups["known"] + len(self._found),
            colleagues=groups["colleagues"],
            private=groups["private"],
            unknown=groups["unknown"],
            contacts=tuple(self._tally.contacts(SHOWN_CONTACTS)),
            folders=tuple(self._folders),
            left_out=tuple(self._left_out),
            not_counted=tuple(self._not_counted),
            is_sample=is_done and not is_whole,
            is_done=is_done,
        )


def _people(planned: Planned) -> People:
    """Who is who in the workspace, with the mailbox's own address among its own ones."""
    workspace_id = planned.workspace_id
    addresses = [planned.address]
    addresses += Mailbox.objects.filter(workspace_id=workspace_id).values_list("address", flat=True)
    addresses += Identity.objects.filter(workspace_id=workspace_id).values_list("address", flat=True)
    members = Membership.objects.filter(workspace_id=workspace_id, left_at=None)
    own_keys = frozenset(address_key(address) for address in addresses)
    named = own_keys | {address_key(email) for email in members.values_list("user__email", flat=True)}
    contacts = ContactAddress.objects.filter(workspace_id=workspace_id).values_list("key", "contact_id")
    return People(
        contacts=dict(contacts),
        own_keys=own_keys,
        own_domains=frozenset(key.rpartition("@")[2] for key in named) - PRIVATE_DOMAINS,
        private_domains=PRIVATE_DOMAINS,
    )


def _put_into(tally: Tally, headers: Sequence[FetchedHeader], people: People, workspace_id: UUID) -> None:
    prepared = [prepare_header(new_header(header)) for header in headers]
    named = {ref for one in prepared for ref in (one.thread_facts.key, *one.thread_facts.refs)}
    for ref in _on_record(workspace_id, named):
        tally.note_record(ref)
    for one in prepared:
        keys = {key for _, key in one.participants}
        tally.add(one.thread_facts, people.group_of(keys), people.contacts_among(keys))


def _on_record(workspace_id: UUID, refs: Collection[UUID]) -> list[UUID]:
    """Those of the references whose conversation is here already and stands on a record in its own right."""
    threads = dict(ThreadRef.objects.filter(workspace_id=workspace_id, ref__in=refs).values_list("ref", "thread_id"))
    own_right = Filing.objects.filter(thread_id__in=set(threads.values()), removed_by_id=None).exclude(reason=THREAD)
    standing = set(own_right.values_list("thread_id", flat=True))
    return [ref for ref, thread_id in threads.items() if thread_id in standing]
