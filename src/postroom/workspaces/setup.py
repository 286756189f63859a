"""The first start: a workspace and its owner, behind a link that works once.

The link's code is derived from the secret key, so nothing has to be stored, and it is void as soon as a
workspace exists.
"""

from __future__ import annotations

import hmac

from django.conf import settings
from django.core.exceptions import ValidationError
from django.db import connection, transaction
from django.utils.crypto import salted_hmac

from postroom.workspaces.members import Member
from postroom.workspaces.models import Workspace
from postroom.workspaces.people import create_first_owner

_LOCK = 0x706F7374  # one set-up at a time


def is_open() -> bool:
    """Whether nobody has set Postroom up yet."""
    return not Workspace.objects.exists()


def code() -> str:
    return salted_hmac("postroom.setup", "one workspace", secret=settings.SECRET_KEY).hexdigest()[:32]


def code_matches(typed: str) -> bool:
    return is_open() and hmac.compare_digest(typed.encode(), code().encode())


def setup_link(base_url: str) -> str | None:
    """The address that makes the first workspace; None once there is one."""
    return f"{base_url.rstrip('/')}/setup/{code()}/" if is_open() else None


@transaction.atomic
def create_workspace(name: str, email: str, user_name: str, password: str) -> Member:
    """Make the workspace and its owner. Raises ValidationError for what was typed wrong, or when there is one."""
    if not name.strip():
        raise ValidationError({"name": "Give the workspace a name, usually the company's."})
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(%s)", [_LOCK])
    if not is_open():  # somebody else was faster
        raise ValidationError("Postroom is set up already. Sign in, or ask its owner for an account.")
    workspace = Workspace.objects.create(name=name.strip())
    return create_first_owner(workspace, email, name=user_name, password=password)
