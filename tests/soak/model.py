"""A model-based random test (imaptest's idea): several clients use a mailbox while real processes sync it and fail.

Worker and importer are killed, paused and cut off at random. At every checkpoint the clients rest, and within a
minute the database has to equal the server, folder by folder, message by message. Clients that tidy up while the worker
is away make a folder ask whether so much was to go (sync/brake.py): the owner looks at the server and says yes.
"""

from __future__ import annotations

import imaplib
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field

from postroom.sync.brake import MASS_DELETION
from postroom.workspaces.events import WAKE
from tests.fakes.imap_proxy import FAIR, ImapProxy, Weather, running_proxy
from tests.soak import truth
from tests.soak.client import Client
from tests.soak.letters import write_letter
from tests.soak.results import Result
from tests.soak.rig import Place, Rig

NUMBER = 39
QUIET_SECONDS = 60.0  # in which all has to be equal
CLIENTS = 3
FULL_FOLDER = 40  # messages; then some go, so that no folder grows without bound
MOST_FOLDERS = 9
NAMES = ("Work", "Archive", "Work/Offers", "B&APw-ro", "Letters to keep")
OLDEST_DAYS = 300
KINDS = ("worker", "importer")


@dataclass(slots=True)
class Processes:
    """A worker and an importer as `bin/up` runs them."""

    rig: Rig
    running: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)

    def start(self, kind: str) -> None:
        with self.rig.log.open("ab") as log:
            command = [sys.executable, "-m", "postroom.ops.processes", kind]
            self.running[kind] = subprocess.Popen(command, stdout=log, stderr=log, env=self.rig.environment)

    def kill(self, kind: str) -> None:
        """Kill it, start another, and let its death be known: waiting for that is measured elsewhere."""
        process = self.running[kind]
        process.kill()
        process.wait()
        connection = self.rig.connection
        connection.execute(
            "UPDATE mailboxes_worker SET seen_at = seen_at - interval '1 hour' WHERE name LIKE %s", [f"% {process.pid}"]
        )
        connection.execute(
            "UPDATE procrastinate_workers SET last_heartbeat = last_heartbeat - interval '1 hour'"
            " WHERE last_heartbeat < now() - interval '4 seconds'"
        )
        self.start(kind)

    def pause(self, kind: str, seconds: float) -> None:
        process = self.running[kind]
        process.send_signal(signal.SIGSTOP)
        time.sleep(seconds)
        process.send_signal(signal.SIGCONT)

    def revive(self) -> None:
        """Start what ended by itself. It should not have."""
        for kind, process in list(self.running.items()):
            if process.poll() is not None:
                self.start(kind)

    def stop(self) -> None:
        for process in self.running.values():
            process.send_signal(signal.SIGTERM)
        for process in self.running.values():
            with suppress(subprocess.TimeoutExpired):
                process.wait(10)
            process.kill()
            process.wait()


