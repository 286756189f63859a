"""Messages by their ids: whole, as headers, in pieces, or only what they wear.

Several at once go in batches. A part that Google has no room for just now (429, and "too many concurrent requests"
which batches of new projects meet often) or no luck with (5xx) is asked for again, after a pause that doubles.
"""

from __future__ import annotations

import asyncio
import random
import re
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import aclosing
from functools import partial
from typing import Any, Final

from postroom.providers.base import FetchedHeader, FetchedMessage
from postroom.providers.errors import (
    MessageGone,
    NeedsReconnect,
    ProtocolViolation,
    Throttled,
    TooMuch,
    Unreachable,
)
from postroom.providers.gmail import batch, units
from postroom.providers.gmail.errors import patience_seconds
from postroom.providers.gmail.queries import by_message_id, joined
from postroom.providers.gmail.raw import RawReader
from postroom.providers.gmail.requests import ME, Api, Parameters, parsed, segment, with_query
from postroom.providers.gmail.responses import DECIDING, fetched_header, fetched_message, header_fields, worn
from postroom.providers.http import again, is_passing, told

TRIES: Final = 4
FIRST_PAUSE_SECONDS: Final = 0.5
LONGEST_PAUSE_SECONDS: Final = 10.0  # what is longer is the engine's to wait for
# Of one fetch. A page whose sizes were listed keeps below: 16 messages of 5 MB, which are known to have 1 MB.
MOST_OCTETS_AT_ONCE: Final = 96 * 1024 * 1024
MOST_MESSAGE_OCTETS: Final = 157_286_400  # messages.insert takes no more (discovery document)

_ID = re.compile(r"[0-9A-Za-z_-]{1,64}")  # 16 hexadecimal digits at Google

Answered = tuple[str, dict[str, Any]]


async def fetch_messages(api: Api, remote_ids: Sequence[str]) -> list[FetchedMessage]:
    """Whole messages in the order asked; those that are gone are left out.

    Raises TooMuch: lists do not tell the size of what was labelled long after it came, or a moment ago.
    """
    found: dict[str, FetchedMessage] = {}
    octets = 0
    try:
        async with aclosing(get_all(api, remote_ids, [("format", "raw")])) as answers:
            async for remote_id, message in answers:
                found[remote_id] = fetched_message(remote_id, message)
                octets += len(found[remote_id].raw)
                if octets > MOST_OCTETS_AT_ONCE:
                    raise TooMuch(host=api.host, limit=MOST_OCTETS_AT_ONCE)
    except ProtocolViolation as error:
        if error.code != "flood":  # one alone was too much
            raise
        raise TooMuch(host=api.host, limit=batch.MOST_PART_OCTETS) from error
    return [found[remote_id] for remote_id in dict.fromkeys(remote_ids) if remote_id in found]


async def fetch_headers(api: Api, remote_ids: Sequence[str]) -> list[FetchedHeader]:
    """The header fields that decide; those that are gone are left out."""
    asked = [("format", "metadata"), *(("metadataHeaders", name) for name in DECIDING)]
    found = {one: fetched_header(one, told_) async for one, told_ in get_all(api, remote_ids, asked)}
    return [found[remote_id] for remote_id in dict.fromkeys(remote_ids) if remote_id in found]


async def fetch_worn(api: Api, remote_ids: Sequence[str]) -> dict[str, frozenset[str]]:
    """What messages wear now; those that are gone are left out."""
    asked = [("format", "minimal"), ("fields", "id,labelIds")]
    return {one: worn(message) async for one, message in get_all(api, remote_ids, asked)}


async def fetch_large(api: Api, remote_id: str, write: Callable[[bytes], None]) -> None:
    """One message in pieces of 1 MiB at most; raise MessageGone."""
    if not _ID.fullmatch(remote_id):
        raise MessageGone(host=api.host)
    reader = RawReader()
    done = 0
    path = f"{ME}/messages/{segment(remote_id)}"
    async with api.stream(
        "GET", path, units=units.MESSAGES_GET, params=[("format", "raw"), ("fields", "raw")]
    ) as response:
        with told(str(response.request.url)):
            async for octets in response.aiter_bytes():
                for piece in reader.feed(octets):
                    done += len(piece)
                    if done > MOST_MESSAGE_OCTETS:
                        raise ProtocolViolation("literal_too_large", size=done, limit=MOST_MESSAGE_OCTETS)
                    write(piece)
    reader.end()


async def find_by_message_id(api: Api, labels: Sequence[str], query: str, internet_message_id: str) -> list[str]:
    """The ids of messages with these labels, fitting the query, whose Message-ID is exactly this."""
    answer = await api.call(
        "GET",
        f"{ME}/messages",
        units=units.MESSAGES_LIST,
        params=[
            ("q", joined(query, by_message_id(internet_message_id))),
            *(("labelIds", label) for label in labels),
            ("includeSpamTrash", "true"),
            ("maxResults", "50"),
        ],
    )
    ids = [str(one["id"]) for one in answer.get("messages", [])]
    asked = [("format", "metadata"), ("metadataHeaders", "Message-ID"), ("fields", "id,payload/headers")]
    exact = {
        remote_id
        async for remote_id, message in get_all(api, ids, asked)
        if any(
            name.lower() == "message-id" and internet_message_id in value.split()
            for name, value in header_fields(message)
        )
    }
    return [remote_id for remote_id in ids if remote_id in exact]


