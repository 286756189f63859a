"""What scenarios run on: a mail server, a database, and the hand that forks engines."""

from __future__ import annotations

import imaplib
import json
import os
import random
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from uuid import UUID

import psycopg

from postroom.ops.embedded_postgres import EmbeddedPostgres
from tests.fakes.imap_proxy import FAIR, ImapProxy, running_proxy
from tests.servers.dovecot import Dovecot
from tests.soak import truth
from tests.soak.client import Client
from tests.soak.hand import UP_TO_DATE
from tests.soak.letters import Letter, write_letter
from tests.soak.results import Result

CHECKOUT = Path(__file__).resolve().parents[2]
PASS_SECONDS = 40.0  # the longest one pass of sync may take
MOST_PASSES = 12  # until all is equal


FOLDERS = ("INBOX", "Sent", "Archive", "Work")


@dataclass(slots=True)
class Place:
    """A workspace with mailboxes on the server, and every letter that was ever put there."""

    workspace_id: UUID
    mailboxes: dict[str, UUID]
    letters: list[Letter] = field(default_factory=list)
    imap_port: int = 0  # of the server itself, not of a proxy
    contacts: frozenset[str] = frozenset()  # whose mail alone is kept; empty: all mail
    validity_shift: int = 0  # what the proxy adds to UIDVALIDITY

    @property
    def kept(self) -> list[Letter]:
        """The letters that are to be stored."""
        return [letter for letter in self.letters if not self.contacts or letter.author in self.contacts]

    @property
    def address(self) -> str:
        return next(iter(self.mailboxes))


@dataclass(frozen=True, slots=True)
class Pass:
    """How one pass of an engine ended. `code` is the process's: 0, 3 or 4 (hand.py), 1 a traceback, -9 killed."""

    code: int
    rss_mb: float


