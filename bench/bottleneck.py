"""Where the time of a first import goes: one process, one layer after the other, per 1,000 messages.

`--profile` adds the costliest functions. The layers run as in an importer, on the product's own code: list, fetch,
parse, and save (keys, digests, attachments, look-ups, rows, COPY, commit), of which filing is timed apart.
"""

from __future__ import annotations

import argparse
import asyncio
import cProfile
import json
import os
import pstats
import subprocess
import sys
import time
from collections import defaultdict
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager
from datetime import date
from typing import Any
from uuid import UUID

import django
import uvloop

from bench import corpus
from bench.dovecot import dovecot
from bench.rig import CHECKOUT, DATABASES, Postroom, postroom

INSIDE = "POSTROOM_BENCH_MAILBOX"  # set in the child that measures, whose Django knows the database


class Times:
    """Wall and CPU seconds of this process by layer."""

    def __init__(self) -> None:
        self.wall: dict[str, float] = defaultdict(float)
        self.cpu: dict[str, float] = defaultdict(float)

    @contextmanager
    def of(self, layer: str) -> Iterator[None]:
        wall, cpu = time.perf_counter(), time.process_time()
        try:
            yield
        finally:
            self.wall[layer] += time.perf_counter() - wall
            self.cpu[layer] += time.process_time() - cpu


class TimedFiler:
    """correspondence.filer.Filer: another one, and how long it took."""

    def __init__(self, filer: Any, times: Times) -> None:
        self._filer = filer
        self._times = times

    def file(self, connection: Any, batch: Any) -> Any:
        with self._times.of("  of it filing"):
            return self._filer.file(connection, batch)

    def wants(self, connection: Any, batch: Any) -> Any:
        with self._times.of("  of it filing"):
            return self._filer.wants(connection, batch)

    def filed_among(self, connection: Any, message_ids: Collection[UUID]) -> Any:
        with self._times.of("  of it filing"):
            return self._filer.filed_among(connection, message_ids)


def main(arguments: Sequence[str] | None = None) -> int:
    if INSIDE in os.environ:
        return _measure()
    parser = argparse.ArgumentParser(prog="bench/bottleneck", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--messages", type=int, default=20_000)
    parser.add_argument("--belong", type=float, default=1.0, help="share of the messages that belong to records")
    parser.add_argument("--database", choices=DATABASES, default="embedded")
    parser.add_argument("--profile", action="store_true")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args(arguments)
    mailbox = corpus.cached(options.messages)
    with dovecot(mailbox.maildir) as server, postroom(options.database) as installation:
        people, _ = mailbox.belonging(options.belong)
        keep = "everything" if options.belong >= 1 else "records"
        with installation.seeding(people, imap_port=server.imap, keep=keep) as seeding:
            mailbox_id = seeding.connect_mailbox().mailbox
        before = installation.cpu()["postgres"]
        told = _run_child(installation, mailbox_id, profile=options.profile)
        told["server_cpu"] = installation.cpu()["postgres"] - before
    thousands = options.messages / 1000
    print(f"{'per 1,000 messages':<22}{'wall ms':>9}{'CPU ms':>9}")
    for layer, wall in told["wall"].items():
        print(f"{layer:<22}{wall * 1000 / thousands:9.1f}{told['cpu'][layer] * 1000 / thousands:9.1f}")
    print(f"{'PostgreSQL':<31}{told['server_cpu'] * 1000 / thousands:9.1f}")
    if options.json:
        print(json.dumps({"messages": options.messages, **told}))
    return 0


def _run_child(installation: Postroom, mailbox_id: str, *, profile: bool) -> dict[str, Any]:
    environment = {**installation.environment, INSIDE: mailbox_id, "POSTROOM_BENCH_PROFILE": "1" if profile else ""}
    child = subprocess.run(
        [sys.executable, "-m", "bench.bottleneck"], env=environment, cwd=CHECKOUT, stdout=subprocess.PIPE, check=True
    )
    told: dict[str, Any] = json.loads(child.stdout.splitlines()[-1])
    return told


def _measure() -> int:
    django.setup()
    from postroom.engine.importer import collect_garbage_seldom

    collect_garbage_seldom()
    times = Times()
    profiler = cProfile.Profile() if os.environ["POSTROOM_BENCH_PROFILE"] else None
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(_import(UUID(os.environ[INSIDE]), times, profiler))
    if profiler is not None:
        for order in ("tottime", "cumtime"):
            pstats.Stats(profiler, stream=sys.stderr).sort_stats(order).print_stats(45)
    print(json.dumps({"wall": times.wall, "cpu": times.cpu}))
    return 0


async def _import(mailbox_id: UUID, times: Times, profiler: cProfile.Profile | None) -> None:
    from postroom.correspondence.store import PostgresStore
    from postroom.engine.driver import new_header, new_message
    from postroom.filing.filer import RecordFiler
    from postroom.mailboxes.health import MailboxHealth
    from postroom.providers import registry
    from postroom.sync import asks
    from postroom.sync.importing import import_slice, plan_import
    from postroom.sync.manner import Manner

    store = PostgresStore(TimedFiler(RecordFiler(), times))
    state = store.load_mailbox(mailbox_id)
    provider_name, credentials = await asyncio.to_thread(MailboxHealth().credentials, mailbox_id)
    session = await registry.provider(provider_name).open(credentials)

    async def answer(ask: asks.Ask) -> Any:
        match ask:
            case asks.ListFolders():
                with times.of("list"):
                    return await session.list_folders()
            case asks.ListWindow(remote_name, _):
                with times.of("list"):
                    return await session.list_window(remote_name, None)
            case asks.SaveFolders(folders, left_out):
                return store.save_folders(mailbox_id, state.epoch, folders, left_out)
            case asks.KnownMessages(folder_id):
                return store.known_messages(folder_id)
            case asks.SavePlan(cursors, slices, listed_since):
                with times.of("plan"):
                    return store.save_plan(mailbox_id, state.epoch, cursors, slices, listed_since)
            case asks.FetchHeaders(remote_name, remote_ids):
                with times.of("fetch headers"):
                    headers = await session.fetch_headers(remote_name, remote_ids)
                with times.of("parse headers"):
                    return tuple(map(new_header, headers))
            case asks.ChooseWanted(headers):
                with times.of("choose"):
                    return store.choose_wanted(mailbox_id, headers)
            case asks.FetchMessages(remote_name, remote_ids):
                with times.of("fetch"):
                    fetched = await session.fetch(remote_name, remote_ids)
                with times.of("parse"):
                    return tuple(map(new_message, fetched))
            case asks.SavePage(page):
                with times.of("save"):
                    return store.save_page(page)
        raise LookupError(ask)

    slice_ids = await _drive(plan_import(date.min), answer)
    if profiler is not None:
        profiler.enable()
    for slice_id in slice_ids:
        if piece := store.find_slice(slice_id):
            await _drive(import_slice(piece, Manner(headers_first=not piece.keeps_everything)), answer)
    if profiler is not None:
        profiler.disable()
    await session.close()
    store.close()


async def _drive(steps: Any, answer: Callable[[Any], Any]) -> Any:
    told = None
    while True:
        try:
            ask = steps.send(told)
        except StopIteration as stop:
            return stop.value
        told = await answer(ask)


if __name__ == "__main__":
    sys.exit(main())
