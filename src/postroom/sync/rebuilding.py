"""Rebuilding: a folder was renumbered (UIDVALIDITY, RFC 3501 section 2.3.1.1), so every remote id we know is void.

Or its ids were used again (reused.py): then some still mean what they meant, and nobody knows which.

The messages are still the same. They are found again by their headers, without their bodies: by Message-ID, author,
subject, size and time of receipt. What cannot be told apart, and what is new, is fetched by import slices, where the
identity decides (mail/mime/identity.py). Filings hang on messages, so none is touched; and since all is
imported or placed, nothing is announced as new mail.

A server that renumbers again and again would have us list it for ever: after five times in a day its owner is asked.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Hashable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime
from uuid import UUID

from postroom.sync.asking import read_window
from postroom.sync.asks import ChooseWanted, FetchHeaders, KnownMessages, SavePage, SaveRebuild, Steps
from postroom.sync.brake import mass_deletion
from postroom.sync.manner import Manner
from postroom.sync.remote import Changes
from postroom.sync.reused import Key, key_of_header, key_of_known
from postroom.sync.slicing import cut
from postroom.sync.state import FolderState, Hold, Known, KnownMessage, Match, NewHeader, Page, Rebuild, Saved

RENUMBERED_OFTEN = "renumbered_often"
MOST_REBUILDS = 5  # of one folder in a day
HEADERS_AT_ONCE = 500
MOST_PASSED_OVER = 10_000  # headers held; the import sights the rest, headers first as well, a little later
ENOUGH_TO_TELL = 20  # messages; fewer are fetched again rather than matched without their times


def is_resting(folder: FolderState) -> bool:
    """Whether the folder is left alone: it was renumbered too often, and the day is not over."""
    return folder.held == RENUMBERED_OFTEN and folder.rebuilds >= MOST_REBUILDS


def rebuild(
    folder: FolderState, mailbox_id: UUID, epoch: int, since: date, changes: Changes, manner: Manner
) -> Steps[Saved]:
    """Find a folder's messages again in the full listing `changes`, and save that in one transaction."""
    if folder.rebuilds >= MOST_REBUILDS:
        question = Hold(RENUMBERED_OFTEN, {"rebuilds": folder.rebuilds})
        yield SavePage(Page(mailbox_id, epoch, folder.id, (), hold=question))
        return Saved(asked=question.code)
    known: Known = yield KnownMessages(folder.id, for_matching=True)
    window = yield from read_window(folder, since, manner)
    in_window = frozenset(message.remote_id for message in window.messages)
    survey = yield from _survey(folder.remote_name, known, changes, in_window, manner)
    found = match(known.messages, survey.candidates)
    listed = {message.remote_id: message for message in changes.added}
    fetched = survey.fetched | {header.remote_id for header in found.unmatched}
    lost = found.lost()
    hold = None if folder.may_remove else mass_deletion(len(lost), len(known.messages))
    slice_ids: tuple[UUID, ...] = yield SaveRebuild(
        Rebuild(
            mailbox_id,
            epoch,
            folder.id,
            folder.version,
            changes.cursor,
            matches=tuple(
                Match(old.message_id, replace(listed[new.remote_id], size=new.size), new.received_at)
                for old, new in found.pairs
            ),
            passed_over=tuple(survey.passed_over),
            slices=tuple(cut(folder.id, [one for one in changes.added if one.remote_id in fetched])),
            hold=hold,
        )
    )
    return Saved(
        matched=len(found.pairs),
        removed=0 if hold else len(lost),
        asked=hold.code if hold else "",
        slice_ids=slice_ids,
    )


@dataclass(frozen=True, slots=True)
class Candidate:
    """A listed message that may be one of ours, as little of it as tells: a whole folder's are held at once."""

    remote_id: str
    key: Key
    size: int
    received_at: datetime


Pair = tuple[KnownMessage, Candidate]  # a message as it is stored, and as it is listed


@dataclass(slots=True)
class Survey:
    """What the headers of a listing say: who may be one of ours, who is passed over, whose body has to be fetched."""

    candidates: list[Candidate] = field(default_factory=list)
    passed_over: list[NewHeader] = field(default_factory=list)
    fetched: set[str] = field(default_factory=set)


