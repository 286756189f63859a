"""Fault 1 and 16: the engine dies, or sleeps while another takes its mailbox."""

from __future__ import annotations

import os
import random
import signal
from collections.abc import Iterator, Sequence
from dataclasses import replace

from postroom.engine.failpoints import POINTS
from tests.soak.results import Result
from tests.soak.rig import Place, Rig, each

SYNC_POINTS = tuple(point for point in POINTS if not point.startswith("send_"))
SOMETIMES_KILLED = "random:{seed}:0.06:kill"
COLLECT_EVERY = 10  # seeds
NEW_PLACE, KILLED_AGAIN, ONLY_RECORDS = 0.4, 0.4, 0.4  # chances
CONTACTS = ("c0@customer.test", "c3@customer.test", "c5@customer.test")


def kill_at_every_step(rig: Rig, seeds: Sequence[int]) -> Iterator[Result]:
    """One seed: killed at one point, then perhaps at random ones, mail arriving between."""

    places: list[Place] = []

    def one(seed: int, chance: random.Random) -> Result:
        if not places or chance.random() < NEW_PLACE:
            # Where the import is met; of some, only the mail of these contacts, headers first.
            places[:] = [rig.place(contacts=CONTACTS if chance.random() < ONLY_RECORDS else ())]
        [place] = places
        rig.fill(place, chance, chance.randint(6, 16))
        rig.sync(place.address, fail=f"{SYNC_POINTS[seed % len(SYNC_POINTS)]}:kill:{chance.randint(1, 3)}")
        while chance.random() < KILLED_AGAIN:
            rig.let_time_pass()
            rig.fill(place, chance, chance.randint(1, 3))
            rig.sync(place.address, fail=SOMETIMES_KILLED.format(seed=chance.random()))
        result = rig.settle(1, seed, place)
        if seed % COLLECT_EVERY == 0 and rig.ask("collect")["left"]:
            return replace(result, notes=(*result.notes, "orphan files are left"))
        return result

    return each(rig, 1, seeds, one)


def pause_longer_than_the_lease(rig: Rig, seeds: Sequence[int]) -> Iterator[Result]:
    """The engine stops at a point; another takes over, mail is moved about; then the first one wakes up."""

    def one(seed: int, chance: random.Random) -> Result:
        place = rig.place()
        rig.fill(place, chance, 12)
        if seed % 2:
            rig.sync(place.address)
            rig.fill(place, chance, 6)
        points = [point for point in SYNC_POINTS if point != "claimed" or seed % 5 == 0]
        pid = rig.start(place.address, fail=f"{points[seed % len(points)]}:stop:{chance.randint(1, 2)}")
        is_stopped = rig.wait(pid)["stopped"]
        rig.let_time_pass()
        with rig.client(place) as client:
            uids = client.uids("INBOX")
            client.flag(uids[:3], "+FLAGS (\\Answered)")
            client.move(uids[3:5], "Archive")
            client.expunge(uids[5:6])
        rig.fill(place, chance, 3)
        # `before_commit` holds the locks of its transaction: the other engine can only wait for them.
        holds_locks = is_stopped and points[seed % len(points)] == "before_commit"
        if is_stopped and not holds_locks:
            rig.sync(place.address)
        before = rig.connection.execute(STATE, [place.workspace_id]).fetchall()
        if is_stopped:
            os.kill(pid, signal.SIGCONT)
            rig.wait(pid)
        after = rig.connection.execute(STATE, [place.workspace_id]).fetchall()
        notes = ("the engine that woke up wrote",) if is_stopped and not holds_locks and before != after else ()
        return rig.settle(16, seed, place, notes=notes)

    return each(rig, 16, seeds, one)


STATE = (
    "SELECT folder.id, folder.cursor, placement.remote_id, placement.flags, placement.removed_at"
    " FROM mailboxes_folder folder LEFT JOIN correspondence_placement placement ON placement.folder_id = folder.id"
    " WHERE folder.workspace_id = %s ORDER BY folder.id, placement.remote_id"
)
