"""The audit log: one line for every act somebody may later ask about."""

from __future__ import annotations

from postroom.workspaces.members import Member
from postroom.workspaces.models import AuditEntry


def record(member: Member, action: str, subject: str = "") -> None:
    AuditEntry.objects.create(workspace=member.workspace, user=member.user, action=action, subject=subject[:300])
