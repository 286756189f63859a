"""The looks at one mailbox over one open session: folders listed, caught up, compared, and what is wanted fetched.

A worker's session (mailbox_session.py) decides when; `postroom sync --once` (ops/sync_once.py) goes through once.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Collection
from datetime import UTC, date, datetime
from typing import Protocol
from uuid import UUID

from postroom.engine.driver import Driver
from postroom.engine.journal import Kind
from postroom.engine.manners import manner_of
from postroom.engine.proofs import Due
from postroom.engine.rhythm import IMPORTING_SECONDS, PROOF_SECONDS, sweep_is_due
from postroom.engine.store import Conflict, Fenced, FolderState, MailboxState, Saved
from postroom.engine.world import World
from postroom.providers import registry
from postroom.providers.base import Provider, Session
from postroom.providers.errors import FolderGone, ListingExpired, Refused, Unsupported
from postroom.sync.asking import ask_for_new
from postroom.sync.asks import Steps
from postroom.sync.catching_up import catch_up, fetch_wanted
from postroom.sync.completeness import Tally, count_month, fill_gap, settle
from postroom.sync.importing import plan_import
from postroom.sync.manner import WHOLE, Manner
from postroom.sync.sweeping import sweep

log = logging.getLogger(__name__)

MOST_CONFLICTS = 3  # in a row over one folder


class Step(Protocol):
    """What is done over a folder: sync.catching_up.catch_up or sync.sweeping.sweep."""

    def __call__(
        self,
        folder: FolderState,
        mailbox_id: UUID,
        epoch: int,
        since: date,
        manner: Manner = WHOLE,
        *,
        is_nightly: bool = False,
    ) -> Steps[Saved]: ...


async def sign_in(world: World, mailbox_id: UUID) -> tuple[Provider, str, Session]:
    """Open the mailbox when its turn comes (limiter.py); its provider, host and session.

    Raises ProviderError, and Fenced when it is gone.
    """
    provider_name, credentials = await asyncio.to_thread(world.health.credentials, mailbox_id)
    provider = registry.provider(provider_name)
    host = provider.host_of(credentials)
    async with world.limiter.connecting(host):
        return provider, host, await provider.open(credentials)


class Round:
    """`state` is the mailbox as it was last loaded."""

    def __init__(self, world: World, provider: Provider, session: Session, state: MailboxState) -> None:
        self.state = state
        self._world = world
        self._driver = Driver(session, world.stores, state.id, state.epoch)
        self._session = session
        self._capabilities = provider.capabilities
        self._asked = frozenset[str]()  # addresses that this connection asked for
        self._connected_at = datetime.now(UTC)
        self._closed: set[str] = set()  # listed, and yet they cannot be opened

    @property
    def folders(self) -> list[FolderState]:
        """Those that can be caught up, the inbox last: what arrives there meanwhile then shows while it is open."""
        followed = [one for one in self.state.folders if one.is_synced and one.cursor]
        return sorted(
            (one for one in followed if one.remote_name not in self._closed), key=lambda one: one.role == "inbox"
        )

    @property
    def due_for_sweep(self) -> list[FolderState]:
        """Folders that nobody has compared with the server since the mailbox's time of day."""
        return [folder for folder in self.folders if self._is_due(folder)]

    @property
    def inbox(self) -> str:
        """The folder whose changes are waited for: one that opens, as long as any does."""
        synced = [folder for folder in self.state.folders if folder.is_synced]
        synced = [folder for folder in synced if folder.remote_name not in self._closed] or synced
        first = next((folder for folder in synced if folder.role == "inbox"), synced[0] if synced else None)
        return first.remote_name if first else "INBOX"

    @property
    def flags_untold(self) -> frozenset[str]:
        """Folders whose server does not tell which flags changed: only a comparison shows that."""
        return frozenset(self._driver.told.flags_untold)

    def unlisted(self, remote_names: Collection[str]) -> frozenset[str]:
        """Those that the last listing of the folders does not have."""
        return frozenset(remote_names) - self._driver.told.names.keys()

    def close(self, remote_name: str) -> None:
        """Leave a folder alone that cannot be opened, until the folders are listed again."""
        self._closed.add(remote_name)

    async def load(self) -> MailboxState:
        """The state of now; raises Fenced when somebody else has the mailbox."""
        state = await self._world.stores.call(lambda store: store.load_mailbox(self.state.id))
        if state.epoch != self.state.epoch:
            raise Fenced
        self.state = state
        return state

    async def list_folders(self) -> None:
        """List the folders anew and plan the import of what is not known yet."""
        self._closed.clear()
        before = {folder.id: folder for folder in (await self.load()).folders}
        plan = plan_import(self._since(), self._manner, is_planned=self.state.is_planned)
        slice_ids = await self._driver.run(plan)
        await self.load()
        for folder in self.state.folders:
            was = before.get(folder.id)
            if was is not None and was.remote_name != folder.remote_name:
                await self._note(Kind.FOLDER_RENAMED, folder=self._name(folder), was=self._name(was))
            if was is not None and was.is_synced and not folder.is_synced and not self._is_listed(folder):
                await self._note(Kind.FOLDER_GONE, folder=self._name(folder))
        await self._tell_planned(slice_ids)

    async def ask_for_new(self) -> None:
        """Plan the mail of addresses that records got since, where the provider is asked for it by address."""
        if not self._manner.by_address:
            return
        steps = ask_for_new((await self.load()).folders, self._since(), self._asked)
        asked = await self._driver.run(steps)
        self._asked |= asked.keys
        await self._tell_planned(asked.slice_ids)

    async def list_identities(self) -> None:
        """Store the addresses that the mailbox may send as, where the provider tells. A refusal ends nothing."""
        if not self._capabilities.lists_identities:
            return
        try:
            listed = await self._session.list_identities()
        except (Refused, Unsupported) as error:  # what else is granted works without
            log.info("mailbox %s does not tell its identities: %s", self.state.id, error.code)
            return
        await asyncio.to_thread(self._world.health.identities, self.state.id, self.state.epoch, tuple(listed))

    async def catch_up(self, remote_names: Collection[str] | None = None) -> Saved:
        """Bring these folders up to date (None: all); those that are gone make the folders be listed anew."""
        await self.load()
        total, is_gone = Saved(), False
        for folder in self.folders:
            if remote_names is None or folder.remote_name in remote_names:
                try:
                    total += await self._catch_up(folder)
                except FolderGone:
                    is_gone = True
                    log.info("folder %s of mailbox %s cannot be opened", folder.id, self.state.id)
                    self.close(folder.remote_name)
        if is_gone:
            closed = set(self._closed)
            await self.list_folders()
            self._closed |= closed  # until the next listing, that it is in the list does not mean that it opens
        elif total != Saved() or remote_names:
            await self.load()
        return total

    async def sweep(self, folder: FolderState) -> Saved:
        """Compare a folder with the server whole, and repair what is stored."""
        try:
            saved = await self._over(folder, sweep, Kind.SWEPT)
        except FolderGone:  # the next listing of the folders tells
            self.close(folder.remote_name)
            return Saved()
        await self.load()
        return saved

    async def prove(self, most: int) -> float:
        """Count months of folders that are due, `most` at most, and fetch what is missing.

        Returns after how many seconds it is worth while to ask again; 0 when there is more to do.
        """
        # Not of what cannot be counted now: it would stay due, before everything that can.
        countable = [folder.id for folder in self.folders if not folder.held]
        due = await asyncio.to_thread(self._world.proofs.due, self.state.id, countable, most)
        if due is None:
            return IMPORTING_SECONDS
        has_more = len(due) == most
        for one in due:
            try:
                has_more |= await self._prove(one)
            except FolderGone:  # the next listing of the folders tells
                self._closed |= {folder.remote_name for folder in self.state.folders if folder.id == one.folder_id}
        if due:
            await self.catch_up([self.inbox])  # to list a folder uses up what was pushed about it
        return 0.0 if has_more else PROOF_SECONDS

    async def _prove(self, due: Due) -> bool:
        """Whether a part of the gap was filled, and a part is left."""
        folder = self._find(due.folder_id)
        if folder is None:
            return False
        counted: Tally = await self._driver.run(count_month(folder, due.month, self._manner))
        found = len(counted.absent)
        if found:
            # What arrived just now is no gap; nor is a folder that was renumbered, which this answers as it should be.
            await self.catch_up([folder.remote_name])
            folder = self._find(due.folder_id)
            if folder is None:
                return False
            counted = await self._driver.run(settle(folder, counted))
            found = len(counted.absent)
        if found:
            fill = fill_gap(folder, self.state.id, self.state.epoch, counted, self._manner)
            counted = await self._driver.run(fill)
        filled = found - len(counted.absent)
        save = self._world.proofs.save
        await asyncio.to_thread(save, self.state.id, self.state.epoch, due.folder_id, counted, filled)
        if filled:
            month = f"{due.month:%Y-%m}"
            await self._note(Kind.GAP_FILLED, folder=self._name(folder), month=month, count=filled)
            await self.catch_up([self.inbox])  # new mail waits for one gap at most
        return bool(filled and counted.absent)

    def _find(self, folder_id: UUID) -> FolderState | None:
        """A folder that is read now and asks nothing."""
        return next((folder for folder in self.folders if folder.id == folder_id and not folder.held), None)

    async def fetch_wanted(self) -> Saved:
        """Fetch what was only sighted and is wanted by now, until nothing is left or nothing comes.

        Thousands may be wanted, so what arrives in the inbox meanwhile is taken between two loads.
        """
        total = Saved()
        while True:
            if total.kept:
                await self.catch_up([self.inbox])
            saved = await self._driver.run(fetch_wanted(self.state.id, self.state.epoch, self._manner))
            total += saved
            if not (saved.kept or saved.removed):
                break
        if total.kept:
            await self._note(Kind.WANTED_FETCHED, count=total.kept, filed=total.filed)
        return total

    async def _catch_up(self, folder: FolderState) -> Saved:
        try:
            return await self._over(folder, catch_up, Kind.CAUGHT_UP)
        except ListingExpired:
            return await self._over(folder, sweep, Kind.SWEPT)

    async def _over(self, folder: FolderState, step: Step, kind: Kind) -> Saved:
        """Run a step over a folder, and again when somebody else saved the folder meanwhile."""
        for _ in range(MOST_CONFLICTS):
            steps = step(
                folder,
                self.state.id,
                self.state.epoch,
                self._since(),
                self._manner,
                is_nightly=self._is_due(folder),
            )
            try:
                saved = await self._driver.run(steps)
            except Conflict:
                state = await self.load()
                found = [one for one in state.folders if one.id == folder.id and one.is_synced and one.cursor]
                if not found:
                    return Saved()
                [folder] = found
            else:
                await self._tell(folder, saved, kind)
                return saved
        raise Conflict

    async def _tell(self, folder: FolderState, saved: Saved, kind: Kind) -> None:
        name, fetched = self._name(folder), 0
        if saved.slice_ids:
            fetched = await self._queue(saved.slice_ids)
        if saved.matched or self._driver.told.take_renumbered(folder.remote_name):
            await self._note(Kind.RENUMBERED, folder=name, matched=saved.matched, fetched=fetched)
        elif kind is Kind.SWEPT and (saved.new or saved.removed):
            await self._note(kind, folder=name, repaired=saved.new + saved.removed)
        elif saved.new or saved.removed:
            await self._note(kind, folder=name, new=saved.new, filed=saved.filed, removed=saved.removed)
        if self._driver.told.take_release() and folder.held:
            await self._note(Kind.RELEASED, folder=name)
        hold = self._driver.told.take_hold()
        if hold is not None and hold.code != folder.held:
            await self._note(Kind.HELD, **hold.facts, folder=name, code=hold.code)

    async def _tell_planned(self, slice_ids: Collection[UUID]) -> None:
        if slice_ids:
            await self._note(Kind.PLANNED, messages=await self._queue(slice_ids))

    async def _queue(self, slice_ids: Collection[UUID]) -> int:
        """Have slices imported; the messages they hold."""
        return await asyncio.to_thread(self._world.health.planned, self.state.id, tuple(slice_ids))

    async def _note(self, kind: Kind, **facts: str | int) -> None:
        await asyncio.to_thread(self._world.journal.note, self.state.id, kind, facts)

    @property
    def _manner(self) -> Manner:
        return manner_of(self._capabilities, keeps_everything=self.state.keeps_everything)

    def _is_due(self, folder: FolderState) -> bool:
        return sweep_is_due(self.state.id, folder.swept_at, self._connected_at, datetime.now(UTC))

    def _since(self) -> date:
        return self.state.since(datetime.now(UTC).date())

    def _name(self, folder: FolderState) -> str:
        return self._driver.told.names.get(folder.remote_name, folder.remote_name)

    def _is_listed(self, folder: FolderState) -> bool:
        return folder.remote_name in self._driver.told.names
