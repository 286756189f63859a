"""Members come and go here."""

from __future__ import annotations

from django.contrib.auth.password_validation import validate_password
from django.core.exceptions import ValidationError
from django.core.validators import validate_email
from django.db import transaction

from postroom.workspaces import audit
from postroom.workspaces.members import Member
from postroom.workspaces.models import Membership, Role, User, Workspace


class NotAllowed(Exception):
    """The member may not do this."""


@transaction.atomic
def create_user(by: Member | None, workspace: Workspace, email: str, *, name: str, role: str, password: str) -> Member:
    """Add a person to a workspace. Raises ValidationError (bad address, weak password, already a user)."""
    if by is not None and not by.can_administer:
        raise NotAllowed("Only owners and admins add members.")
    if by is not None and role == Role.OWNER and by.membership.role != Role.OWNER:
        raise ValidationError({"role": "Only an owner makes another owner."})
    member = _create(by, workspace, email, name=name, role=role, password=password)
    if by is None:
        audit.record_of_operator(workspace, "member.added", member.user.email)
    else:
        audit.record(by, "member.added", member.user.email)
    return member


@transaction.atomic
def create_first_owner(workspace: Workspace, email: str, *, name: str, password: str) -> Member:
    """Add who makes the workspace. Raises ValidationError as `create_user`."""
    member = _create(None, workspace, email, name=name, role=Role.OWNER, password=password)
    audit.record(member, "workspace.created", workspace.name)
    return member


def _create(by: Member | None, workspace: Workspace, email: str, *, name: str, role: str, password: str) -> Member:
    if role not in Role.values:
        raise ValidationError({"role": "Choose owner, admin or member."})
    email = email.strip().lower()
    validate_email(email)
    user = User.objects.filter(email=email).first()
    left = Membership.objects.filter(workspace=workspace, user=user).exclude(left_at=None).first() if user else None
    if user is not None and (left is None or user.is_active):
        raise ValidationError({"email": f"There is already a member with the address {email}."})
    if left is not None and left.role == Role.OWNER and by is not None and by.membership.role != Role.OWNER:
        raise ValidationError({"email": "Only an owner takes a former owner back."})
    user = user or User(email=email)
    user.name, user.is_active = name.strip(), True
    validate_password(password, user)
    user.set_password(password)
    user.save()
    membership = left or Membership(workspace=workspace, user=user)  # who left and comes back is the same person
    membership.role, membership.left_at = role, None
    membership.save()
    return Member(workspace, user, membership)
