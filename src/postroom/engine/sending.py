"""Drives the steps of `sync.sending` with a provider: one send, one look, one copy in Sent."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Protocol

from postroom.engine import failpoints
from postroom.providers.base import Credentials, Envelope, Provider, Receipt, Sender, Session
from postroom.providers.errors import (
    InDoubt,
    NeedsAdministrator,
    NeedsReconnect,
    ProviderError,
    Refused,
    Throttled,
    Unsupported,
    WrongSettings,
)
from postroom.sync import sending as steps
from postroom.sync.remote import RemoteFolder
from postroom.sync.sending import Accepted, Finding, Kind, Looked, Trouble

# The first class that fits counts; what is not named gave no clear answer.
KINDS: tuple[tuple[type[ProviderError], Kind], ...] = (
    (NeedsReconnect, Kind.OWNER),
    (NeedsAdministrator, Kind.OWNER),
    (WrongSettings, Kind.OWNER),
    (Throttled, Kind.LATER),
    (Refused, Kind.REFUSED),
    (Unsupported, Kind.REFUSED),
    (InDoubt, Kind.IN_DOUBT),
    (ProviderError, Kind.LOST),
)
PLACES_TO_LOOK = ("sent", "all")  # folder roles, in this order


@dataclass(frozen=True, slots=True)
class Parcel:
    """What is sent: frozen when it was queued.

    `upload` is what the provider calls the copy that an earlier try handed over. `was_tried`: one may have been handed
    over without our having heard its name.
    """

    envelope: Envelope
    mime: bytes
    internet_message_id: str
    upload: str = ""
    was_tried: bool = False
    submission: str = ""  # as X-Postroom-Submission has it


class Desk(Protocol):
    """Where one submission's state is kept (outbox/claims.py). Every call is its own committed transaction."""

    async def claim(self) -> steps.Claimed | None: ...

    async def load(self) -> tuple[Provider, Credentials, Parcel]:
        """The provider, what opens the mailbox, and what is sent. Raises NeedsReconnect for an unreadable secret."""
        ...

    async def mark_in_doubt(self, upload: str) -> bool:
        """Commit in_doubt and the upload's name, if it has one; False when the claim is not ours any more."""
        ...

    async def record(self, outcome: steps.Outcome) -> None: ...


