"""Drives the steps of `sync`: answers their asks with a provider session and a store."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol, TypeVar
from uuid import UUID

from postroom.engine import failpoints
from postroom.engine.counters import counters
from postroom.engine.full_disk import full_disk_told
from postroom.engine.giants import fetch_giant, read_giant
from postroom.engine.store import Conflict, Fenced, Known, NewHeader, NewMessage, Store
from postroom.engine.told import Told
from postroom.mail.mime.identity import identity
from postroom.mail.mime.parsing import parse, parse_headers
from postroom.mail.threading import refs_of
from postroom.providers.base import FetchedHeader, FetchedMessage, Session
from postroom.providers.errors import ProviderError
from postroom.sync import asks
from postroom.sync.remote import Changes, Window

T = TypeVar("T")

# What an ask is to the failpoints: `before_` and `after_` this.
STEPS: Mapping[type, str] = {
    asks.ListChanges: "list",
    asks.ListWindow: "list",
    asks.ListAll: "list",
    asks.FetchHeaders: "headers",
    asks.FetchMessages: "fetch",
    asks.SavePlan: "plan",
    asks.SaveRebuild: "plan",
    asks.SavePage: "save",
}

MOST_IN_LOOP = 5_000  # messages a step looks through in the event loop's thread: some 20 ms


class StoreCaller(Protocol):
    """Runs a blocking call on a store: in a thread (sessions), or just so (imports)."""

    async def call(self, work: Callable[[Store], T]) -> T: ...


class Driver:
    """Runs steps for one mailbox. `epoch` fences what its asks save; `told` has what was told in passing."""

    def __init__(self, session: Session, stores: StoreCaller, mailbox_id: UUID, epoch: int) -> None:
        self._session = session
        self._stores = stores
        self._mailbox_id = mailbox_id
        self._epoch = epoch
        self.told = Told()

    async def run(self, steps: asks.Steps[T]) -> T:
        """Run to the end and return the steps' result. Errors are raised inside the step first."""
        answer: Any = None
        error: Exception | None = None
        is_large = False
        while True:
            is_large = is_large or _is_large(answer)
            ask = await self._resume(steps, answer, error, in_thread=is_large)
            if isinstance(ask, _End):
                return ask.value  # type: ignore[no-any-return]
            try:
                step = STEPS.get(type(ask))
                with full_disk_told():
                    if step:
                        failpoints.reach(f"before_{step}")
                    answer, error = await self._answer(ask), None
                    if step:
                        failpoints.reach(f"after_{step}")
                counters.answered(ask, answer)
                self.told.note(ask, answer)
            except (ProviderError, Fenced, Conflict) as failure:
                answer, error = None, failure
                counters.failed(failure)

    async def _resume(
        self, steps: asks.Steps[Any], answer: Any, error: Exception | None, *, in_thread: bool
    ) -> asks.Ask | _End:
        if not in_thread:
            return _resume(steps, answer, error)
        return await self._stores.call(lambda _: _resume(steps, answer, error))

    async def _answer(self, ask: asks.Ask) -> Any:
        mailbox_id, epoch = self._mailbox_id, self._epoch
        match ask:
            case asks.FetchMessages(remote_name, remote_ids):
                fetched = await self._session.fetch(remote_name, remote_ids)
                return await self._stores.call(lambda _: tuple(map(new_message, fetched)))
            case asks.FetchGiant(remote_name, remote_id, size):
                giant = await fetch_giant(self._session, remote_name, remote_id, size)
                return await self._stores.call(lambda _: read_giant(giant))
            case asks.SavePage(page):
                return await self._stores.call(lambda store: store.save_page(page))
            case asks.ListChanges(remote_name, cursor):
                return await self._session.list_changes(remote_name, cursor)
            case asks.ListWindow(remote_name, since, before, addresses):
                return await self._session.list_window(remote_name, since, before, addresses)
            case asks.LoadAddresses(is_new):
                return await self._stores.call(lambda store: store.addresses(mailbox_id, is_new=is_new))
            case asks.FindPlaced(placed_ids):
                return await self._stores.call(lambda store: store.find_placed(mailbox_id, placed_ids))
            case asks.ListAll(remote_name):
                return await self._session.list_all(remote_name)
            case asks.FetchHeaders(remote_name, remote_ids):
                headers = await self._session.fetch_headers(remote_name, remote_ids)
                return await self._stores.call(lambda _: tuple(map(new_header, headers)))
            case asks.ChooseWanted(chosen_from):
                return await self._stores.call(lambda store: store.choose_wanted(mailbox_id, chosen_from))
            case asks.KnownMessages(folder_id, for_matching, known_ids):
                return await self._stores.call(
                    lambda store: store.known_messages(folder_id, for_matching=for_matching, remote_ids=known_ids)
                )
            case asks.SaveRebuild(rebuild):
                return await self._stores.call(lambda store: store.save_rebuild(rebuild))
            case asks.ListFolders():
                return await self._session.list_folders()
            case asks.SaveFolders(folders, left_out):
                return await self._stores.call(lambda store: store.save_folders(mailbox_id, epoch, folders, left_out))
            case asks.SavePlan(cursors, slices, listed_since, until):
                return await self._stores.call(
                    lambda store: store.save_plan(mailbox_id, epoch, cursors, slices, listed_since, until)
                )
            case asks.LoadWanted():
                return await self._stores.call(lambda store: store.wanted(mailbox_id, 2_000))


@dataclass(frozen=True, slots=True)
class _End:
    """A step's result. StopIteration cannot leave a thread."""

    value: Any


def _resume(steps: asks.Steps[Any], answer: Any, error: Exception | None) -> asks.Ask | _End:
    try:
        return steps.send(answer) if error is None else steps.throw(error)
    except StopIteration as stop:
        return _End(stop.value)


def _is_large(answer: Any) -> bool:
    """Whether a step that has this answer to look through would keep the other sessions of the loop waiting."""
    match answer:
        case Changes():
            changed = len(answer.flagged) + len(answer.removed) + len(answer.touched)
            return len(answer.added) + changed > MOST_IN_LOOP
        case Window():
            return len(answer.messages) > MOST_IN_LOOP
        case Known():
            return len(answer.messages) + len(answer.sighted) > MOST_IN_LOOP
    return False


def new_header(fetched: FetchedHeader) -> NewHeader:
    """A fetched header, parsed. Never raises."""
    parsed = parse_headers(fetched.block)
    return NewHeader(
        remote_id=fetched.remote_id,
        size=fetched.size,
        received_at=fetched.received_at,
        flags=fetched.flags,
        refs=refs_of(parsed),
        parsed=parsed,
    )


def new_message(fetched: FetchedMessage) -> NewMessage:
    """A fetched message, parsed. Never raises: what cannot be read is kept as unreadable."""
    parsed = parse(fetched.raw)
    return NewMessage(
        remote_id=fetched.remote_id,
        raw_size=len(fetched.raw),
        identity=identity(parsed, fetched.raw),
        received_at=fetched.received_at,
        flags=fetched.flags,
        parsed=parsed,
    )
