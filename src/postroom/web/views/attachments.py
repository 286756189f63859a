"""/attachments/<id>/: files of mail. They are handed out to be saved, never to be shown as pages of ours."""

from __future__ import annotations

from typing import Any, Final
from uuid import UUID

from django.http import Http404, HttpResponseBase
from django.views.decorators.http import require_safe

from postroom.correspondence.models import Attachment, Message
from postroom.correspondence.reading import open_attachment
from postroom.correspondence.streamed_file import StreamedFile
from postroom.filing.access import find_message, may_read_content
from postroom.web.rights import MemberRequest, signed_in

# Drawn inside a mail; nothing that can hold a script (SVG).
INLINE_IMAGES: Final = frozenset({"image/png", "image/jpeg", "image/gif", "image/webp"})


@signed_in
@require_safe
def download(request: MemberRequest, attachment_id: UUID) -> HttpResponseBase:
    attachment = _find(request, attachment_id)
    name = attachment.filename or "attachment"
    return _file(attachment, as_attachment=True, filename=name, content_type="application/octet-stream")


@signed_in
@require_safe
def image(request: MemberRequest, attachment_id: UUID) -> HttpResponseBase:
    """An inline image of a mail, for its frame."""
    attachment = _find(request, attachment_id)
    if attachment.content_type not in INLINE_IMAGES:
        raise Http404
    return _file(attachment, content_type=attachment.content_type)


def _find(request: MemberRequest, attachment_id: UUID) -> Attachment:
    attachment = Attachment.objects.filter(workspace_id=request.member.workspace_id, pk=attachment_id).first()
    message: Message | None = find_message(request.member, attachment.message_id) if attachment else None
    if attachment is None or message is None or not may_read_content(message):
        raise Http404
    return attachment


def _file(attachment: Attachment, **how: Any) -> HttpResponseBase:
    try:
        content = open_attachment(attachment)
    except FileNotFoundError:
        raise Http404("The file of this attachment is missing on the server's disk.") from None
    response = StreamedFile(content, **how)
    response._csp_exempt = True  # type: ignore[attr-defined]
    response["Content-Security-Policy"] = "default-src 'none'; sandbox"
    response["X-Content-Type-Options"] = "nosniff"
    response["Cache-Control"] = "private, no-store"
    return response
