"""Faults 20 to 23: folders that are renumbered, restored, changed while they are read, and flagged in storms."""

from __future__ import annotations

import os
import random
import re
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator, Sequence

from tests.fakes.imap_proxy import FAIR, Rewrite, Weather
from tests.soak.client import Client
from tests.soak.kills import SYNC_POINTS
from tests.soak.results import Result
from tests.soak.rig import FOLDERS, Place, Rig, each

_VALIDITY = re.compile(rb"UIDVALIDITY (\d+)")
_ASKED = re.compile(rb"QRESYNC \((\d+)")
_MODSEQ = re.compile(rb"MODSEQ (\(?)(\d+)")
_ASKED_SINCE = re.compile(rb"(CHANGEDSINCE |QRESYNC \(\d+ )(\d+)")
RENUMBERED_OFTEN = 7  # times in a row
FAR = 2**55  # beyond what a double holds
STORM_LETTERS, STORM_ROUNDS = 40, 12


def shifted_validity(shift: int) -> Weather:
    """A server whose UIDVALIDITY is another: the same messages, under the same numbers, which mean nothing now."""

    def add(pattern: re.Pattern[bytes], amount: int) -> Rewrite:
        def rewrite(octets: bytes) -> bytes:
            return pattern.sub(lambda found: found[0].replace(found[1], b"%d" % (int(found[1]) + amount)), octets)

        return rewrite

    return Weather(from_server=add(_VALIDITY, shift), from_client=add(_ASKED, -shift))


def renumber(rig: Rig, seeds: Sequence[int]) -> Iterator[Result]:
    """UIDVALIDITY higher, lower, or the folder made anew; every third time so often that the owner is asked."""

    def one(seed: int, chance: random.Random) -> Result:
        place = rig.place()
        letters = rig.fill(place, chance, 12)
        rig.sync(place.address)
        stored = message_ids(rig, place)
        if seed % 3 == 0:
            make_anew(rig, place, chance)
            return rig.settle(20, seed, place, notes=unlike(stored, message_ids(rig, place)))
        times = RENUMBERED_OFTEN if seed % 3 == 1 and seed % 2 else 1
        asked = rig.proxy.traffic.whole_bodies
        for turn in range(1, times + 1):
            place.validity_shift = chance.choice([-1, 1]) * (1_000_000 * turn + chance.randint(1, 999))
            rig.proxy.weather = shifted_validity(place.validity_shift)
            rig.let_time_pass()
            rig.sync(place.address)
        notes = unlike(stored, message_ids(rig, place))
        if fetched := rig.proxy.traffic.whole_bodies - asked:
            notes += (f"bodies were fetched again, by {fetched} commands",)
        if times == 1:
            return rig.settle(20, seed, place, notes=notes)
        [held] = rig.connection.execute(HELD, [place.workspace_id]).fetchone() or (0,)
        notes += ("renumbered seven times, and the owner is not asked",) if not held else ()
        rig.proxy.weather = FAIR
        difference = len(letters) - len(stored)
        return Result(20, seed, lost=max(0, difference), doubled=rig.judge(place).doubled, notes=notes)

    return each(rig, 20, seeds, one)


HELD = "SELECT count(*) FROM mailboxes_folder WHERE workspace_id = %s AND held_code <> ''"


def message_ids(rig: Rig, place: Place) -> set[str]:
    rows = rig.connection.execute(
        "SELECT id FROM correspondence_message WHERE workspace_id = %s", [place.workspace_id]
    ).fetchall()
    return {str(row[0]) for row in rows}


def unlike(before: set[str], after: set[str]) -> tuple[str, ...]:
    """What records would lose or see twice."""
    gone, new = len(before - after), len(after - before)
    return ((f"{gone} messages have lost their rows, {new} have new ones",)) if gone or new else ()


def make_anew(rig: Rig, place: Place, chance: random.Random) -> None:
    """Delete the folders and make them again with the same messages in another order."""
    kept = {name: contents(rig, place, name) for name in FOLDERS if name != "INBOX"}
    with rig.client(place) as client:
        for name, raws in kept.items():
            chance.shuffle(raws)
            client.delete(name)
            client.create(name)
            for raw in raws:
                client.append(name, raw)


def contents(rig: Rig, place: Place, folder: str) -> list[bytes]:
    with rig.client(place) as client:
        if not client.uids(folder):
            return []
        _, parts = client.connection.uid("FETCH", "1:*", "(BODY.PEEK[])")
        return [part[1] for part in parts if isinstance(part, tuple)]


