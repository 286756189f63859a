"""A mailbox on a real Dovecot and what is stored of it, brought together step by step as the engine does it."""

from __future__ import annotations

import asyncio
import imaplib
import subprocess
import time
import uuid
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, TypeVar
from uuid import UUID

from postroom.correspondence.models import Message, Placement
from postroom.correspondence.store import PostgresStore
from postroom.engine.driver import Driver
from postroom.engine.round import Round
from postroom.engine.stores import InlineStore
from postroom.engine.world import World
from postroom.filing.filer import RecordFiler
from postroom.mailboxes.completeness import MailboxProofs
from postroom.mailboxes.health import MailboxHealth
from postroom.mailboxes.journal import MailboxJournal
from postroom.mailboxes.models import Folder, ImportSlice, Keep, Kind, Mailbox
from postroom.providers.base import Credentials
from postroom.providers.errors import FolderGone
from postroom.providers.guard import NetworkPolicy
from postroom.providers.imap.provider import ImapProvider
from postroom.sync import asks
from postroom.sync.catching_up import catch_up
from postroom.sync.importing import import_slice, plan_import
from postroom.sync.manner import Manner
from postroom.sync.state import FolderState, MailboxState, Saved
from postroom.sync.sweeping import sweep
from postroom.workspaces.members import Member
from tests.contract.imap_place import settings
from tests.servers.dovecot import Dovecot

T = TypeVar("T")
ANNA = "anna@customer.example"
TODAY = datetime.now(UTC)


def letter(subject: str, *, name: str = "", sender: str = ANNA, text: str = "") -> bytes:
    return (
        f"From: Anna <{sender}>\r\nTo: sales@tidewater.example\r\nSubject: {subject}\r\n"
        f"Message-ID: <{name or subject}@customer.example>\r\nDate: Mon, 23 Nov 2026 10:00:00 +0000\r\n\r\n"
        f"{text or f'About {subject}'}\r\n"
    ).encode()


def letters(count: int, first: int = 0, *, kind: str = "letter") -> list[bytes]:
    """Each of another size."""
    return [letter(f"{kind}-{number}", text="About " + "x" * number) for number in range(first, first + count)]


class CountingDriver(Driver):
    """Counts the bodies and headers that were fetched, and what was announced as new mail."""

    counted: Counter[str] = Counter()

    async def _answer(self, ask: asks.Ask) -> Any:
        answer = await super()._answer(ask)
        match ask:
            case asks.FetchMessages(_, remote_ids):
                self.counted["bodies"] += len(remote_ids)
            case asks.FetchHeaders(_, remote_ids):
                self.counted["headers"] += len(remote_ids)
            case asks.ListWindow():
                self.counted["listed"] += len(answer.messages)
            case asks.SavePage(page):
                self.counted["announced"] += answer.new if page.is_live else 0
        return answer


