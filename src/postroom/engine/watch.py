"""The rhythm of one connection: what is pushed is taken at once, the rest is looked at when it is due (rhythm.py)."""

from __future__ import annotations

import asyncio
from collections.abc import Collection
from uuid import UUID

from postroom.engine.counters import counters
from postroom.engine.rhythm import (
    FLAGS_SECONDS,
    FOLDERS_SECONDS,
    IDENTITIES_SECONDS,
    SYNCED_SECONDS,
    poll_seconds,
)
from postroom.engine.round import Round
from postroom.engine.wakeable import Wakeable
from postroom.engine.world import World
from postroom.providers.base import Session
from postroom.providers.errors import FolderGone

MONTHS_AT_ONCE = 12  # counted between two looks for new mail


class Watch:
    """Follows a mailbox until its connection ends. Moments are the event loop's.

    `has_synced` says that everything was looked at and stored, after whatever failed before.
    """

    def __init__(self, world: World, wakeable: Wakeable, round_: Round, session: Session) -> None:
        self.has_synced = False
        self._world = world
        self._wakeable = wakeable
        self._round = round_
        self._session = session
        self._unlisted: frozenset[str] = frozenset()  # pushed, and yet the list of folders has them not
        self._next_folders = self._next_flags = self._next_poll = self._next_synced = self._next_identities = 0.0
        self._next_proof = 0.0

    async def keep(self) -> None:
        """Until an error or a cancellation ends it."""
        self._next_flags = _now() + FLAGS_SECONDS
        if self._round.state.is_planned:
            await self._round.catch_up([self._round.inbox])
        await self._look_at_all()
        await self._list_identities()
        while True:
            pause = poll_seconds(self._world.count_sessions())
            self._next_poll = _now() + pause * (0.9 + 0.1 * self._world.random())
            await self._follow_pushes()
            if self._wakeable.take_woken():
                await self._look_at_all()
                await self._compare_asking()
                self._next_proof = 0.0
                self._next_identities = 0.0  # whoever made an alias just now looks for it here
            else:
                if _now() >= self._next_folders:
                    await self._list_folders()
                await self._poll()
            await self._list_identities()
            await self._sweep()
            await self._prove()

    async def _follow_pushes(self) -> None:
        """Take what arrives, until the next poll is due, or somebody wakes us or says that something changed."""
        while (left := self._next_poll - _now()) > 0:
            inbox = self._round.inbox
            try:
                changed = await self._wakeable.wait(self._session.wait(inbox, left), frozenset(), is_light=True)
            except FolderGone:
                self._round.close(inbox)
                if self._round.inbox == inbox:  # no folder opens: to try at once again would never end
                    await self._wakeable.pause(left)
                    return
                continue
            if not changed:
                return
            await self._catch_up(changed)

    async def _look_at_all(self) -> None:
        """What was only sighted and is wanted now, which somebody may be waiting for; then folders and changes."""
        await self._round.fetch_wanted()
        await self._list_folders()
        await self._round.ask_for_new()
        await self._round.catch_up(await self._changed())
        await self._note_synced()

    async def _compare_asking(self) -> None:
        """Who wakes us may have put the mail back that a question is about: only a comparison shows that."""
        for folder in [folder for folder in self._round.folders if folder.held]:
            await self._round.sweep(folder)

    async def _list_folders(self) -> None:
        await self._round.list_folders()
        self._next_folders = _now() + FOLDERS_SECONDS

    async def _list_identities(self) -> None:
        if _now() >= self._next_identities:
            await self._round.list_identities()
            self._next_identities = _now() + IDENTITIES_SECONDS

    async def _poll(self) -> None:
        changed = await self._changed()
        if changed:
            await self._catch_up(changed)
        elif _now() >= self._next_synced:
            self._world.looks.note(self._round.state.id, self._round.state.epoch)
            self._next_synced = _now() + SYNCED_SECONDS

    async def _changed(self) -> frozenset[str]:
        """The folders that may have changed since they were caught up, and those whose owner has answered."""
        counters.add("polls")
        folders = self._round.folders
        answered = frozenset(folder.remote_name for folder in folders if folder.may_remove)
        return answered | await self._session.poll({folder.remote_name: folder.cursor for folder in folders})

    async def _catch_up(self, remote_names: Collection[str]) -> None:
        if self._round.unlisted(remote_names) - self._unlisted:  # made or renamed just now
            await self._list_folders()
            self._unlisted = self._round.unlisted({*self._unlisted, *remote_names})
        await self._round.catch_up(remote_names)
        await self._note_synced()

    async def _note_synced(self) -> None:
        self.has_synced = True
        await asyncio.to_thread(self._world.health.synced, self._round.state.id, self._round.state.epoch)
        self._next_synced = _now() + SYNCED_SECONDS

    async def _sweep(self) -> None:
        """Compare with the server what is due, unless another mailbox of this worker is at it."""
        if self._world.sweeping.locked():
            return
        due = self._due_for_sweep()
        if due:
            async with self._world.sweeping:
                for folder_id in due:
                    # As it is by now: it may have been caught up, answered for or closed while others were compared.
                    for folder in [one for one in self._round.folders if one.id == folder_id]:
                        await self._round.sweep(folder)
                    await self._round.catch_up([self._round.inbox])  # new mail waits for one folder at most

    async def _prove(self) -> None:
        """Count what is due, a few months at a time, unless another mailbox of this worker is at it."""
        if _now() < self._next_proof or self._world.sweeping.locked():
            return
        async with self._world.sweeping:
            pause = await self._round.prove(MONTHS_AT_ONCE)
        self._next_proof = _now() + pause

    def _due_for_sweep(self) -> list[UUID]:
        untold = frozenset[str]()
        if _now() >= self._next_flags:
            self._next_flags = _now() + FLAGS_SECONDS
            # What a question is about may be back: only a comparison shows that too.
            untold = self._round.flags_untold.union(one.remote_name for one in self._round.folders if one.held)
        due = self._round.due_for_sweep
        return [one.id for one in self._round.folders if one.remote_name in untold or one in due]


def _now() -> float:
    return asyncio.get_running_loop().time()