class Model:
    """One mailbox, its clients, and what happens to them."""

    def __init__(self, rig: Rig, place: Place, processes: Processes, proxy: ImapProxy, chance: random.Random) -> None:
        self.rig, self.place, self.processes, self.proxy, self.chance = rig, place, processes, proxy, chance
        self.done: Counter[str] = Counter()
        self._numbers = iter(range(10**9))
        self._clients: list[Client] = []
        self._stack = ExitStack()
        self._remade: Counter[str] = Counter()

    def __enter__(self) -> Model:
        for _ in range(CLIENTS):
            self._clients.append(self._stack.enter_context(self.rig.client(self.place)))
        return self

    def __exit__(self, *error: object) -> None:
        self._stack.close()

    def run(self, seconds: float, *, between_faults: float) -> None:
        """Let clients and faults go on for so long."""
        end = time.monotonic() + seconds
        next_fault = time.monotonic() + between_faults
        while time.monotonic() < end:
            self.step()
            if time.monotonic() > next_fault:
                self.fail()
                next_fault = time.monotonic() + between_faults * self.chance.uniform(0.5, 1.5)
            time.sleep(self.chance.uniform(0, 0.03))

    def step(self) -> None:
        """One thing that one client does. What another did meanwhile may make the server refuse it."""
        act = self.chance.choices(ACTS, WEIGHTS)[0]
        client = self.chance.choice(self._clients)
        with suppress(imaplib.IMAP4.error):
            act(self, client)
            self.done[act.__name__] += 1

    def fail(self) -> None:
        fault = self.chance.choice(("kill", "kill", "cut", "reset", "slow", "fair", "pause"))
        self.done[f"fault {fault}"] += 1
        kind = self.chance.choice(KINDS)
        if fault == "kill":
            self.processes.kill(kind)
        elif fault == "pause":
            self.processes.pause(kind, self.chance.uniform(0.2, 2))
        elif fault in ("cut", "reset"):
            self.proxy.cut(is_reset=fault == "reset")
        elif fault == "slow":
            self.proxy.weather = Weather(delay_seconds=0.02, cut_after=self.chance.randint(500, 100_000))
            self.proxy.cut()
        else:
            self.proxy.weather = FAIR

    def checkpoint(self, seed: int) -> Result:
        """Rest until the database equals the server, or the time for it is over."""
        self.proxy.weather = FAIR
        self.processes.revive()
        started = time.monotonic()
        self.look_now()
        while True:
            unanswered = self.answer_questions()
            difference = self.rig.judge(self.place)
            seconds = time.monotonic() - started
            if difference.is_none and not unanswered:
                return Result(NUMBER, seed, seconds=seconds)
            if seconds > QUIET_SECONDS:
                notes = (*unanswered, *difference.notes)
                return Result(NUMBER, seed, difference.lost, difference.doubled, seconds, notes)
            time.sleep(0.4)
            self.look_now()

    def answer_questions(self) -> tuple[str, ...]:
        """Let the owner confirm mass deletions that are none of our making; a sentence on each other question.

        Those that are asked about stay until he says yes: fewer that are stored and gone than were counted, and the
        question was wrong.
        """
        unanswered = []
        for address, mailbox_id in self.place.mailboxes.items():
            questions = truth.asked(self.rig.connection, mailbox_id)
            if not questions:
                continue
            server = truth.on_server(self.place.imap_port, address)
            stored = truth.in_database(self.rig.connection, mailbox_id)
            for asked in questions:
                gone = stored.get(asked.folder, {}).keys() - server.get(asked.folder, {}).keys()
                if asked.code == MASS_DELETION and asked.folder in server and 0 < asked.gone <= len(gone):
                    self.rig.ask("decide", mailbox=str(mailbox_id), folder=str(asked.folder_id), said="remove")
                    self.done["answered"] += 1
                else:
                    unanswered.append(f"{asked.folder} asks: {asked.code} of {asked.gone}, {len(gone)} are gone")
        return tuple(unanswered)

    def look_now(self) -> None:
        """What a page's button does; patience with a cut connection is over, too."""
        self.rig.connection.execute(
            "UPDATE mailboxes_mailbox SET not_before = NULL WHERE workspace_id = %s", [self.place.workspace_id]
        )
        self.rig.connection.execute(
            "UPDATE mailboxes_importslice SET not_before = NULL WHERE workspace_id = %s", [self.place.workspace_id]
        )
        for mailbox_id in self.place.mailboxes.values():
            self.rig.connection.execute("SELECT pg_notify(%s, %s)", [WAKE, str(mailbox_id)])

    # What clients do

    def folder(self, client: Client) -> str:
        return self.chance.choice(truth.folder_names(client.connection))

    def some(self, client: Client, folder: str, most: int = 4) -> list[str]:
        uids = client.uids(folder)
        return self.chance.sample(uids, min(len(uids), self.chance.randint(1, most)))

    def append(self, client: Client) -> None:
        letter = write_letter(self.chance, f"{self.place.address.partition('@')[0]}.{next(self._numbers)}")
        self.place.letters.append(letter)
        days = self.chance.choice([0, 0, 0, self.chance.randint(1, OLDEST_DAYS)])
        folder = self.chance.choice(["INBOX", self.folder(client)])
        client.append(folder, letter.raw, self.chance.choice(["", "\\Seen", "\\Flagged"]), days)

    def flag(self, client: Client) -> None:
        change = (
            self.chance.choice("+-") + "FLAGS " + self.chance.choice(["\\Seen", "\\Flagged", "\\Answered", "$Done"])
        )
        client.flag(self.some(client, self.folder(client), 8), change)

    def copy(self, client: Client) -> None:
        client.copy(self.some(client, self.folder(client)), self.folder(client))

    def move(self, client: Client) -> None:
        client.move(self.some(client, self.folder(client)), self.folder(client))

    def expunge(self, client: Client) -> None:
        folder = self.folder(client)
        uids = client.uids(folder)
        client.expunge(uids[:8] if len(uids) > FULL_FOLDER else self.some(client, folder, 3))

    def create(self, client: Client) -> None:
        if len(truth.folder_names(client.connection)) < MOST_FOLDERS:
            client.create(self._new_name())

    def rename(self, client: Client) -> None:
        folder = self.folder(client)
        if folder not in ("INBOX", "Sent"):
            client.rename(folder, self._new_name())

    def delete(self, client: Client) -> None:
        folder = self.folder(client)
        if folder not in ("INBOX", "Sent") and len(client.uids(folder)) < FULL_FOLDER:
            client.delete(folder)

    def _new_name(self) -> str:
        """A name again only seldom: a folder that is made anew over and over asks its owner (fault 20)."""
        name = self.chance.choice(NAMES)
        self._remade[name] += 1
        return name if self._remade[name] <= 2 else f"Folder {next(self._numbers)}"


ACTS: tuple[Callable[[Model, Client], None], ...] = (
    Model.append, Model.flag, Model.copy, Model.move, Model.expunge, Model.create, Model.rename, Model.delete,
)  # fmt: skip
WEIGHTS = (40, 20, 12, 12, 10, 3, 2, 1)


def run_model(
    rig: Rig, imap_port: int, user: str, seed: int, *, checkpoints: int, seconds: float, between_faults: float
) -> Iterator[Result]:
    """A result for every checkpoint; `seconds` lie before each. `user` is who the server knows by that name."""
    chance = random.Random(f"model {seed}")
    processes = Processes(rig)
    with running_proxy(imap_port) as proxy:
        place = rig.place(address=user, port=proxy.port, imap_port=imap_port)
        try:
            with Model(rig, place, processes, proxy, chance) as model:
                for _ in range(60):
                    model.append(model._clients[0])
                for kind in KINDS:
                    processes.start(kind)
                for number in range(checkpoints):
                    model.run(seconds, between_faults=between_faults)
                    yield model.checkpoint(seed * 1000 + number)
                rig.tell(f"  {sum(model.done.values())} acts: {dict(model.done.most_common())}")
        finally:
            processes.stop()
