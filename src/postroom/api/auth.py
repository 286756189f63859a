"""Who is asking: a bearer token stands for one member (RFC 6750 section 2.1)."""

from __future__ import annotations

from datetime import timedelta
from typing import Final

from django.db.models import Q
from django.http import HttpRequest
from django.utils import timezone
from ninja.security import HttpBearer

from postroom.workspaces.members import Member
from postroom.workspaces.models import ApiToken

USE_NOTED_EVERY: Final = timedelta(minutes=1)  # a write a request would cost more than the answer


class ApiRequest(HttpRequest):
    """A request that came with a good token, as views get it."""

    auth: Member


class TokenAuth(HttpBearer):
    """Gives the member of a token; None (401) for every other."""

    def authenticate(self, request: HttpRequest, token: str) -> Member | None:
        return find_member_of(token)


def find_member_of(secret: str) -> Member | None:
    """The member whose token this is, while the user is active. Only the digest is compared, in the database."""
    if not secret.startswith(ApiToken.PREFIX):
        return None
    token = (
        ApiToken.objects.select_related("membership__workspace", "membership__user")
        .filter(digest=ApiToken.digest_of(secret.strip()), membership__user__is_active=True, membership__left_at=None)
        .first()
    )
    if token is None:
        return None
    _note_use(token)
    membership = token.membership
    return Member(membership.workspace, membership.user, membership)


def _note_use(token: ApiToken) -> None:
    now = timezone.now()
    if token.last_used_at is None or token.last_used_at < now - USE_NOTED_EVERY:
        long_ago = Q(last_used_at=None) | Q(last_used_at__lt=now - USE_NOTED_EVERY)
        ApiToken.objects.filter(long_ago, pk=token.pk).update(last_used_at=now)
