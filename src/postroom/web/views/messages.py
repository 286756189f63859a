"""/messages/<id>/frame/: what a mail says, for its frame."""

from __future__ import annotations

from uuid import UUID

from django.http import Http404, HttpResponse
from django.views.decorators.http import require_safe

from postroom.filing.access import find_message, may_read_content
from postroom.web import mail_frame
from postroom.web.rights import MemberRequest, signed_in


@signed_in
@require_safe
def frame(request: MemberRequest, message_id: UUID) -> HttpResponse:
    """The sanitised mail under its own policy. `?images=1` lets remote images in."""
    message = find_message(request.member, message_id)
    if message is None or not may_read_content(message):
        raise Http404
    return mail_frame.show(request, message, with_images=request.GET.get("images") == "1")