def _survey(
    remote_name: str, known: Known, changes: Changes, in_window: frozenset[str], manner: Manner
) -> Steps[Survey]:
    """Read headers page by page: of the window, and of what is older and as large as one of ours, or has its id."""
    survey = Survey()
    keys = {key: key for key in map(key_of_known, known.messages)}
    sizes = {message.size for message in known.messages} | {0}  # 0: the server does not say
    asked_anyhow = in_window.union(message.remote_id for message in known.messages)
    asked = [one.remote_id for one in changes.added if one.remote_id in asked_anyhow or one.size in sizes]
    at_once = manner.headers_at_once(HEADERS_AT_ONCE)
    for start in range(0, len(asked), at_once):
        page = tuple(asked[start : start + at_once])
        headers: tuple[NewHeader, ...] = yield FetchHeaders(remote_name, page)
        strangers = []
        for header in headers:
            key = keys.get(key_of_header(header))
            if key is not None:
                survey.candidates.append(Candidate(header.remote_id, key, header.size, header.received_at))
            elif header.remote_id in in_window:
                strangers.append(header)
        if manner.headers_first and strangers and len(survey.passed_over) < MOST_PASSED_OVER:
            wanted: frozenset[str] = yield ChooseWanted(tuple(strangers))
            survey.passed_over += [_light(header) for header in strangers if header.remote_id not in wanted]
            survey.fetched |= wanted
        else:
            survey.fetched |= {header.remote_id for header in strangers}
        # Without a header, for whatever reason, the body has to tell; of what is gone meanwhile there is none.
        survey.fetched |= in_window.intersection(page) - {header.remote_id for header in headers}
    return survey


def _light(header: NewHeader) -> NewHeader:
    """Without what is not needed any more: thousands are held until the end."""
    return replace(header, parsed=replace(header.parsed, raw_headers=b"", extra_headers={}))


@dataclass(frozen=True, slots=True)
class Found:
    """Messages found again, as (old, new); and on either side those of which it is not certain."""

    pairs: tuple[Pair, ...]
    missing: tuple[KnownMessage, ...]
    unmatched: tuple[Candidate, ...]

    def with_pairs(self, pairs: tuple[Pair, ...]) -> Found:
        """The same with more that were found."""
        paired = {id(one) for pair in pairs for one in pair}
        return Found(
            self.pairs + pairs,
            tuple(one for one in self.missing if id(one) not in paired),
            tuple(one for one in self.unmatched if id(one) not in paired),
        )

    def lost(self) -> tuple[KnownMessage, ...]:
        """Those that cannot be among the unmatched, whose bodies are fetched, and are not in the folder twice."""
        keys = {candidate.key for candidate in self.unmatched}
        there = {old.message_id for old, _ in self.pairs}
        return tuple(one for one in self.missing if key_of_known(one) not in keys and one.message_id not in there)


def match(known: Sequence[KnownMessage], candidates: Sequence[Candidate]) -> Found:
    """Find known messages among those of one listing: same Message-ID, author, subject, size and time of receipt.

    Messages that are alike in all of it count only if both sides have as many and ours are one message: a Message-ID is
    chosen by the sender, so another message may carry it, and to take that one for ours would hide it. Where not one
    time is what it was, the server has lost them (restored from a copy, say), and the rest has to do.
    """
    found = _match(known, candidates, is_timed=True)
    if not found.pairs and len(known) >= ENOUGH_TO_TELL:
        found = _match(known, candidates, is_timed=False)
    unmoved = tuple(_unmoved(found))
    return found.with_pairs(unmoved) if unmoved else found


def _unmoved(found: Found) -> Iterator[Pair]:
    """What is where it was, of a server whose sizes are inexact: same id, headers and time, and none other has those.

    Without it a server that merely estimates sizes would have everything fetched again when it used ids again.
    """

    def ground(key: Key, received_at: datetime | None) -> Hashable:
        return key, int(received_at.timestamp()) if received_at is not None else None

    olds = Counter(ground(key_of_known(old), old.received_at) for old in found.missing)
    news = Counter(ground(new.key, new.received_at) for new in found.unmatched)
    listed = {new.remote_id: new for new in found.unmatched}
    for old in found.missing:
        new, shared = listed.get(old.remote_id), ground(key_of_known(old), old.received_at)
        if new is not None and shared == ground(new.key, new.received_at) and olds[shared] == news[shared] == 1:
            yield old, new


def _match(known: Sequence[KnownMessage], candidates: Sequence[Candidate], *, is_timed: bool) -> Found:
    def ground(key: Key, size: int, received_at: datetime | None) -> Hashable:
        # Servers tell whole seconds.
        return key, size, int(received_at.timestamp()) if is_timed and received_at is not None else None

    old_groups: dict[Hashable, list[KnownMessage]] = defaultdict(list)
    for old in known:
        old_groups[ground(key_of_known(old), old.size, old.received_at)].append(old)
    new_groups: dict[Hashable, list[Candidate]] = defaultdict(list)
    for new in candidates:
        new_groups[ground(new.key, new.size, new.received_at)].append(new)
    pairs: list[Pair] = []
    for shared, olds in old_groups.items():
        news = new_groups.get(shared, [])
        if len(olds) == len(news) and len({old.message_id for old in olds}) == 1:
            pairs += zip(olds, news, strict=True)
    return Found((), tuple(known), tuple(candidates)).with_pairs(tuple(pairs))
