"""Reading what a message holds. Who may read it is decided before, in filing/access.py."""

from __future__ import annotations

from typing import IO, Any

from postroom.correspondence import attachment_files
from postroom.correspondence.blobs import BodyContent, unpack
from postroom.correspondence.models import Attachment, Body, Message


def load_body(message: Message) -> BodyContent:
    """Text, HTML and headers of a message; empty when its body is not there. Raises DamagedBlob."""
    content = Body.objects.filter(pk=message.pk).values_list("content", flat=True).first()
    return BodyContent("", "", b"") if content is None else unpack(content)


def attachments_of(message: Message) -> list[Attachment]:
    return list(Attachment.objects.filter(message_id=message.pk).order_by("position"))


def open_attachment(attachment: Attachment) -> IO[Any]:
    """The attachment's octets as an open binary file. Raises FileNotFoundError when the storage has lost them."""
    return attachment_files.open_content(bytes(attachment.sha256))
