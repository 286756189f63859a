"""Where a store's blocking calls run."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from postroom.engine.store import Store

T = TypeVar("T")


class InlineStore:
    """One store, called in the event loop's own thread: for a process that imports and does nothing else."""

    def __init__(self, store: Store) -> None:
        self._store = store

    async def call(self, work: Callable[[Store], T]) -> T:
        return work(self._store)


class StoreThreads:
    """A few threads with a store each, so that a save does not stop the sessions of other mailboxes."""

    def __init__(self, make: Callable[[], Store], threads: int = 3) -> None:
        self._make = make
        self._own = threading.local()
        self._made: list[Store] = []
        self._executor = ThreadPoolExecutor(threads, thread_name_prefix="store")

    async def call(self, work: Callable[[Store], T]) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._executor, self._call, work)

    def _call(self, work: Callable[[Store], T]) -> T:
        store: Store | None = getattr(self._own, "store", None)
        if store is None:
            store = self._own.store = self._make()
            self._made.append(store)
        return work(store)

    def close(self) -> None:
        self._executor.shutdown(wait=True, cancel_futures=True)
        for store in self._made:
            store.close()
