"""The only way to get submissions: those of mailboxes the member may read (DESIGN.md 8)."""

from __future__ import annotations

from uuid import UUID

from django.db.models import Q, QuerySet

from postroom.mailboxes.access import readable_mailbox_ids, sendable_mailboxes
from postroom.outbox.models import Submission
from postroom.workspaces.members import Member


def visible_submissions(member: Member) -> QuerySet[Submission]:
    """Submissions of the workspace that left, or will leave, from a mailbox the member may read, or that he wrote."""
    allowed = Q(mailbox_id__in=readable_mailbox_ids(member)) | Q(author=member.user)
    return Submission.objects.filter(allowed, workspace=member.workspace).select_related("mailbox", "author")


def find_submission(member: Member, submission_id: UUID) -> Submission | None:
    return visible_submissions(member).filter(pk=submission_id).first()


def may_decide(member: Member, submission: Submission) -> bool:
    """Whether the member may cancel it or say how it ended: its author, or who may send through its mailbox."""
    if submission.workspace_id != member.workspace_id:
        return False
    if submission.author_id == member.user.pk:
        return True
    return sendable_mailboxes(member).filter(pk=submission.mailbox_id).exists()
