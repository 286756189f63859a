"""Notes on a record."""

from __future__ import annotations

from uuid import UUID

from django.core.exceptions import ValidationError
from django.db import transaction

from postroom.records.access import find_record
from postroom.records.models import Note
from postroom.workspaces import events
from postroom.workspaces.members import Member

LONGEST_NOTE = 20_000  # characters


@transaction.atomic
def add_note(member: Member, record_type: int, record_id: UUID, text: str) -> Note:
    """Write a note on a record of the member's workspace. Raises ValidationError."""
    text = text.replace("\0", "").strip()
    if not text:
        raise ValidationError({"text": "Write something first."}, code="required")
    if len(text) > LONGEST_NOTE:
        raise ValidationError({"text": f"A note holds {LONGEST_NOTE:,} characters at most."}, code="too_long")
    if find_record(member, record_type, record_id) is None:
        raise ValidationError({"record": "There is no such record."}, code="not_found")
    note = Note.objects.create(
        workspace=member.workspace, record_type=record_type, record_id=record_id, text=text, author=member.user
    )
    events.notify(f"record:{record_id}")
    return note
