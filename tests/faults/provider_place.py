"""Mailboxes at a fake Google or Microsoft, behind a gate, with the product's own processes."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import pytest
from asgiref.sync import async_to_sync
from django.db import connection

from postroom.correspondence.models import Message, Placement
from postroom.mailboxes.arrivals import Arrival, arrive
from postroom.mailboxes.connect import ConnectRequest
from postroom.mailboxes.journeys import begin
from postroom.mailboxes.models import Folder, ImportSlice, Mailbox
from postroom.mailboxes.oauth_apps import TypedApp, save_app
from postroom.workspaces.members import Member
from tests.faults.provider_gates import Gate
from tests.integration.sign_in_place import connected, environment, look_there

BROWSER = "the session of Alice's browser"


@dataclass
class Installation:
    """Alice's workspace on the test database, connected to a fake."""

    alice: Member
    gate: Gate
    log: Path
    environment: dict[str, str]
    processes: list[subprocess.Popen[bytes]] = field(default_factory=list)

    def connect(self, address: str, messages: int = 0) -> Mailbox:
        """A connected mailbox with so many messages in its inbox, whose access token is over."""
        for number in range(messages):
            self.gate.put(address, number)
        token = self.gate.granted(address)
        return connected(
            self.alice,
            address,
            provider=self.gate.provider,
            refresh_token=token,
            client_id=self.gate.client_id,
        )

    def sign_in(self, address: str, mailbox: Mailbox | None = None) -> Arrival:
        """Connect a mailbox, or reconnect one, at the provider's pages, as whoever `address` is."""
        request = ConnectRequest(self.gate.provider, "", "shared")
        departure = begin(self.alice, BROWSER, self.gate.provider, request, mailbox)
        back = self.gate.person(departure.url, address)
        return async_to_sync(arrive)(self.alice, BROWSER, self.gate.provider, back)

    def start(self, *kinds: Literal["worker", "importer"]) -> None:
        """Start processes."""
        program = str(Path(__file__).with_name("provider_process.py"))
        for kind in kinds:
            with self.log.open("ab") as log:
                self.processes.append(
                    subprocess.Popen([sys.executable, program, kind], env=self.environment, stdout=log, stderr=log)
                )

    def end(self) -> None:
        """Kill them."""
        for process in self.processes:
            process.kill()
            process.wait()
        self.processes.clear()

    def wait_until(self, is_so: Callable[[], bool], seconds: float) -> float:
        """Seconds until it was so; fails with the log when it takes longer."""
        started = time.monotonic()
        while not is_so():
            assert time.monotonic() - started < seconds, f"after {seconds} s:\n{self.said[-6000:]}"
            time.sleep(0.05)
        return time.monotonic() - started

    @property
    def said(self) -> str:
        """What the processes logged."""
        return self.log.read_text()

    def stored(self, mailbox: Mailbox) -> Counter[str]:
        """The remote ids in its inbox, as stored."""
        inbox = Folder.objects.filter(mailbox=mailbox, role="inbox").values("pk")
        rows = Placement.objects.filter(folder_id__in=inbox, removed_at=None)
        return Counter(rows.values_list("remote_id", flat=True))

    def is_equal(self, mailbox: Mailbox) -> bool:
        """Whether the inbox is stored as the provider has it, once each."""
        return self.stored(mailbox) == Counter(self.gate.held(mailbox.address))

    def is_imported(self, mailbox: Mailbox) -> bool:
        """Whether the first import is through, and the inbox equal."""
        mailbox.refresh_from_db()
        is_open = ImportSlice.objects.filter(mailbox=mailbox, is_done=False).exists()
        return bool(mailbox.import_planned_at) and not is_open and self.is_equal(mailbox)

    def entries(self) -> Counter[str]:
        """Messages by their Message-ID: each is one entry of a timeline."""
        return Counter(Message.objects.values_list("internet_message_id", flat=True))


@contextmanager
def installation(
    gate: Gate, alice: Member, folder: Path, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Installation]:
    """The place; its processes end with the block."""
    told = environment(gate.owner, gate.endpoints)
    with gate, look_there(monkeypatch, told):
        app = TypedApp(gate.client_id, gate.client_secret)
        async_to_sync(save_app)(alice, gate.provider, app)
        place = Installation(
            alice,
            gate,
            folder / "log",
            {**os.environ, "DATABASE_URL": database_url, "POSTROOM_LOG_LEVEL": "INFO"},
        )
        try:
            yield place
        finally:
            place.end()
            with connection.cursor() as cursor:
                cursor.execute("DELETE FROM procrastinate_jobs")  # a table Django does not flush