def restore_a_backup(rig: Rig, seeds: Sequence[int]) -> Iterator[Result]:
    """UIDNEXT, MODSEQ and EXISTS fall, and UIDs are given again, to other messages; UIDVALIDITY says nothing.

    When as much arrives after the restore as was lost, or more, no counter shows it: the night's sweep has to.
    """

    def one(seed: int, chance: random.Random) -> Result:
        place = rig.place()
        rig.fill(place, chance, 10)
        rig.sync(place.address)
        home = rig.dovecot.folder / "mail" / place.address
        backup = rig.folder / "backup"
        subprocess.run(["cp", "-a", str(home), str(backup)], check=True)
        lost = len(rig.fill(place, chance, chance.randint(1, 4), ["INBOX"]))
        with rig.client(place) as client:
            client.flag(client.uids("INBOX")[:2], "+FLAGS (\\Answered)")
        rig.sync(place.address)
        shutil.rmtree(home)
        backup.rename(home)
        time.sleep(1.05)  # restoring takes longer, and a time of receipt has whole seconds
        rig.fill(place, chance, chance.randint(0, lost + 3), ["INBOX"])
        rig.sync(place.address)
        rig.let_sweeps_be_due()
        return rig.settle(21, seed, place)

    return each(rig, 21, seeds, one)


def change_while_reading(rig: Rig, seeds: Sequence[int]) -> Iterator[Result]:
    """The engine halts at a point; meanwhile mail is moved and expunged, folders are renamed, deleted, made again."""
    places: list[Place] = []

    def one(seed: int, chance: random.Random) -> Result:
        places[:] = places if places and seed % 4 else [rig.place()]
        [place] = places
        rig.fill(place, chance, 10)
        points = [point for point in SYNC_POINTS if point != "claimed"]
        pid = rig.start(place.address, fail=f"{points[seed % len(points)]}:stop:{chance.randint(1, 4)}")
        is_stopped = rig.wait(pid)["stopped"]
        with rig.client(place) as client:
            for _ in range(chance.randint(1, 3)):
                chance.choice(MEDDLING)(client, chance)
        if is_stopped:
            os.kill(pid, signal.SIGCONT)
            rig.wait(pid)
        return rig.settle(22, seed, place)

    return each(rig, 22, seeds, one)


def _some(client: Client, chance: random.Random, folder: str) -> list[str]:
    uids = client.uids(folder)
    return chance.sample(uids, min(len(uids), chance.randint(1, 4)))


def expunge_some(client: Client, chance: random.Random) -> None:
    client.expunge(_some(client, chance, chance.choice(FOLDERS)))


def move_some(client: Client, chance: random.Random) -> None:
    source, target = chance.sample(FOLDERS, 2)
    client.move(_some(client, chance, source), target)


def rename_one(client: Client, chance: random.Random) -> None:
    client.rename("Work", f"Work {chance.randrange(10**6)}")


def delete_one(client: Client, chance: random.Random) -> None:
    client.delete("Archive")


def swap_two(client: Client, chance: random.Random) -> None:
    client.rename("Work", "Between")
    client.rename("Archive", "Work")
    client.rename("Between", "Archive")


def make_anew_empty(client: Client, chance: random.Random) -> None:
    client.delete("Work")
    client.create("Work")


MEDDLING = (expunge_some, move_some, rename_one, delete_one, swap_two, make_anew_empty)


def storm_of_flags(rig: Rig, seeds: Sequence[int]) -> Iterator[Result]:
    """Thousands of changes; MODSEQ beyond 2^53, and then small again, as after a restore."""

    def one(seed: int, chance: random.Random) -> Result:
        place = rig.place()
        rig.fill(place, chance, STORM_LETTERS, ["INBOX"])
        shift = FAR if seed % 2 else 0
        rig.proxy.weather = shifted_modseq(shift)
        rig.sync(place.address)
        for _ in range(2):
            storm(rig, place, chance)
            rig.sync(place.address)
        rig.proxy.weather = FAIR  # with a shift: MODSEQ falls
        storm(rig, place, chance)
        return rig.settle(23, seed, place)

    return each(rig, 23, seeds, one)


def storm(rig: Rig, place: Place, chance: random.Random) -> None:
    with rig.client(place) as client:
        uids = client.uids("INBOX")
        for _ in range(STORM_ROUNDS):
            change = chance.choice("+-") + "FLAGS " + chance.choice(["\\Seen", "\\Flagged", "\\Answered", "$Later"])
            client.flag(chance.sample(uids, chance.randint(1, len(uids))), change)


def shifted_modseq(shift: int) -> Weather:
    def down(line: bytes) -> bytes:
        return _MODSEQ.sub(lambda found: b"MODSEQ %s%d" % (found[1], int(found[2]) + shift), line)

    def up(octets: bytes) -> bytes:
        return _ASKED_SINCE.sub(lambda found: b"%s%d" % (found[1], max(1, int(found[2]) - shift)), octets)

    return Weather(from_server=down, from_client=up) if shift else FAIR
