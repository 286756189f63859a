"""Faults 4, 5, 15 and 18: the database, the disk and the clock."""

from __future__ import annotations

import os
import random
import signal
import time
from collections.abc import Iterator, Sequence

import psycopg

from tests.soak.hand import UP_TO_DATE
from tests.soak.results import Result
from tests.soak.rig import Place, Rig, each

CRASH_EVERY = 10  # seeds; a crash of PostgreSQL costs a second
POINTS = ("after_list", "before_fetch", "after_fetch", "before_save", "before_commit", "after_commit", "after_save")
CLOCKS = (-86_400, 86_400, -3_600, 3_600, -1, 1)  # seconds that this host is off


def lose_the_database(rig: Rig, seeds: Sequence[int]) -> Iterator[Result]:
    """Its connections end in the middle of a pass; every tenth time the whole server crashes and recovers."""

    def one(seed: int, chance: random.Random) -> Result:
        place = rig.place()
        rig.fill(place, chance, 8)
        pid = rig.start(place.address, fail=f"{chance.choice(POINTS)}:stop:{chance.randint(1, 2)}")
        if rig.wait(pid)["stopped"]:
            end_connections(rig, is_crash=seed % CRASH_EVERY == 0)
            os.kill(pid, signal.SIGCONT)
            rig.wait(pid)
        rig.fill(place, chance, 2)
        return rig.settle(4, seed, place)

    return each(rig, 4, seeds, one)


def end_connections(rig: Rig, *, is_crash: bool) -> None:
    others = "SELECT pid FROM pg_stat_activity WHERE backend_type = 'client backend' AND pid <> pg_backend_pid()"
    pids = [pid for (pid,) in rig.connection.execute(others).fetchall()]
    if not is_crash:
        rig.connection.execute("SELECT pg_terminate_backend(pid) FROM unnest(%s) AS pid", [pids])
        return
    os.kill(pids[0], signal.SIGKILL)  # PostgreSQL then ends every other backend and recovers from its log
    deadline = time.monotonic() + 30
    was_lost = False
    while time.monotonic() < deadline:
        try:
            rig.connection.execute("SELECT 1 FROM mailboxes_mailbox LIMIT 1")
        except psycopg.Error:
            was_lost = True
        else:
            if was_lost:
                return
        time.sleep(0.02)
    raise TimeoutError("PostgreSQL does not come back")


def refuse_transactions(rig: Rig, seeds: Sequence[int]) -> Iterator[Result]:
    """A page's transaction ends with a serialization failure or a deadlock; the same pass repeats it."""
    places: list[Place] = []

    def one(seed: int, chance: random.Random) -> Result:
        places[:] = places if places and seed % 3 else [rig.place()]
        [place] = places
        rig.fill(place, chance, 8)
        ended = rig.sync(place.address, fail=f"before_commit:{chance.choice(['db_error', 'deadlock'])}:{1 + seed % 2}")
        notes = () if ended.code == UP_TO_DATE else (f"the page was not repeated: the pass ended with {ended.code}",)
        return rig.settle(5, seed, place, notes=notes)

    return each(rig, 5, seeds, one)


def fill_the_disk(rig: Rig, seeds: Sequence[int]) -> Iterator[Result]:
    """No space for attachments or for the page; and once there is space again all is stored."""

    def one(seed: int, chance: random.Random) -> Result:
        place = rig.place()
        rig.fill(place, chance, 10)
        point = ("attachments_written", "before_commit")[seed % 2]
        before = cursors(rig, place)
        ended = rig.sync(place.address, fail=f"{point}:disk_full:{chance.randint(1, 3)}")
        notes = [f"the pass ended with {ended.code}"] if ended.code == UP_TO_DATE else []
        rig.let_time_pass()
        if seed % 3 == 0 and cursors(rig, place) == before:
            rig.sync(place.address, fail=f"{point}:disk_full:1")
        return rig.settle(15, seed, place, notes=notes)

    return each(rig, 15, seeds, one)


def cursors(rig: Rig, place: Place) -> list[tuple[str, str]]:
    statement = "SELECT remote_name, cursor FROM mailboxes_folder WHERE workspace_id = %s ORDER BY 1"
    return rig.connection.execute(statement, [place.workspace_id]).fetchall()


def set_the_clock(rig: Rig, seeds: Sequence[int]) -> Iterator[Result]:
    """Every pass believes another time, forwards and backwards by up to a day."""
    places: list[Place] = []

    def one(seed: int, chance: random.Random) -> Result:
        places[:] = places if places and seed % 3 else [rig.place()]
        [place] = places
        rig.fill(place, chance, 6)
        ended = rig.sync(place.address, clock_seconds=CLOCKS[seed % len(CLOCKS)])
        notes = () if ended.code == UP_TO_DATE else (f"the pass ended with {ended.code}",)
        return rig.settle(18, seed, place, notes=notes)

    return each(rig, 18, seeds, one)