class Rig:
    """Made by `running_rig`."""

    def __init__(self, folder: Path, dovecot: Dovecot, postgres: EmbeddedPostgres, proxy: ImapProxy) -> None:
        self.folder = folder
        self.dovecot = dovecot
        self.postgres = postgres
        self.proxy = proxy
        self.log = folder / "engines.log"
        self.tell: Callable[[str], None] = lambda line: None  # what goes on, for a person
        self._hand: subprocess.Popen[str] | None = None
        self._connection: psycopg.Connection[Any] | None = None
        self._numbers = iter(range(10**9))

    @property
    def connection(self) -> psycopg.Connection[Any]:
        if self._connection is None or self._connection.closed or self._connection.broken:
            self._connection = psycopg.connect(self.postgres.dsn, autocommit=True)
        return self._connection

    @property
    def attachments(self) -> Path:
        return self.folder / "data" / "attachments"

    @property
    def environment(self) -> dict[str, str]:
        """Of the hand, and of every process of ours."""
        return {name: value for name, value in os.environ.items() if not name.startswith("POSTROOM_")} | {
            "PYTHONPATH": f"{CHECKOUT / 'src'}{os.pathsep}{CHECKOUT}",
            "DJANGO_SETTINGS_MODULE": "postroom.config.settings",
            "DATABASE_URL": self.postgres.dsn,
            "POSTROOM_DATA": str(self.folder / "data"),
            "POSTROOM_ALLOWED_NETWORKS": "127.0.0.0/8",
            "POSTROOM_CA_FILE": str(self.dovecot.certificates.ca_file),
            "POSTROOM_LOG_LEVEL": "WARNING",
        }

    # Mailboxes and mail

    def place(
        self, *users: str, address: str = "", port: int = 0, imap_port: int = 0, contacts: Sequence[str] = ()
    ) -> Place:
        """A new workspace with a mailbox for each of new users, or for one that is there already (`address`).

        Postroom reaches it by `port`, the rig's proxy unless told otherwise; clients and the judge by `imap_port`.
        """
        port = port or self.proxy.port
        number = next(self._numbers)
        addresses = [address] if address else [f"{user}-{number}@example.test" for user in users or ("user",)]
        requests = []
        for address in addresses:
            login = {"host": "127.0.0.1", "port": port, "security": "none", "username": address, "password": "pass"}
            request = {"provider": "imap", "address": address, "kind": "shared", "backfill_days": 365}
            requests.append(
                request | {"keep": "records" if contacts else "everything", "secrets": {"imap": login, "smtp": login}}
            )
        told = self.ask("connect", mailboxes=requests, contacts=list(contacts))
        mailboxes = {name: UUID(made) for name, made in told["mailboxes"].items()}
        return Place(
            UUID(told["workspace"]), mailboxes, imap_port=imap_port or self.dovecot.imap, contacts=frozenset(contacts)
        )

    @contextmanager
    def client(self, place: Place, address: str = "") -> Iterator[Client]:
        """Somebody else's mail program, straight to the server."""
        with truth.signed_in(place.imap_port, address or place.address) as connection:
            yield Client(connection)

    def fill(self, place: Place, chance: random.Random, count: int, folders: Sequence[str] = FOLDERS) -> list[Letter]:
        """Put new letters into folders at random."""
        letters = [
            write_letter(chance, f"{place.address.partition('@')[0]}.{len(place.letters) + n}") for n in range(count)
        ]
        place.letters += letters
        with self.client(place) as client:
            for name in folders:
                client.create(name)
            for letter in letters:
                client.append(chance.choice(folders), letter.raw, chance.choice(["", "\\Seen", "\\Seen \\Flagged"]))
        return letters

    def point(self, place: Place, *, host: str = "127.0.0.1", port: int = 0, security: str = "none") -> None:
        """Let the first mailbox sign in elsewhere; without arguments, as `place` made it."""
        server = {"host": host, "port": port or self.proxy.port, "security": security}
        self.ask("point", mailbox=str(place.mailboxes[place.address]), server=server, username=place.address)

    # Engines

    def start(self, address: str, **more: Any) -> int:
        """Begin one pass; its pid. `fail` is POSTROOM_FAIL; see hand.py for the rest."""
        return int(self.ask("start", address=address, **more)["pid"])

    def wait(self, pid: int, seconds: float = PASS_SECONDS) -> dict[str, Any]:
        return self.ask("wait", pid=pid, seconds=seconds)

    def sync(self, address: str, **more: Any) -> Pass:
        """One whole pass. Raises TimeoutError when it does not end."""
        pid = self.start(address, **more)
        told = self.wait(pid)
        if not told["ended"]:
            os.kill(pid, 9)
            self.wait(pid)
            raise TimeoutError(f"the engine of {address} hangs {'stopped' if told['stopped'] else ''}")
        return Pass(told["code"], told["rss_mb"])

    def let_time_pass(self) -> None:
        """As if all that waits had waited: workers without a beat are dead, patience and pauses are over."""
        with self.connection.transaction():
            self.connection.execute("UPDATE mailboxes_worker SET seen_at = seen_at - interval '1 hour'")
            self.connection.execute("UPDATE mailboxes_mailbox SET not_before = NULL WHERE not_before IS NOT NULL")
            self.connection.execute("UPDATE mailboxes_importslice SET not_before = NULL WHERE not_before IS NOT NULL")

    def let_sweeps_be_due(self) -> None:
        """As if the night had come: every folder is compared with the server whole at the next look."""
        self.connection.execute("UPDATE mailboxes_folder SET swept_at = now() - interval '2 days'")

    # The verdict

    def settle(self, fault: int, seed: int, place: Place, *, notes: Sequence[str] = (), seconds: float = 0) -> Result:
        """Sync until all is equal, and judge. The fault is over."""
        started = time.monotonic()
        difference = truth.Difference(0, 0, ("nothing was synced",))
        codes: list[int] = []
        for _ in range(MOST_PASSES):
            self.let_time_pass()
            codes += [self.sync(address).code for address in place.mailboxes]
            difference = self.judge(place)
            if difference.is_none and codes[-1] == UP_TO_DATE:
                break
        took = seconds + time.monotonic() - started
        said = (*notes, *difference.notes) + ((f"passes ended with {codes}",) if codes[-1] != UP_TO_DATE else ())
        self.proxy.weather = FAIR
        return Result(fault, seed, difference.lost, difference.doubled, took, said)

    def judge(self, place: Place) -> truth.Difference:
        lost = 0
        notes: list[str] = []
        for address, mailbox_id in place.mailboxes.items():
            server = truth.on_server(place.imap_port, address, place.validity_shift)
            if place.contacts:
                server = truth.only(server, {letter.internet_message_id for letter in place.kept})
            missing, unequal = truth.compare(server, truth.in_database(self.connection, mailbox_id))
            lost, notes = lost + missing, notes + unequal
        doubled = truth.doubled(self.connection, place.workspace_id)
        if strange := truth.unknown_texts(self.connection, place.workspace_id, self.marks(place)):
            notes.append(f"{strange} stored texts that nobody wrote")
        notes += truth.dangling(self.connection, place.workspace_id)
        notes += truth.damaged_files(self.connection, place.workspace_id, self.attachments)
        return truth.Difference(lost, doubled, tuple(notes))

    def count(self, table: str, place: Place, condition: str = "true") -> int:
        row = self.connection.execute(
            f"SELECT count(*) FROM {table} WHERE workspace_id = %s AND {condition}", [place.workspace_id]
        ).fetchone()
        assert row is not None
        return int(row[0])

    @staticmethod
    def marks(place: Place) -> set[str]:
        return {letter.mark for letter in place.kept}

    # The hand

    def ask(self, deed: str, **more: Any) -> dict[str, Any]:
        hand = self._hand or self._start_hand()
        assert hand.stdin is not None and hand.stdout is not None
        hand.stdin.write(json.dumps({"do": deed, **more}) + "\n")
        hand.stdin.flush()
        line = hand.stdout.readline()
        if not line:
            raise RuntimeError(f"the hand broke:\n{self.log_end()}")
        told: dict[str, Any] = json.loads(line)
        if "broke" in told:
            raise RuntimeError(f"the hand could not {deed}: {told['broke']}")
        return told

    def _start_hand(self) -> subprocess.Popen[str]:
        with self.log.open("ab") as log:
            self._hand = subprocess.Popen(
                [sys.executable, "-m", "tests.soak.hand"],
                stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log,
                text=True, env=self.environment, cwd=CHECKOUT,
            )  # fmt: skip
        assert self._hand.stdout is not None
        assert self._hand.stdout.readline(), self.log_end()
        return self._hand

    def log_end(self) -> str:
        return "\n".join(self.log.read_text(errors="replace").splitlines()[-60:]) if self.log.exists() else ""

    def close(self) -> None:
        if self._connection is not None:
            self._connection.close()
        if self._hand is not None:
            assert self._hand.stdin is not None and self._hand.stdout is not None
            self._hand.stdin.close()
            self._hand.wait(10)
            self._hand.stdout.close()


@contextmanager
def running_rig(folder: Path, dovecot: Dovecot) -> Iterator[Rig]:
    """A rig in an empty folder, with a PostgreSQL of its own that scenarios may restart."""
    (folder / "data").mkdir(mode=0o700)
    settings = {"fsync": "off", "shared_buffers": "64MB", "max_connections": "100"}
    with EmbeddedPostgres(folder / "postgres", settings=settings) as postgres, running_proxy(dovecot.imap) as proxy:
        rig = Rig(folder, dovecot, postgres, proxy)
        try:
            rig.ask("migrate")
            yield rig
        finally:
            rig.close()


def each(rig: Rig, fault: int, seeds: Sequence[int], one: Callable[[int, random.Random], Result]) -> Iterator[Result]:
    """Run a scenario for every seed; one that breaks is a result too."""
    for seed in seeds:
        try:
            yield one(seed, random.Random(f"{fault} {seed}"))
        except (AssertionError, OSError, RuntimeError, imaplib.IMAP4.error, psycopg.Error) as error:
            yield Result(fault, seed, notes=(f"{type(error).__name__}: {error}"[:2000],))
