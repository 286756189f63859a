"""Who is asking: a member of one workspace. Every access function takes one."""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID

from postroom.workspaces.models import Membership, Role, User, Workspace


@dataclass(frozen=True, slots=True)
class Member:
    """A signed-in user inside one workspace."""

    workspace: Workspace
    user: User
    membership: Membership

    @property
    def workspace_id(self) -> UUID:
        return self.workspace.pk

    @property
    def can_administer(self) -> bool:
        return self.membership.can_administer


def find_member(user: User) -> Member | None:
    """The user's (first) membership; None for somebody who belongs nowhere."""
    membership = (
        Membership.objects.select_related("workspace", "user")
        .filter(user=user, user__is_active=True, left_at=None)
        .order_by("pk")
        .first()
    )
    return Member(membership.workspace, membership.user, membership) if membership else None


def as_of_now(member: Member) -> Member | None:
    """The member with the role of this moment; None for one who has left. For the end of what took a while: a check
    takes seconds, a provider's sign-in page minutes."""
    memberships = Membership.objects.select_related("workspace", "user")
    now = memberships.filter(pk=member.membership.pk, user__is_active=True, left_at=None).first()
    return Member(now.workspace, now.user, now) if now else None


def administrators(workspace_id: UUID) -> list[User]:
    """Who may change the workspace's settings: its owners and admins, by name."""
    may = Membership.objects.filter(
        workspace_id=workspace_id, role__in=(Role.OWNER, Role.ADMIN), user__is_active=True, left_at=None
    ).select_related("user")
    return [membership.user for membership in may.order_by("user__name", "user__email")]
