"""The audit log: one line for every act somebody may later ask about."""

from __future__ import annotations

from postroom.workspaces.members import Member
from postroom.workspaces.models import AuditEntry, Workspace


def record(member: Member, action: str, subject: str = "") -> None:
    AuditEntry.objects.create(workspace=member.workspace, user=member.user, action=action, subject=subject[:300])


def record_of_operator(workspace: Workspace, action: str, subject: str = "") -> None:
    """What was done at the command line, where nobody is signed in."""
    AuditEntry.objects.create(workspace=workspace, user=None, action=action, subject=subject[:300])