class SendingDriver:
    """Runs steps for one submission. Close it after use: it may hold connections."""

    def __init__(self, desk: Desk, wait: Callable[[float], Awaitable[None]] = asyncio.sleep) -> None:
        self._desk = desk
        self._wait = wait
        self._parcel: Parcel | None = None
        self._sender: Sender | None = None
        self._session: Session | None = None
        self._hand_over: _HandOver | None = None

    async def run(self, running: steps.Steps) -> steps.Outcome | None:
        """Run to the end and close; return the steps' outcome."""
        answer: Any = None
        try:
            while True:
                try:
                    ask = running.send(answer)
                except StopIteration as stop:
                    return stop.value  # type: ignore[no-any-return]
                try:
                    answer = await self._answer(ask)
                except ProviderError as error:
                    answer = trouble_of(error)
        finally:
            await self._close()

    async def _answer(self, ask: steps.Ask) -> Any:
        match ask:
            case steps.Claim():
                return await self._desk.claim()
            case steps.Connect():
                provider, credentials, self._parcel = await self._desk.load()
                self._sender = await provider.open_sender(credentials)
            case steps.Upload():
                assert self._sender is not None and self._parcel is not None
                self._hand_over = _HandOver(self._sender, self._parcel)
                await self._hand_over.upload()
            case steps.MarkInDoubt():
                return await self._desk.mark_in_doubt(self._hand_over.name if self._hand_over else "")
            case steps.LetGo():
                assert self._hand_over is not None
                receipt = await self._hand_over.let_go()
                failpoints.reach("send_accepted")
                return Accepted(receipt.reply, dict(receipt.refused), receipt.internet_message_id)
            case steps.Abandon():
                await self._close()
            case steps.Look(is_thorough):
                return await self._look(is_thorough=is_thorough)
            case steps.AppendCopy():
                return await self._append()
            case steps.Wait(seconds):
                await self._wait(seconds)
            case steps.Record(outcome):
                await self._desk.record(outcome)
        return None

    async def _look(self, *, is_thorough: bool) -> Looked:
        session, parcel = await self._open_session()
        uploaded = await session.find_upload(parcel.upload) if parcel.upload else None
        if uploaded is not None and uploaded.state == "sent":
            return Looked(Finding.FOUND, uploaded.internet_message_id)
        is_waiting = uploaded is not None and uploaded.state == "waiting"
        if is_waiting and not is_thorough:
            return Looked(Finding.WAITING)
        for folder in await self._folders(session):
            if uploaded is not None and folder.role != "sent":
                continue  # a folder of all mail holds drafts too
            if await session.find_by_message_id(folder.remote_name, parcel.internet_message_id, parcel.submission):
                return Looked(Finding.FOUND)
        return Looked(Finding.WAITING if is_waiting else Finding.NOT_FOUND)

    async def _append(self) -> None:
        session, parcel = await self._open_session()
        sent = [folder for folder in await self._folders(session) if folder.role == "sent"]
        if not sent:
            raise Unsupported("no_sent_folder")
        await session.append(sent[0].remote_name, parcel.mime, ("\\Seen",))

    async def _folders(self, session: Session) -> list[RemoteFolder]:
        folders = [f for f in await session.list_folders() if f.role in PLACES_TO_LOOK and f.is_selectable]
        return sorted(folders, key=lambda folder: PLACES_TO_LOOK.index(folder.role))

    async def _open_session(self) -> tuple[Session, Parcel]:
        if self._session is None or self._parcel is None:
            provider, credentials, self._parcel = await self._desk.load()
            self._session = await provider.open(credentials)
        return self._session, self._parcel

    async def _close(self) -> None:
        """The order matters: the hand-over is stopped before its connection is closed."""
        hand_over, self._hand_over = self._hand_over, None
        sender, self._sender = self._sender, None
        session, self._session = self._session, None
        if hand_over is not None:
            await hand_over.stop()
        for conversation in (sender, session):
            if conversation is not None:
                with suppress(ProviderError, OSError):  # a failing QUIT or LOGOUT changes nothing: it is recorded
                    await conversation.close()


class _HandOver:
    """Sender.send in a task of its own, held at `before_no_return` until it is let go."""

    def __init__(self, sender: Sender, parcel: Parcel) -> None:
        self._reached = asyncio.Event()
        self._may_go = asyncio.Event()
        self.name = ""  # of the upload, once it is at the brink
        self._task = asyncio.create_task(
            sender.send(parcel.envelope, parcel.mime, self._hold, upload=parcel.upload, was_tried=parcel.was_tried)
        )

    async def _hold(self, upload: str) -> None:
        self.name = upload
        self._reached.set()
        await self._may_go.wait()

    async def upload(self) -> None:
        """Return at the brink. Raises what went wrong before it, InDoubt if the provider went over it unasked."""
        reached = asyncio.create_task(self._reached.wait())
        try:
            await asyncio.wait({reached, self._task}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            reached.cancel()
        if not self._reached.is_set():
            await self._task
            raise InDoubt()

    async def let_go(self) -> Receipt:
        self._may_go.set()
        return await self._task

    async def stop(self) -> None:
        """Never lets go: a task that is still held is cancelled where it stands."""
        if not self._task.done():
            self._task.cancel()
        await asyncio.wait({self._task})
        if not self._task.cancelled():
            self._task.exception()  # seen: the steps had it already, or nobody needs it


async def drop_uploads(provider: Provider, credentials: Credentials, internet_message_id: str, keep: str) -> None:
    """Delete what was handed over of a message and never sent, but for `keep`. Raises ProviderError."""
    sender = await provider.open_sender(credentials)
    try:
        await sender.drop_uploads(internet_message_id, keep)
    finally:
        with suppress(ProviderError, OSError):
            await sender.close()


def kind_of(error: ProviderError) -> Kind:
    return next(kind for error_class, kind in KINDS if isinstance(error, error_class))


def trouble_of(error: ProviderError) -> Trouble:
    """An error as the steps see it."""
    return Trouble(
        kind=kind_of(error),
        code=error.code,
        words=error.server_words,
        retry_after_seconds=error.retry_after_seconds,
        facts={name: str(value) for name, value in error.facts.items()},
    )
