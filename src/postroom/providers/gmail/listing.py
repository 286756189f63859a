"""Which messages a folder holds: ids by messages.list, and what a search tells of them beside that.

A list tells ids and nothing else, 500 for 5 units, so flags and sizes are lists too: of the unread, of the starred, of
what is larger than so much.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from postroom.providers.base import RemoteMessage
from postroom.providers.errors import ListingExpired, MessageGone, ProtocolViolation, Refused
from postroom.providers.gmail import queries, units
from postroom.providers.gmail.history import Event, history_of, replay
from postroom.providers.gmail.labels import (
    ARCHIVE,
    ARCHIVE_QUERY,
    DRAFT,
    HIDDEN,
    SENT,
    STARRED,
    UNREAD,
    Labels,
    flags_of,
)
from postroom.providers.gmail.requests import ME, Api

AT_ONCE: Final = 500  # the most that is allowed (discovery document)
MOST_PAGES: Final = 20_000  # ten million messages: a list that goes on is none
MOST_RESTARTS: Final = 3  # of a list whose pages expire
MOST_HISTORY_PAGES: Final = 20  # of 500 records; to list anew is cheaper than to replay more


@dataclass(frozen=True, slots=True)
class Place:
    """What is listed: a folder, and a query within it."""

    remote_name: str
    query: str = ""

    def narrowed(self, query: str = "", label: str = "") -> tuple[list[str], str]:
        """The labels and the query of what is in the place, fits the query too and wears the label too."""
        labels = [] if self.remote_name == ARCHIVE else [self.remote_name]
        base = ARCHIVE_QUERY if self.remote_name == ARCHIVE else ""
        return [*labels, *([label] if label else [])], queries.joined(base, self.query, query)


@dataclass(frozen=True, slots=True)
class Listed:
    """Ids, newest first, with the ids of their threads; `page_count` says in how many answers they came."""

    threads: dict[str, str]
    page_count: int


async def list_ids(api: Api, labels: Sequence[str], query: str) -> Listed:
    """Everything that wears all of these labels and fits the query."""
    params = [("maxResults", str(AT_ONCE)), *(("labelIds", label) for label in labels)]
    if query:
        params.append(("q", query))
    if not HIDDEN.isdisjoint(labels):
        params.append(("includeSpamTrash", "true"))
    threads: dict[str, str] = {}
    page = ""
    restarts = 0
    for count in range(1, MOST_PAGES):
        try:
            answer = await api.call(
                "GET",
                f"{ME}/messages",
                units=units.MESSAGES_LIST,
                params=[*params, *([("pageToken", page)] if page else [])],
            )
        except Refused:
            if not page or restarts == MOST_RESTARTS:
                raise
            restarts += 1  # the token of a page is good for a while only: from the first page on, then
            threads, page = {}, ""
            continue
        threads |= _threads_of(answer)
        page = str(answer.get("nextPageToken") or "")
        if not page:
            return Listed(threads, count)
    raise ProtocolViolation("flood", host=api.host, limit=MOST_PAGES)


async def list_whole(api: Api, place: Place, labels: Labels, start: int) -> dict[str, str]:
    """Ids with their threads, newest first: none that was in the place all the time is missing.

    A list of several pages may skip one when another leaves the folder between them. Absence means deleted to who
    reads the list, so where something left since `start`, a moment before the list, it is listed once more, and what
    only one of them has counts.
    """
    listed = await list_ids(api, *place.narrowed())
    if listed.page_count == 1:
        return listed.threads
    stories = replay((await list_history(api, start)).events)
    if not any(labels.moves(place.remote_name, story.changed) or story.is_gone for story in stories.values()):
        return listed.threads
    return listed.threads | (await list_ids(api, *place.narrowed())).threads


async def describe(api: Api, place: Place, remote_ids: Sequence[str]) -> list[RemoteMessage]:
    """These messages of a place with their flags, and how large they are at least where that is much."""
    if not remote_ids:
        return []
    # Drafts lie in DRAFT, and where their owner put a label on the whole thread.
    worn = {
        label: (await list_ids(api, *place.narrowed(label=label))).threads.keys()
        for label in (UNREAD, STARRED, *(() if place.remote_name in (SENT, ARCHIVE, DRAFT) else (DRAFT,)))
    }
    sizes = await large_ones(api, place)
    always = {place.remote_name} & {DRAFT}
    return [
        RemoteMessage(
            remote_id,
            sizes.get(remote_id, 0),
            flags_of({label for label, ids in worn.items() if remote_id in ids} | always),
        )
        for remote_id in remote_ids
    ]


async def large_ones(api: Api, place: Place) -> dict[str, int]:
    """The ids of messages that are larger than queries.LARGER, with the largest of these bounds that they exceed."""
    sizes: dict[str, int] = {}
    for octets in reversed(queries.LARGER):
        found = (await list_ids(api, *place.narrowed(queries.larger(octets)))).threads
        if not found:
            break
        sizes |= dict.fromkeys(found, octets + 1)  # larger than the bound: what has 25 MB is no giant yet
    return sizes


@dataclass(frozen=True, slots=True)
class Happened:
    """What happened in a mailbox since a moment, in order, and the id of now."""

    events: tuple[Event, ...]
    latest: int


async def list_history(api: Api, start: int) -> Happened:
    """Everything that happened since; raise ListingExpired when Google does not know any more, or when it is much."""
    events: list[Event] = []
    latest = 0
    page = ""
    for _ in range(MOST_HISTORY_PAGES):
        try:
            answer = await api.call(
                "GET",
                f"{ME}/history",
                units=units.HISTORY_LIST,
                params=[
                    ("startHistoryId", str(start)),
                    ("maxResults", "500"),
                    *([("pageToken", page)] if page else []),
                ],
            )
        except MessageGone as error:  # 404: too old (guides/sync)
            raise ListingExpired(server_words=error.server_words, host=api.host) from error
        except Refused as error:  # 400: no id that there ever was
            raise ListingExpired(server_words=error.server_words, host=api.host) from error
        told = history_of(answer)
        events += told.events
        # Of several answers the first: what happened while they were read is told again, and nothing is missed.
        latest = latest or told.latest
        page = told.next_page
        if not page:
            return Happened(tuple(events), max(latest, start))
    raise ListingExpired(host=api.host)


async def current_history(api: Api) -> int:
    """The id of now."""
    answer = await api.call("GET", f"{ME}/profile", units=units.PROFILE_GET)
    try:
        return int(answer["historyId"])
    except (KeyError, TypeError, ValueError) as error:
        raise ProtocolViolation("unexpected_answer", host=api.host) from error


def _threads_of(answer: dict[str, Any]) -> dict[str, str]:
    try:
        return {str(one["id"]): str(one["threadId"]) for one in answer.get("messages", [])}
    except (KeyError, TypeError) as error:
        raise ProtocolViolation("unexpected_answer") from error
