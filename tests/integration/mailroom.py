"""A workspace to which mail is delivered as sync does it: pages through PostgresStore and RecordFiler."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from uuid import UUID

from postroom.correspondence.models import Message
from postroom.correspondence.store import PostgresStore
from postroom.engine.store import NewHeader, NewMessage, Page, Saved
from postroom.filing.filer import RecordFiler
from postroom.filing.models import Filing
from postroom.mail.message import Address, ParsedAttachment, ParsedMessage
from postroom.mail.mime.identity import identity
from postroom.mail.threading import refs_of
from postroom.mailboxes.models import Keep, Kind, Mailbox, Sharing
from postroom.providers.base import RemoteFolder
from postroom.workspaces.members import Member
from tests.contract.store_contract import NOON, make_message

__all__ = ["NOON", "Mailroom", "filed", "header_of", "open_mailroom", "write"]


class Mailroom:
    """Delivers messages to mailboxes, a page each."""

    def __init__(self) -> None:
        self.store = PostgresStore(RecordFiler())
        self._remote_id = 0

    def connect(
        self, member: Member, address: str, *, kind: str = Kind.SHARED, keep: str = Keep.EVERYTHING, sharing: str = ""
    ) -> Mailbox:
        mailbox = Mailbox.objects.create(
            workspace=member.workspace,
            address=address,
            kind=kind,
            provider="memory",
            owner=member.user,
            keep=keep,
            sharing=sharing or Sharing.NOTHING,
        )
        self.store.save_folders(
            mailbox.pk, 0, [RemoteFolder("INBOX", "Inbox", "inbox"), RemoteFolder("Sent", "Sent", "sent")]
        )
        return mailbox

    def deliver(self, mailbox: Mailbox, *messages: NewMessage, is_live: bool = False, folder: str = "INBOX") -> Saved:
        return self.store.save_page(Page(mailbox.pk, 0, self._folder(mailbox, folder), messages, is_live=is_live))

    def deliver_headers_first(self, mailbox: Mailbox, *messages: NewMessage, folder: str = "INBOX") -> Saved:
        """As sync reads a mailbox that keeps only records' mail (sync/reading.py)."""
        headers = [header_of(message) for message in messages]
        wanted = self.store.choose_wanted(mailbox.pk, headers)
        whole = tuple(message for message in messages if message.remote_id in wanted)
        passed_over = tuple(header for header in headers if header.remote_id not in wanted)
        folder_id = self._folder(mailbox, folder)
        return self.store.save_page(Page(mailbox.pk, 0, folder_id, whole, passed_over=passed_over))

    def remove(self, mailbox: Mailbox, *remote_ids: str) -> None:
        self.store.save_page(Page(mailbox.pk, 0, self._folder(mailbox, "INBOX"), (), removed=remote_ids))

    def _folder(self, mailbox: Mailbox, remote_name: str) -> UUID:
        folders = self.store.load_mailbox(mailbox.pk).folders
        return next(folder.id for folder in folders if folder.remote_name == remote_name)


def header_of(message: NewMessage) -> NewHeader:
    """What a provider that lists headers tells of a message before it is fetched."""
    parsed = replace(message.parsed, text="", html="", attachments=())
    return NewHeader(message.remote_id, message.raw_size, message.received_at, message.flags, refs_of(parsed), parsed)


@contextmanager
def open_mailroom() -> Iterator[Mailroom]:
    room = Mailroom()
    try:
        yield room
    finally:
        room.store.close()


def write(
    subject: str,
    sender: str,
    to: str,
    *,
    answers: str = "",
    hours: float = 0,
    headers: dict[str, str] | None = None,
    attachments: tuple[ParsedAttachment, ...] = (),
) -> NewMessage:
    """A message; its Message-ID and remote id come from the subject."""
    parsed = ParsedMessage(
        internet_message_id=f"<{subject.lower()}@x.example>",
        references=(f"<{answers.lower()}@x.example>",) if answers else (),
        subject=subject,
        from_=(Address(sender),),
        to=(Address(to),),
        date=NOON,
        text=f"About {subject}",
        attachments=attachments,
        extra_headers=headers or {},
        raw_headers=f"From: {sender}\r\nMessage-ID: <{subject.lower()}@x.example>\r\n".encode()
        + (f"References: <{answers.lower()}@x.example>\r\n".encode() if answers else b""),
    )
    made = make_message(subject, subject, hours=hours)
    return NewMessage(subject, 100, identity(parsed, b""), made.received_at, (), parsed)


def filed(record_id: UUID) -> dict[str, str]:
    """What is on a record: reason by subject."""
    rows = Filing.objects.filter(record_id=record_id, removed_by_id=None)
    subjects = dict(Message.objects.values_list("pk", "subject"))
    return {subjects[row.message_id]: row.reason for row in rows}
