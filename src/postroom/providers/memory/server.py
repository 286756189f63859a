"""The memory server: mailboxes by address, delivery between them, people who answer, and faults on demand."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.message import EmailMessage
from email.parser import BytesHeaderParser
from email.policy import SMTP, compat32
from email.utils import formataddr, formatdate, make_msgid
from pathlib import Path

from postroom.providers.base import Credentials
from postroom.providers.memory.disk import DiskShelf, read_people
from postroom.providers.memory.shelf import DueMail, ProcessShelf, Shelf


@dataclass(slots=True)
class Faults:
    """What shall go wrong. Each stays on until it is switched off, but for the counters."""

    refuse_sign_in: bool = False
    unreachable: bool = False
    drop_after_fetched: int | None = None  # so many messages come, then the connection is lost, once
    expire_cursors: bool = False
    refuse_send: str = ""  # words of a final refusal
    throttle_send: bool = False
    in_doubt_after_accept: bool = False  # the message is delivered, the answer is lost
    in_doubt_before_accept: bool = False  # neither
    refuse_recipients: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody outside who answers mail after a while, with one text after the other."""

    name: str
    address: str
    replies: tuple[str, ...]
    after_seconds: float = 5.0


@dataclass(slots=True)
class MemoryServer:
    """Mailboxes that reach one another. On disk when `folder` was given, else in this process."""

    shelf: Shelf = field(default_factory=ProcessShelf)
    faults: Faults = field(default_factory=Faults)
    people: dict[str, Person] = field(default_factory=dict)
    files_sent_itself: bool = True
    poll_seconds: float = 0.02
    passwords: dict[str, str] = field(default_factory=dict)

    @classmethod
    def on_disk(cls, folder: Path) -> MemoryServer:
        """A server that several processes share: its mail and its people lie in `folder`."""
        people = {one["address"]: Person(**one) for one in read_people(folder)}
        return cls(shelf=DiskShelf(folder), people=people, poll_seconds=0.3)

    def deliver(
        self,
        address: str,
        raw: bytes,
        *,
        folder: str = "INBOX",
        flags: Sequence[str] = (),
        received_at: datetime | None = None,
    ) -> str:
        """Put a message into a mailbox; return its remote id."""
        with self.shelf.changing(address.lower(), folder) as kept:
            message = kept.add(raw, received_at or datetime.now(UTC), tuple(flags))
            return f"{kept.uid_validity}.{message.uid}"

    def set_flags(self, address: str, folder: str, remote_id: str, flags: Sequence[str]) -> None:
        with self.shelf.changing(address.lower(), folder) as kept:
            kept.set_flags(int(remote_id.partition(".")[2]), tuple(flags))

    def remove(self, address: str, folder: str, remote_id: str) -> None:
        with self.shelf.changing(address.lower(), folder) as kept:
            kept.remove(int(remote_id.partition(".")[2]))

    def renumber(self, address: str, folder: str, uid_validity: int | None = None) -> None:
        with self.shelf.changing(address.lower(), folder) as kept:
            kept.renumber(uid_validity)

    def make_folder(self, address: str, folder: str) -> None:
        with self.shelf.changing(address.lower(), folder):
            """It is made by being opened."""

    def rename_folder(self, address: str, folder: str, new_name: str) -> None:
        self.shelf.rename_folder(address.lower(), folder, new_name)

    def remove_folder(self, address: str, folder: str) -> None:
        self.shelf.remove_folder(address.lower(), folder)

    def route(self, sender: str, recipients: Sequence[str], mime: bytes) -> None:
        """Deliver what was sent: to mailboxes that exist, to people who will answer, nowhere else."""
        known = set(self.shelf.addresses())
        for recipient in dict.fromkeys(address.lower() for address in recipients):
            if recipient in self.people:
                self._answer_later(self.people[recipient], sender, mime)
            elif recipient in known:
                self.deliver(recipient, mime)
        if self.files_sent_itself:
            self.deliver(sender, mime, folder="Sent", flags=("\\Seen",))

    def pump(self) -> None:
        """Deliver what has become due."""
        for mail in self.shelf.take_due(time.time()):
            self.deliver(mail.address, mail.raw)

    def _answer_later(self, person: Person, to: str, mime: bytes) -> None:
        if not person.replies:
            return
        asked = BytesHeaderParser(policy=compat32).parsebytes(mime)
        references = str(asked.get("References", "")).split()
        asked_id = str(asked.get("Message-ID", "")).strip()
        text = person.replies[len(references) // 2 % len(person.replies)]
        subject = str(asked.get("Subject", ""))
        reply = EmailMessage(policy=SMTP)
        reply["From"] = formataddr((person.name, person.address))
        reply["To"] = to
        reply["Subject"] = subject if subject.lower().startswith("re:") else f"Re: {subject}"
        reply["Date"] = formatdate()
        reply["Message-ID"] = make_msgid(domain=person.address.partition("@")[2])
        if asked_id:
            reply["In-Reply-To"] = asked_id
            reply["References"] = " ".join([*references, asked_id])
        reply.set_content(text)
        self.shelf.put_due(DueMail(time.time() + person.after_seconds, to.lower(), reply.as_bytes()))


SERVERS: dict[str, MemoryServer] = {}
"""By name within this process, or by folder."""


def server_for(credentials: Credentials) -> MemoryServer:
    """The server that credentials.secrets names: {"folder": path} on disk, else {"server": name}, "main" if none."""
    if folder := credentials.secrets.get("folder"):
        key = str(Path(str(folder)).resolve())
        if key not in SERVERS:
            SERVERS[key] = MemoryServer.on_disk(Path(key))
        return SERVERS[key]
    return SERVERS.setdefault(str(credentials.secrets.get("server", "main")), MemoryServer())