class FolderPlace:
    """One mailbox: other mail programs work on it through `client`, Postroom through `sync`."""

    def __init__(self, dovecot: Dovecot, policy: NetworkPolicy, member: Member, *, keep: str = Keep.EVERYTHING) -> None:
        self.dovecot, self.keep = dovecot, keep
        self.address = f"u{uuid.uuid4().hex[:12]}@example.test"
        self.mailbox = Mailbox.objects.create(
            workspace=member.workspace,
            address=self.address,
            kind=Kind.SHARED,
            provider="imap",
            owner=member.user,
            keep=keep,
        )
        self.store = PostgresStore(RecordFiler())
        self.counted: Counter[str] = Counter()
        self._runner = asyncio.Runner()
        self._provider = ImapProvider(policy)
        self._connect()

    def _connect(self) -> None:
        secrets = {"imap": settings(self.dovecot.imap, self.address), "smtp": settings(1, self.address)}
        self._session = self._runner.run(self._provider.open(Credentials(self.address, secrets)))
        epoch = Mailbox.objects.get(pk=self.mailbox.pk).epoch
        self._driver = CountingDriver(self._session, InlineStore(self.store), self.mailbox.pk, epoch)
        self._driver.counted, self.epoch = self.counted, epoch

    def pass_through(self, between: Any) -> None:
        """Have Postroom reach the server through this; its `session` is the one to the server."""
        between.session, self._session = self._session, between
        self._driver = CountingDriver(between, InlineStore(self.store), self.mailbox.pk, self.epoch)

    def close(self) -> None:
        self._runner.run(self._session.close())
        self._runner.close()
        self.store.close()

    @contextmanager
    def disconnected(self) -> Iterator[Path]:
        """Without a connection, the folder in which the server keeps the mail (Maildir); then connected anew."""
        self._runner.run(self._session.close())
        yield self.dovecot.folder / "mail" / self.address / "Maildir"
        self._connect()

    # the other mail program

    @contextmanager
    def client(self, folder: str = "") -> Iterator[imaplib.IMAP4]:
        with imaplib.IMAP4("localhost", self.dovecot.imap) as client:
            client.login(self.address, "pass")
            if folder:
                client.select(folder)
            yield client

    def put(self, *raws: bytes, folder: str = "INBOX", days_ago: int = 0) -> None:
        """Put messages into a folder, each received a second after the one before."""
        first = TODAY - timedelta(days=days_ago, seconds=len(raws) + 600)
        with self.client() as client:
            for number, raw in enumerate(raws):
                when = imaplib.Time2Internaldate((first + timedelta(seconds=number)).timestamp())
                condition, words = client.append(folder, "", when, raw)
                assert condition == "OK", words

    def expunge(self, count: int, folder: str = "INBOX") -> None:
        """Delete the oldest messages."""
        with self.client(folder) as client:
            client.store(f"1:{count}", "+FLAGS.SILENT", "(\\Deleted)")
            client.expunge()

    def command(self, name: str, *arguments: str) -> None:
        with self.client() as client:
            condition, words = getattr(client, name)(*arguments)
            assert condition == "OK", words

    def doveadm(self, *arguments: str) -> None:
        configuration = str(self.dovecot.folder / "dovecot.conf")
        subprocess.run(["doveadm", "-c", configuration, *arguments], check=True, capture_output=True, timeout=20)

    def renumber(self, validity: int, folder: str = "INBOX") -> None:
        self.doveadm("mailbox", "update", "-u", self.address, "--uid-validity", str(validity), folder)

    # Postroom

    def run(self, steps: asks.Steps[T]) -> T:
        return self._runner.run(self._driver.run(steps))

    def sync(self, *, days: int = 30) -> Saved:
        """Everything a session does before it waits, and the import."""
        since = TODAY.date() - timedelta(days=days)
        manner = Manner(headers_first=self.keep == Keep.RECORDS)
        slice_ids = self.run(plan_import(since))
        total = Saved()
        for folder in self.folders():
            if folder.is_synced and folder.cursor:
                total += self.run(catch_up(folder, self.mailbox.pk, self.epoch, since, manner))
        self.import_(slice_ids + total.slice_ids)
        return total

    def plan(self, *, days: int) -> tuple[UUID, ...]:
        return self.run(plan_import(TODAY.date() - timedelta(days=days)))

    def import_open(self) -> None:
        rows = ImportSlice.objects.filter(mailbox=self.mailbox, is_done=False).order_by("position")
        self.import_([row.pk for row in rows])

    def import_(self, slice_ids: Sequence[UUID]) -> None:
        for slice_id in slice_ids:
            if piece := self.store.find_slice(slice_id):
                self.run(import_slice(piece, Manner(headers_first=self.keep == Keep.RECORDS)))

    def sweep(self, name: str = "INBOX", *, is_nightly: bool = False) -> Saved:
        since, manner = TODAY.date() - timedelta(days=30), Manner(headers_first=self.keep == Keep.RECORDS)
        steps = sweep(self.folder(name), self.mailbox.pk, self.epoch, since, manner, is_nightly=is_nightly)
        saved = self.run(steps)
        self.import_(saved.slice_ids)
        return saved

    def prove(self) -> None:
        """Count the months that are due and fill their gaps, as the mailbox's session does."""
        world = World(InlineStore(self.store), MailboxHealth(), journal=MailboxJournal(), proofs=MailboxProofs())
        self._runner.run(self._prove(Round(world, self._provider, self._session, self._state())))

    async def _prove(self, round_: Round) -> None:
        while await round_.prove(12) == 0:
            pass

    def _state(self) -> MailboxState:
        return self.store.load_mailbox(self.mailbox.pk)

    def folders(self) -> tuple[FolderState, ...]:
        return self.store.load_mailbox(self.mailbox.pk).folders

    def folder(self, name: str = "INBOX") -> FolderState:
        return next(folder for folder in self.folders() if folder.remote_name == name)

    def row(self, name: str = "INBOX") -> Folder:
        return Folder.objects.get(mailbox=self.mailbox, remote_name=name)

    # both, to be compared

    def truth(self) -> set[tuple[str, str, str, frozenset[str]]]:
        """(folder, remote id, Message-ID, flags) of every message in the folders that are read."""
        found = set()
        for folder in self.folders():
            if folder.is_synced:
                found |= self._runner.run(self._look(folder.remote_name))
        return found

    async def _look(self, name: str) -> set[tuple[str, str, str, frozenset[str]]]:
        try:
            listing = await self._session.list_all(name)
        except FolderGone:
            return set()
        flags = {message.remote_id: frozenset(message.flags) for message in listing.added}
        fetched = await self._session.fetch(name, list(flags))
        return {(name, one.remote_id, _message_id(one.raw), flags[one.remote_id]) for one in fetched}

    def placed(self) -> set[tuple[str, str, str, frozenset[str]]]:
        """The same as it is stored."""
        names = dict(Folder.objects.filter(mailbox=self.mailbox).values_list("pk", "remote_name"))
        ids = dict(Message.objects.values_list("pk", "internet_message_id"))
        rows = Placement.objects.filter(mailbox_id=self.mailbox.pk, removed_at=None)
        return {(names[row.folder_id], row.remote_id, ids[row.message_id], frozenset(row.flags)) for row in rows}


def _message_id(raw: bytes) -> str:
    line = next(line for line in raw.split(b"\r\n") if line.lower().startswith(b"message-id:"))
    return line.partition(b":")[2].strip().decode()


def wait_a_second() -> None:
    """UIDVALIDITY is a time at Dovecot: two folders of one name in one second may have the same."""
    time.sleep(1.05)
