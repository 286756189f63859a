"""What was allowed at a provider's sign-in page, as the API tells it."""

from __future__ import annotations

from datetime import datetime

from ninja import Schema

from postroom.mailboxes.models import Grant, Mailbox
from postroom.providers import registry


class Permission(Schema):
    """What was allowed at the sign-in page of `provider`, which is not the mailbox's own where it is read by IMAP.

    `missing` are scopes that were not given; what needs them is off. It ends at `ends_at` where that is known.
    """

    provider: str
    signed_in_as: str
    missing: list[str]
    ends_at: datetime | None


def permission_of(mailbox: Mailbox) -> Permission | None:
    """What was allowed at a provider's sign-in page; None for a mailbox that a password opens."""
    grant = Grant.objects.filter(mailbox=mailbox).exclude(app="").defer("sealed").first()
    oauth = registry.PROVIDERS[grant.app].oauth if grant and grant.app in registry.PROVIDERS else None
    if grant is None or oauth is None:
        return None
    signed_in_as = grant.sign_in_user or mailbox.address
    is_shared = signed_in_as.lower() != mailbox.address.lower()
    missing = oauth.missing("api" if mailbox.provider == grant.app else "servers", grant.scope, is_shared=is_shared)
    return Permission(
        provider=grant.app,
        signed_in_as=signed_in_as,
        missing=sorted({scope.name for scope in missing}),
        ends_at=grant.dies_at,
    )
