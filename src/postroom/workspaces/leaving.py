"""A member leaves the workspace: nobody signs in with that name any more, by page or by token.

History goes on naming the member.
"""

from __future__ import annotations

from django.db import transaction
from django.utils import timezone

from postroom.workspaces import audit
from postroom.workspaces.members import Member, as_of_now
from postroom.workspaces.models import ApiToken, ApprovalRequest, Membership, Role
from postroom.workspaces.people import NotAllowed


def require_may_leave(by: Member, leaver: Membership) -> None:
    """Raises NotAllowed, with the reason in words."""
    now = as_of_now(by)  # of two who take each other off one stays
    if now is None or not now.can_administer or by.workspace_id != leaver.workspace_id or leaver.left_at is not None:
        raise NotAllowed("Only owners and admins take somebody off the workspace.")
    if leaver.pk == by.membership.pk:
        raise NotAllowed("You cannot take yourself off. Ask another owner or admin.")
    if leaver.role == Role.OWNER and now.membership.role != Role.OWNER:
        raise NotAllowed("Only an owner takes another owner off.")


@transaction.atomic
def end_membership(by: Member, leaver: Membership) -> None:
    """End it, with its sessions, tokens and open requests. Raises NotAllowed.

    What belongs to the member is not touched: outbox/offboarding.py hands it over first.
    """
    require_may_leave(by, leaver)
    leaver.left_at, leaver.default_mailbox_id = timezone.now(), None
    leaver.save(update_fields=["left_at", "default_mailbox_id"])
    ApiToken.objects.filter(membership=leaver).delete()
    open_ones = (ApprovalRequest.State.ASKED, ApprovalRequest.State.GRANTED)  # what was granted was granted to a member
    asked = ApprovalRequest.objects.filter(workspace=leaver.workspace, user=leaver.user, used_at=None)
    asked.filter(state__in=open_ones).update(state=ApprovalRequest.State.WITHDRAWN)
    user = leaver.user
    if not Membership.objects.filter(user=user, left_at=None).exists():
        user.is_active = False
        user.set_unusable_password()  # sessions carry a hash of it: all of them end
        user.save(update_fields=["is_active", "password"])
    audit.record(by, "member.left", user.email)
