"""Rows of mail for the page tests and the screenshots: written directly, no server and no import stands behind them."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID

from django.core.files.base import ContentFile
from django.core.files.storage import storages

from postroom.correspondence.attachment_files import STORAGE, name_of
from postroom.correspondence.blobs import pack
from postroom.correspondence.models import Attachment, Body, Direction, Message, Participant, Placement, Thread
from postroom.mail.address import address_key
from postroom.mail.mime.identity import reference_key
from postroom.mailboxes.models import Folder, Mailbox
from postroom.workspaces.ids import new_id


@dataclass(frozen=True, slots=True)
class Letter:
    """One message to put into a mailbox. `sender` and `to` are (name, address); `files` are (name, type, octets)."""

    at: datetime
    sender: tuple[str, str]
    to: Sequence[tuple[str, str]]
    subject: str
    text: str = ""
    html: str = ""
    thread: str = ""  # letters with the same name share a thread
    files: Sequence[tuple[str, str, bytes]] = field(default_factory=tuple)
    content_id: str = ""  # of the first file, which is then inline


def put(mailbox: Mailbox, letter: Letter) -> Message:
    """Store the letter as one message with one placement in the mailbox."""
    folder, _ = Folder.objects.get_or_create(
        mailbox=mailbox,
        remote_name="INBOX",
        defaults={"workspace": mailbox.workspace, "name": "Inbox", "role": "inbox"},
    )
    thread_id = _thread(mailbox, letter)
    internet_message_id = f"<{new_id()}@sample.example>"
    is_ours = address_key(letter.sender[1]) == address_key(mailbox.address)
    message = Message.objects.create(
        workspace_id=mailbox.workspace_id,
        thread_id=thread_id,
        identity=new_id(),
        ref=reference_key(internet_message_id),
        internet_message_id=internet_message_id,
        direction=Direction.OUT if is_ours else Direction.IN,
        at=letter.at,
        date=letter.at,
        from_name=letter.sender[0],
        from_address=letter.sender[1],
        subject=letter.subject,
        snippet=" ".join(letter.text.split())[:200],
        size=len(letter.text) + 800,
        attachment_count=sum(1 for _ in letter.files) - bool(letter.content_id),
        is_readable=True,
    )
    Body.objects.create(
        message_id=message.pk, workspace_id=mailbox.workspace_id, content=pack(letter.text, letter.html, b"")
    )
    Placement.objects.create(
        workspace_id=mailbox.workspace_id,
        mailbox_id=mailbox.pk,
        folder_id=folder.pk,
        message_id=message.pk,
        remote_id=str(message.pk),
        flags=[],
    )
    people = [("from", letter.sender), *(("to", person) for person in letter.to)]
    for position, (role, (name, address)) in enumerate(people):
        Participant.objects.create(
            workspace_id=mailbox.workspace_id,
            message_id=message.pk,
            role=role,
            position=position,
            name=name,
            address=address,
            key=address_key(address),
        )
    for position, file in enumerate(letter.files):
        _attach(message, position, *file, content_id=letter.content_id if position == 0 else "")
    return message


def _thread(mailbox: Mailbox, letter: Letter) -> UUID:
    name = letter.thread or str(new_id())
    thread_id = UUID(bytes=hashlib.blake2b(f"{mailbox.workspace_id} {name}".encode(), digest_size=16).digest())
    Thread.objects.get_or_create(
        pk=thread_id,
        defaults={"workspace_id": mailbox.workspace_id, "subject": letter.subject, "created_at": letter.at},
    )
    return thread_id


def _attach(
    message: Message, position: int, filename: str, content_type: str, content: bytes, *, content_id: str
) -> None:
    digest = hashlib.sha256(content).digest()
    if not storages[STORAGE].exists(name_of(digest)):
        storages[STORAGE].save(name_of(digest), ContentFile(content))
    Attachment.objects.create(
        workspace_id=message.workspace_id,
        message_id=message.pk,
        position=position,
        filename=filename,
        content_type=content_type,
        size=len(content),
        sha256=digest,
        content_id=content_id,
        is_inline=bool(content_id),
    )