async def get_all(api: Api, remote_ids: Sequence[str], params: Parameters) -> AsyncGenerator[Answered, None]:
    """messages.get of all of these, in any order, each as soon as it is there; those that are gone are left out."""
    ids = [remote_id for remote_id in dict.fromkeys(remote_ids) if _ID.fullmatch(remote_id)]
    for start in range(0, len(ids), batch.MOST_PARTS):
        asked = ids[start : start + batch.MOST_PARTS]
        if len(asked) == 1:
            try:
                message = await again(partial(_get_one, api, asked[0], params))
            except MessageGone:
                continue
            yield _is_the_one(asked[0], message)
        else:
            async with aclosing(_get_batch(api, asked, params)) as answers:
                async for answered in answers:
                    yield answered


async def _get_one(api: Api, remote_id: str, params: Parameters) -> dict[str, Any]:
    path = f"{ME}/messages/{segment(remote_id)}"
    async with api.stream("GET", path, units=units.MESSAGES_GET, params=params) as response:
        return parsed(await api.read(response, batch.MOST_PART_OCTETS), api.host)


async def _get_batch(api: Api, asked: Sequence[str], params: Parameters) -> AsyncGenerator[Answered, None]:
    """One batch, and smaller ones for the parts that did not succeed or were cut off."""
    was_replaced = False
    for attempt in range(TRIES):
        trial = _Trial(api, asked, params)
        try:
            async with aclosing(trial.run()) as answers:
                async for answered in answers:
                    yield answered
        except MessageGone as gone:  # 404 for the batch itself
            raise ProtocolViolation("unexpected_answer", server_words=gone.server_words, host=api.host) from gone
        if not trial.failed:
            return
        asked, error = trial.failed, trial.reason
        if isinstance(error, NeedsReconnect):  # the token expired between two parts
            if was_replaced:
                raise error
            was_replaced = bool(await api.replaced(trial.token))
            continue
        pause = error.retry_after_seconds or FIRST_PAUSE_SECONDS * 2**attempt
        if attempt == TRIES - 1 or pause > LONGEST_PAUSE_SECONDS:
            await api.rest(patience_seconds(error))
            raise error
        await api.rest(pause if isinstance(error, Throttled) else error.retry_after_seconds or 0.0)
        await asyncio.sleep(pause * (1 + 0.5 * random.random()))  # noqa: S311  mailboxes come back one by one


class _Trial:
    """One batch: what was answered is given out, `failed` has what is worth another try and `reason` why."""

    def __init__(self, api: Api, asked: Sequence[str], params: Parameters) -> None:
        self._api = api
        self._asked = asked
        self._params = params
        self.failed: list[str] = []
        self.reason: Throttled | Unreachable | NeedsReconnect = Unreachable("server_unavailable", host=api.host)
        self.token = ""

    async def run(self) -> AsyncGenerator[Answered, None]:
        """What is answered, as it comes. A fault that ends the batch fails the parts that are left."""
        left = dict.fromkeys(self._asked)
        try:
            async with aclosing(self._run(left)) as answers:
                async for answered in answers:
                    yield answered
        except Unreachable as error:
            if not is_passing(error):
                raise
            self.reason, self.failed = error, [*self.failed, *left]

    async def _run(self, left: dict[str, None]) -> AsyncGenerator[Answered, None]:
        api = self._api
        paths = [with_query(f"{ME}/messages/{segment(one)}", self._params) for one in self._asked]
        async with api.stream(
            "POST",
            batch.PATH,
            units=units.MESSAGES_GET * len(self._asked),
            content=batch.compose(paths),
            headers={"Content-Type": batch.content_type()},
        ) as response:
            self.token = response.request.headers["Authorization"].partition(" ")[2]
            reader = batch.BatchReader(response.headers.get("Content-Type", ""), len(self._asked))
            with told(str(response.request.url)):
                async for octets in response.aiter_bytes():
                    for part in reader.feed(octets):
                        left.pop(self._asked[part.number])
                        answered = self._read(part)
                        if answered is not None:
                            yield answered
        self.failed += [self._asked[number] for number in sorted(reader.end())]

    def _read(self, part: batch.Part) -> Answered | None:
        remote_id = self._asked[part.number]
        if 200 <= part.status < 300:
            return _is_the_one(remote_id, parsed(part.body, self._api.host))
        error = self._api.error(part.status, part.body, part.headers)
        if isinstance(error, MessageGone):
            return None
        if not isinstance(error, Throttled | Unreachable) and part.status != 401:
            raise error
        self.failed.append(remote_id)
        if isinstance(error, Throttled | Unreachable | NeedsReconnect):
            self.reason = error
        return None


def _is_the_one(remote_id: str, message: dict[str, Any]) -> Answered:
    """A body counts only beside the id it was asked by."""
    if message.get("id") != remote_id:
        raise ProtocolViolation("unexpected_answer", server_words="another message than the one asked for")
    return remote_id, message
