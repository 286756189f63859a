"""A message that did not leave, taken back into the composer: what its frozen bytes and its row still say."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final
from uuid import UUID

from django.core.exceptions import PermissionDenied
from django.http import Http404

from postroom.mail.message import Address, ParsedAttachment
from postroom.mail.mime.parsing import parse
from postroom.outbox.access import find_submission, may_decide
from postroom.outbox.models import State, Submission
from postroom.workspaces.members import Member

ENDED_UNSENT: Final = (State.CANCELLED, State.FAILED)


@dataclass(frozen=True, slots=True)
class Unsent:
    """A submission that ended without being sent. `text` and `html` are as they were written, "" when absent."""

    submission: Submission
    text: str
    html: str
    attachments: tuple[ParsedAttachment, ...]

    @classmethod
    def find(cls, member: Member, submission_id: UUID) -> Unsent:
        """Http404 for one the member may not see or that may have left; PermissionDenied when it is not his to send.

        Bcc and text of a colleague's message are shown to nobody who may not send from its mailbox.
        """
        submission = find_submission(member, submission_id)
        if submission is None or submission.state not in ENDED_UNSENT:
            raise Http404
        if not may_decide(member, submission):
            raise PermissionDenied("Only its author and who may send from its mailbox write this message again.")
        parsed = parse(bytes(submission.mime))
        in_memory = tuple(one for one in parsed.attachments if isinstance(one, ParsedAttachment))  # as the MIME was
        return cls(submission, parsed.text, parsed.html, in_memory)

    @property
    def to(self) -> list[Address]:
        return _addresses(self.submission.to)

    @property
    def cc(self) -> list[Address]:
        return _addresses(self.submission.cc)

    @property
    def bcc(self) -> list[Address]:
        return _addresses(self.submission.bcc)

    @property
    def files(self) -> list[tuple[str, str]]:
        """The attachments as choices of a form: position and name."""
        return [(str(position), file.filename or "Unnamed file") for position, file in enumerate(self.attachments)]


def _addresses(rows: list[dict[str, str]]) -> list[Address]:
    return [Address(row["address"], row["name"]) for row in rows]
