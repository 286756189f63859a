"""Reading and writing a mailbox by the Gmail API: what a provider's session promises, said with labels and history.

A session holds no connection, only its place in the history. Everything that happens is asked once for all folders
(history.list without a label: with one, what is taken out of the label would not be told).
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Final

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
from postroom.providers.errors import FolderGone, ListingExpired, MessageGone, Refused
from postroom.providers.gmail import fetching, inserting, queries, units, uploads
from postroom.providers.gmail.cursor import Cursor
from postroom.providers.gmail.history import Story, Track, replay, sorted_out
from postroom.providers.gmail.identities import list_identities
from postroom.providers.gmail.labels import Labels, flags_of, labels_of
from postroom.providers.gmail.listing import (
    Place,
    current_history,
    describe,
    large_ones,
    list_history,
    list_ids,
    list_whole,
)
from postroom.providers.gmail.requests import ME, Api

MOST_ASKED: Final = 50  # messages whose labels history does not tell; to list anew is cheaper than to ask for more

A_DAY: Final = timedelta(days=1)
REQUESTS_A_SECOND: Final = 20  # of all waiting sessions of a process together


@dataclass(slots=True)
class Pace:
    """How often a waiting session asks: slower, the more of them there are in this process."""

    poll_seconds: float
    open_count: int = 0

    @property
    def seconds(self) -> float:
        return max(self.poll_seconds, self.open_count / REQUESTS_A_SECOND)


class GmailSession:
    """See base.Session. A remote name is the id of a label, or ARCHIVE; a cursor is cursor.Cursor."""

    __slots__ = ("_api", "_base", "_is_open", "_labels", "_pace", "_seen", "_threads", "_track")

    def __init__(self, api: Api, labels: Labels, pace: Pace) -> None:
        self._api = api
        self._labels = labels
        self._pace = pace
        self._base: int | None = None  # the moment from which wait() tells of folders that were not listed
        self._seen: dict[str, int] = {}  # by folder: the moment it was listed, or told of by wait()
        self._track: Track | None = None
        # Of the last search by address: what was searched, and the threads it found, in all folders.
        self._threads: tuple[object, frozenset[str]] | None = None
        self._is_open = True
        pace.open_count += 1

    @classmethod
    async def open(cls, api: Api, pace: Pace) -> GmailSession:
        """Sign in: the labels are there, or an error, and then the API is closed."""
        try:
            return cls(api, await list_labels(api), pace)
        except BaseException:
            await api.close()
            raise

    async def list_folders(self) -> Sequence[RemoteFolder]:
        self._labels = await list_labels(self._api)
        return self._labels.folders()

    async def list_window(
        self,
        remote_name: str,
        since: date | None,
        before: date | None = None,
        addresses: Sequence[str] | None = None,
    ) -> Window:
        cursor = await self._now(remote_name)
        window = queries.between(since, before)
        place = Place(remote_name, window)
        threads = await self._list(place, cursor)
        if addresses is not None and threads:
            wanted = await self._threads_with(addresses, window)
            threads = {remote_id: thread for remote_id, thread in threads.items() if thread in wanted}
        messages = tuple(await describe(self._api, place, list(threads)))
        self._note_seen(remote_name, cursor.history)
        return Window(messages, str(cursor))

    async def list_all(self, remote_name: str) -> Changes:
        self._labels = await list_labels(self._api)
        cursor = await self._now(remote_name)
        place = Place(remote_name)
        messages = tuple(await describe(self._api, place, list(await self._list(place, cursor))))
        self._note_seen(remote_name, cursor.history)
        return Changes(messages, str(cursor), is_full=True)

    async def list_changes(self, remote_name: str, cursor: str) -> Changes:
        start = Cursor.parse(cursor)
        await self._know([remote_name])
        happened = await list_history(self._api, start.history)
        stories = replay(happened.events)
        if await self._tell_labels(stories) > 0:
            raise ListingExpired(host=self._api.host)
        added, flagged, removed = sorted_out(stories, remote_name, self._labels)
        sizes: dict[str, int] = {}
        if any(stories[remote_id].is_new for remote_id in added):
            sizes = await large_ones(self._api, Place(remote_name, queries.between(start.day - A_DAY, None)))

        def as_told(remote_id: str) -> RemoteMessage:
            return RemoteMessage(remote_id, sizes.get(remote_id, 0), flags_of(stories[remote_id].worn or ()))

        self._note_seen(remote_name, happened.latest)
        return Changes(
            tuple(map(as_told, added)),
            str(Cursor(happened.latest, _today())),
            flagged=tuple(map(as_told, flagged)),
            removed=tuple(removed),
        )

    async def poll(self, cursors: Mapping[str, str]) -> frozenset[str]:
        if not cursors:
            return frozenset()
        self._labels = await list_labels(self._api)
        changed = {name for name in cursors if not self._labels.has(name)}
        parsed: dict[str, Cursor] = {}
        for name in cursors.keys() - changed:
            try:
                parsed[name] = Cursor.parse(cursors[name])
            except ListingExpired:
                changed.add(name)
        if not parsed:
            return frozenset(changed)
        try:
            track = await self._follow(min(cursor.history for cursor in parsed.values()))
        except ListingExpired:
            return frozenset(cursors)
        if self._base is None:
            self._base = track.until
        today = _today()
        changed |= {
            name for name, cursor in parsed.items() if cursor.is_old(today) or track.changed(name, cursor.history)
        }
        return frozenset(changed)

    async def wait(self, remote_name: str, timeout_seconds: float) -> frozenset[str]:
        loop = asyncio.get_running_loop()
        end = loop.time() + timeout_seconds
        self._threads = None
        await self._know([remote_name])
        while True:
            try:
                changed = await self._changed_since_seen()
            except ListingExpired:
                self._track, self._base = None, await current_history(self._api)
                self._seen.clear()
                return frozenset({remote_name})
            if changed:
                return changed
            left = end - loop.time()
            if left <= 0:
                return frozenset()
            await asyncio.sleep(min(left, self._pace.seconds))

    async def fetch(self, remote_name: str, remote_ids: Sequence[str]) -> Sequence[FetchedMessage]:
        return await fetching.fetch_messages(self._api, remote_ids)

    async def fetch_headers(self, remote_name: str, remote_ids: Sequence[str]) -> Sequence[FetchedHeader]:
        return await fetching.fetch_headers(self._api, remote_ids)

    async def fetch_large(self, remote_name: str, remote_id: str, size: int, write: Callable[[bytes], None]) -> None:
        await fetching.fetch_large(self._api, remote_id, write)

    async def find_by_message_id(
        self, remote_name: str, internet_message_id: str, submission: str = ""
    ) -> Sequence[str]:
        await self._know([remote_name])
        labels, query = Place(remote_name).narrowed()
        return await fetching.find_by_message_id(self._api, labels, query, internet_message_id)

    async def search(self, remote_name: str, sought: Sought, most: int) -> Sequence[FetchedHeader]:
        await self._know([remote_name])
        labels, query = Place(remote_name).narrowed(queries.seeking(sought))
        ids = list((await list_ids(self._api, labels, query)).threads)
        found: list[FetchedHeader] = []
        for start in range(0, len(ids), most):
            headers = await fetching.fetch_headers(self._api, ids[start : start + most])
            found += filter(sought.fits, headers)
            if len(found) >= most:
                break
        return found[:most]

    async def append(self, remote_name: str, raw: bytes, flags: Sequence[str] = ()) -> None:
        await self._know([remote_name])
        await inserting.insert(self._api, remote_name, raw, flags)

    async def find_upload(self, upload: str) -> Uploaded:
        return await uploads.find_upload(self._api, upload)

    async def list_identities(self) -> Sequence[RemoteIdentity]:
        return await list_identities(self._api)

    async def close(self) -> None:
        if self._is_open:
            self._is_open = False
            self._pace.open_count -= 1
            await self._api.close()

    async def _know(self, labels: Sequence[str]) -> None:
        """See to it that these folders exist; raise FolderGone."""
        for is_fresh in (False, True):
            missing = [label for label in labels if not self._labels.has(label)]
            if not missing:
                return
            if is_fresh:
                raise FolderGone(folder=missing[0], host=self._api.host)
            self._labels = await list_labels(self._api)

    async def _now(self, remote_name: str) -> Cursor:
        """A cursor from before a listing of that folder; raises FolderGone."""
        await self._know([remote_name])
        return Cursor(await current_history(self._api), _today())

    async def _list(self, place: Place, cursor: Cursor) -> dict[str, str]:
        try:
            return await list_whole(self._api, place, self._labels, cursor.history)
        except (MessageGone, Refused):  # 404 or 400: the label may have been deleted a moment ago
            self._labels = await list_labels(self._api)
            await self._know([place.remote_name])
            raise

    async def _threads_with(self, addresses: Sequence[str], window: str) -> frozenset[str]:
        """The threads in which a message is from, to, cc or bcc one of these, in all folders; searched once for all."""
        searched = (tuple(addresses), window)
        if self._threads is None or self._threads[0] != searched:
            found: set[str] = set()
            for query in queries.by_addresses(addresses, window):
                found |= set((await list_ids(self._api, (), query)).threads.values())
            self._threads = (searched, frozenset(found))
        return self._threads[1]

    async def _changed_since_seen(self) -> frozenset[str]:
        """The folders in which something happened that nobody was told of; from now on they were told of it."""
        if self._base is None:
            self._base = await current_history(self._api)
        base = self._base
        track = await self._follow(min([base, *self._seen.values()]))
        changed = [name for name in self._labels.folder_names() if track.changed(name, self._seen.get(name, base))]
        self._seen |= dict.fromkeys(changed, track.until)
        return frozenset(changed)

    async def _follow(self, start: int) -> Track:
        """What is known of all folders since a moment, up to now."""
        track = self._track
        if track is None or start < track.since:
            track = Track(start, start)
        try:
            happened = await list_history(self._api, track.until)
        except ListingExpired:
            self._track = None
            if track.until < start:  # what was followed is forgotten, and what is asked for is younger
                return await self._follow(start)
            raise
        stories = replay(happened.events)
        untold = await self._tell_labels(stories)
        track.go_on(stories.values(), self._labels, happened.latest)
        if untold:
            track.any_at = track.until
        self._track = track
        return track

    async def _tell_labels(self, stories: Mapping[str, Story]) -> int:
        """Ask what messages wear of which history did not say it, unless they are many; how many are left."""
        unknown = [remote_id for remote_id, story in stories.items() if story.is_unknown]
        if len(unknown) > MOST_ASKED:
            return len(unknown)
        if unknown:
            told = await fetching.fetch_worn(self._api, unknown)
            for remote_id in unknown:
                stories[remote_id].know(told.get(remote_id))
        worn = {label for story in stories.values() for label in story.ever}
        if not self._labels.knows(worn):
            self._labels = (await list_labels(self._api)).with_unlisted(worn | self._labels.unlisted)
        return 0

    def _note_seen(self, remote_name: str, history: int) -> None:
        if self._base is None:
            self._base = history
        self._seen[remote_name] = max(history, self._seen.get(remote_name, 0))


async def list_labels(api: Api) -> Labels:
    """The labels of now."""
    return labels_of(await api.call("GET", f"{ME}/labels", units=units.LABELS_LIST))


def _today() -> date:
    return datetime.now(UTC).date()
