"""A mailbox at the fake Google that Postroom reads by its own engine: Round, Driver, Importer, PostgresStore."""

from __future__ import annotations

import ipaddress
import uuid
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta

from django.utils import timezone

from postroom.correspondence.models import Message, Placement
from postroom.engine.counters import counters
from postroom.mailboxes.connect import ConnectRequest, store_mailbox
from postroom.mailboxes.models import Folder, Grant, Keep, Mailbox
from postroom.ops import sync_once
from postroom.providers import registry
from postroom.providers.gmail.provider import GmailProvider
from postroom.providers.guard import NetworkPolicy
from postroom.workspaces.members import Member
from tests.fakes.google import FakeGoogle, GoogleMailbox

_FETCHED = ("headers_fetched", "messages_fetched")
LOOPBACK = NetworkPolicy(allowed=(ipaddress.ip_network("127.0.0.0/8"),))


def letter(name: str, sender: str, to: str, *, answers: str = "", body: str = "Hello") -> bytes:
    references = f"In-Reply-To: <{answers}@x>\r\nReferences: <{answers}@x>\r\n" if answers else ""
    subject = f"Re: {answers}" if answers else name
    return (
        f"From: {sender}\r\nTo: {to}\r\nSubject: {subject}\r\nMessage-ID: <{name}@x>\r\n{references}"
        f"Date: Mon, 23 Nov 2026 09:00:00 +0000\r\n\r\n{body}\r\n"
    ).encode()


class GooglePlace:
    """One mailbox, and what was asked for it."""

    def __init__(self, google: FakeGoogle, member: Member, *, keep: str = Keep.RECORDS) -> None:
        self.google = google
        self.address = f"u{uuid.uuid4().hex[:12]}@gmail.test"
        self.google.mailbox(self.address)
        request = ConnectRequest(
            "gmail",
            self.address,
            "personal",
            keep=keep,
            secrets={"oauth": {"access_token": google.token_for(self.address), "refresh_token": "none"}},
        )
        self.mailbox = store_mailbox(member, request)
        Grant.objects.filter(mailbox=self.mailbox).update(app="gmail", expires_at=timezone.now() + timedelta(days=1))
        self._before = counters.counts()

    @property
    def remote(self) -> GoogleMailbox:
        return self.google.mailbox(self.address)

    def deliver(
        self,
        name: str,
        sender: str,
        *,
        answers: str = "",
        labels: tuple[str, ...] = ("INBOX", "UNREAD"),
        days: int = 1,
    ) -> str:
        """Let a message arrive so many days ago; its remote id."""
        raw = letter(name, sender, self.address, answers=answers)
        return self.remote.deliver(raw, labels, at=datetime.now(UTC) - timedelta(days=days))

    async def sync(self) -> None:
        """Everything a session does before it waits, and the import."""
        [summary] = await sync_once.run(self.address, lambda line: None)
        assert "error" not in summary, summary
        assert "skipped" not in summary, summary

    def calls(self, *names: str) -> Counter[str]:
        """How often each call of the API was made for this mailbox, or these alone."""
        seen = Counter(one.name for one in self.google.requests if one.address == self.address)
        return Counter({name: seen[name] for name in names}) if names else seen

    def read(self) -> tuple[int, int]:
        """How many headers and whole messages Postroom has fetched since this place was made."""
        now = counters.counts()
        headers, messages = (now.get(name, 0) - self._before.get(name, 0) for name in _FETCHED)
        return headers, messages

    @property
    def units(self) -> int:
        return self.google.units(self.address)

    def subjects(self) -> list[str]:
        """Of every message that is stored of the mailbox."""
        ids = Placement.objects.filter(mailbox_id=self.mailbox.pk).values_list("message_id", flat=True)
        return sorted(Message.objects.filter(pk__in=list(ids)).values_list("internet_message_id", flat=True))

    def places(self) -> set[tuple[str, str]]:
        """(label, Message-ID) of what sits where."""
        names = dict(Folder.objects.filter(mailbox=self.mailbox).values_list("pk", "remote_name"))
        ids = dict(Message.objects.values_list("pk", "internet_message_id"))
        rows = Placement.objects.filter(mailbox_id=self.mailbox.pk, removed_at=None)
        return {(names[row.folder_id], ids[row.message_id].removesuffix("@x>").removeprefix("<")) for row in rows}

    def reloaded(self) -> Mailbox:
        return Mailbox.objects.get(pk=self.mailbox.pk)


@contextmanager
def google_registered() -> Iterator[FakeGoogle]:
    """A fake Google that the engine takes for Google."""
    real = registry.PROVIDERS["gmail"]
    with FakeGoogle() as google:
        registry.PROVIDERS["gmail"] = GmailProvider(LOOPBACK, endpoints=google.endpoints, poll_seconds=0.2)
        try:
            yield google
        finally:
            registry.PROVIDERS["gmail"] = real
