"""A look on the servers for one message: all folders of all mailboxes that the member may read, junk and trash too.

Each mailbox is asked on a session of its own, one folder after the other, a few mailboxes at once, one look at a time
in each and all within a minute. What is found is compared with what is stored (server_finds.py) and not kept.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Sequence
from contextlib import aclosing, asynccontextmanager, suppress
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta, tzinfo
from functools import partial
from typing import Final, Literal, TypeVar
from uuid import UUID

from asgiref.sync import sync_to_async
from django.utils import timezone

from postroom.engine.limiter import ConnectLimiter
from postroom.filing.absence import Asked, midnight
from postroom.filing.server_finds import Found, Spot, sort_out
from postroom.mailboxes.access import visible_mailboxes
from postroom.mailboxes.credentials import load_credentials
from postroom.mailboxes.models import DirectionState, Grant, Mailbox
from postroom.mailboxes.sealing import Unsealable
from postroom.providers import catalogue, registry
from postroom.providers.base import Credentials, FetchedHeader, RemoteFolder, Session, Sought
from postroom.providers.errors import AllowanceUsed, FolderGone, ProviderError, Refused, Unsupported
from postroom.sync.completeness import next_month
from postroom.sync.folders import listed_once
from postroom.workspaces.database import connect
from postroom.workspaces.members import Member

MOST_SECONDS: Final = 50.0  # proxies before us give an answer a minute
MOST_FOUND: Final = 20  # messages of one folder
MAILBOXES_AT_ONCE: Final = 4
SHORT_PAUSE_SECONDS: Final = 2.0  # where a provider's allowance is used up and it does not say for how long
# Where what is missed lies most often; the time may be over before the others.
_FIRST: Final = ("inbox", "junk", "archive", "trash", "sent", "all")
_A_DAY: Final = timedelta(days=1)

T = TypeVar("T")
State = Literal["waiting", "looking", "done", "not_asked"]


@dataclass(frozen=True, slots=True)
class MailboxLook:
    """How far one mailbox is. `looked_in` of `folder_count` folders were searched, `now_in` is searched now.

    `not_reached` are the names of folders that were not searched, and `problem` is why; where it is None and the state
    is "done", all were. `spotted` messages were seen; what they are is in `found`, at the end.
    """

    mailbox: Mailbox
    state: State = "waiting"
    folder_count: int = 0
    looked_in: int = 0
    now_in: str = ""
    spotted: int = 0
    found: tuple[Found, ...] = ()
    not_reached: tuple[str, ...] = ()
    problem: catalogue.Entry | None = None
    server_words: str = ""

    @property
    def is_whole(self) -> bool:
        """Whether every folder was searched."""
        return self.state == "done" and not self.not_reached and self.problem is None


@dataclass(frozen=True, slots=True)
class _Wanted:
    """What a look is for. `soughts` are tried in this order; `first` and `end` are the moments of the month."""

    member: Member
    zone: tzinfo
    soughts: tuple[Sought, ...]
    first: datetime | None = None
    end: datetime | None = None

    def holds(self, header: FetchedHeader) -> bool:
        """Whether it arrived in the month: days at a server are other ones than here."""
        at = header.received_at
        return (self.first is None or at >= self.first) and (self.end is None or at < self.end)


@dataclass(frozen=True, slots=True)
class ServerLook:
    """A look that is prepared: nothing was asked yet. `waiting` are the mailboxes, or why one is not asked."""

    wanted: _Wanted
    waiting: tuple[MailboxLook, ...]
    credentials: dict[UUID, Credentials] = field(repr=False)

    async def run(self) -> AsyncGenerator[MailboxLook, None]:
        """Each mailbox whenever it got further."""
        told = asyncio.Queue[MailboxLook | None]()  # None: one is through
        until = asyncio.get_running_loop().time() + MOST_SECONDS
        turns, limiter = asyncio.Semaphore(MAILBOXES_AT_ONCE), ConnectLimiter()
        searches = [
            _Search(one, self.credentials[one.mailbox.pk], self.wanted, told).run(until, turns, limiter)
            for one in self.waiting
            if one.state == "waiting"
        ]
        tasks = [asyncio.create_task(search) for search in searches]
        for task in tasks:
            task.add_done_callback(lambda _: told.put_nowait(None))
        try:
            left = len(tasks)
            while left:
                look = await told.get()
                if look is None:
                    left -= 1
                else:
                    yield look
            await asyncio.gather(*tasks)
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def run_whole(self) -> tuple[MailboxLook, ...]:
        """All mailboxes at the end, in their order."""
        latest = {one.mailbox.pk: one for one in self.waiting}
        async with aclosing(self.run()) as looks:
            async for look in looks:
                latest[look.mailbox.pk] = look
        return tuple(latest.values())


def prepare_look(member: Member, asked: Asked) -> ServerLook:
    """A look for what is asked, in the mailboxes whose mail the member may read."""
    waiting, credentials = [], {}
    for mailbox in visible_mailboxes(member):
        reason = _why_not_asked(mailbox)
        if not reason:
            try:
                credentials[mailbox.pk] = load_credentials(mailbox)
            except (Unsealable, Grant.DoesNotExist):
                reason = "secret_unreadable"
        if reason:
            waiting.append(MailboxLook(mailbox, "not_asked", problem=_entry(mailbox, reason)))
        else:
            waiting.append(MailboxLook(mailbox))
    return ServerLook(_wanted(member, asked), tuple(waiting), credentials)


def _why_not_asked(mailbox: Mailbox) -> str:
    """A code; "" where it may be asked. What stands still for a reason is left alone by this as well."""
    if not mailbox.reads or mailbox.receiving_state == DirectionState.OFF:
        return "look_only_sends"
    if mailbox.paused_at:
        return "look_paused"
    if mailbox.needs_reconnect:
        return mailbox.error_code or "needs_reconnect"
    return "look_resting" if mailbox.is_resting(timezone.now()) else ""


def _entry(mailbox: Mailbox, code: str) -> catalogue.Entry:
    facts = mailbox.error_facts if code == mailbox.error_code else {"seconds": f"{MOST_SECONDS:.0f}"}
    return catalogue.explain_check(code, **facts)


def _wanted(member: Member, asked: Asked) -> _Wanted:
    """Without brackets an address and a Message-ID look alike: both are looked for then."""
    first, end = (midnight(asked.month), midnight(next_month(asked.month))) if asked.month else (None, None)
    days = Sought(since=first.date() - _A_DAY, before=end.date() + _A_DAY) if first and end else Sought()
    soughts = []
    if asked.address:
        soughts.append(replace(days, address=asked.address))
    if asked.internet_message_id:
        soughts.append(replace(days, internet_message_id=asked.internet_message_id))
    if not soughts:
        soughts.append(replace(days, subject=" ".join(asked.text.split())))
    return _Wanted(member, timezone.get_current_timezone(), tuple(soughts), first, end)


@asynccontextmanager
async def _one_at_a_time(mailbox_id: UUID) -> AsyncIterator[bool]:
    """Whether nobody else is looking in this mailbox, in whatever process; until the end nobody else may.

    The lock belongs to a connection of its own, so that it ends with us however we end.
    """
    connection = await asyncio.to_thread(connect)
    try:
        number = int.from_bytes(mailbox_id.bytes[8:], "big", signed=True)
        row = await asyncio.to_thread(
            lambda: connection.execute("SELECT pg_try_advisory_lock(%s)", [number]).fetchone()
        )
        yield bool(row and row[0])
    finally:
        connection.close()


class _Search:
    """One mailbox's part of a look. Its last word has the state "done" or "not_asked"."""

    def __init__(
        self, look: MailboxLook, credentials: Credentials, wanted: _Wanted, told: asyncio.Queue[MailboxLook | None]
    ) -> None:
        self._look = look
        self._credentials = credentials
        self._wanted = wanted
        self._told = told
        self._left: list[RemoteFolder] = []
        self._spots: list[Spot] = []

    async def run(self, until: float, turns: asyncio.Semaphore, limiter: ConnectLimiter) -> None:
        """Ask the mailbox when it is its turn, until that moment by the loop's clock."""
        try:
            async with asyncio.timeout_at(until), turns, _one_at_a_time(self._look.mailbox.pk) as is_free:
                if is_free:
                    await self._ask(limiter)
                else:
                    self._note_problem("look_under_way")
        except TimeoutError:
            self._note_problem("look_out_of_time", seconds=f"{MOST_SECONDS:.0f}")
        except ProviderError as error:
            self._note_problem(error.code, error.server_words, **error.facts)
        was_asked = self._look.folder_count > 0 or self._look.problem is None
        found = await sync_to_async(self._sort_out)() if self._spots else []
        self._tell(
            replace(
                self._look,
                state="done" if was_asked else "not_asked",
                now_in="",
                found=tuple(found),
                not_reached=(*self._look.not_reached, *(folder.name for folder in self._left)),
            )
        )

    async def _ask(self, limiter: ConnectLimiter) -> None:
        provider = registry.provider(self._look.mailbox.provider)
        self._tell(replace(self._look, state="looking"))
        async with limiter.connecting(provider.host_of(self._credentials)):
            session = await _patiently(lambda: provider.open(self._credentials))
        try:
            self._left = sorted(listed_once(await _patiently(session.list_folders)), key=_place)
            self._tell(replace(self._look, folder_count=len(self._left)))
            while self._left:
                self._tell(replace(self._look, now_in=self._left[0].name))
                await self._look_in(session, self._left[0])
                self._left.pop(0)
        finally:
            with suppress(ProviderError, OSError):  # what was asked has been answered
                await session.close()

    async def _look_in(self, session: Session, folder: RemoteFolder) -> None:
        """Search one folder. One that does not open, or cannot be searched, is told, and the others are searched."""
        try:
            headers = await self._search(session, folder.remote_name)
        except (FolderGone, Refused, Unsupported) as error:
            code = "look_refused" if error.code == Refused.default_code else error.code
            self._note_problem(code, error.server_words, **error.facts)
            self._tell(replace(self._look, not_reached=(*self._look.not_reached, folder.name)))
            return
        if headers:
            self._spots.append(Spot(folder, headers))
        looked_in, spotted = self._look.looked_in + 1, self._look.spotted + len(headers)
        self._tell(replace(self._look, looked_in=looked_in, spotted=spotted))

    async def _search(self, session: Session, remote_name: str) -> Sequence[FetchedHeader]:
        for sought in self._wanted.soughts:
            found = await _patiently(partial(session.search, remote_name, sought, MOST_FOUND))
            if held := [header for header in found if self._wanted.holds(header)]:
                return held
        return ()

    def _sort_out(self) -> list[Found]:
        with timezone.override(self._wanted.zone):  # the request is over when its answer is a stream
            address = self._wanted.soughts[0].address
            return sort_out(self._wanted.member, self._look.mailbox, self._spots, most=MOST_FOUND, address=address)

    def _note_problem(self, code: str, server_words: str = "", **facts: object) -> None:
        """Why not everything is searched; the last one is told."""
        self._look = replace(self._look, problem=catalogue.explain_check(code, **facts), server_words=server_words)

    def _tell(self, look: MailboxLook) -> None:
        self._look = look
        self._told.put_nowait(look)


async def _patiently(ask: Callable[[], Awaitable[T]]) -> T:
    """Wait where the mailbox's allowance is used up: the time of the whole look is the end of it."""
    while True:
        try:
            return await ask()
        except AllowanceUsed as error:
            await asyncio.sleep(error.retry_after_seconds or SHORT_PAUSE_SECONDS)


def _place(folder: RemoteFolder) -> tuple[int, str]:
    first = _FIRST.index(folder.role) if folder.role in _FIRST else len(_FIRST)
    return first, folder.name.casefold()
