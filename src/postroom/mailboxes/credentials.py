"""What opens a mailbox, sealed in its Grant."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from postroom.mailboxes.allowance import Use, allowance_of
from postroom.mailboxes.models import Grant, Mailbox
from postroom.mailboxes.sealing import seal_secrets, unseal_secrets
from postroom.mailboxes.tokens import GrantTokens
from postroom.providers.base import Credentials


@dataclass(frozen=True, slots=True)
class Granted:
    """A permission by OAuth, without its secrets. `app` is the provider whose registration it came by."""

    app: str
    subject: str
    scope: str
    expires_at: datetime
    dies_at: datetime | None = None


def store_credentials(
    mailbox: Mailbox, secrets: dict[str, Any], *, sign_in_user: str, granted: Granted | None = None
) -> None:
    """Seal what opens the mailbox from now on; whatever was known about the grant before is forgotten."""
    Grant.objects.update_or_create(
        mailbox=mailbox,
        defaults={
            "workspace_id": mailbox.workspace_id,
            "sealed": seal_secrets(secrets, mailbox.pk, mailbox.workspace_id),
            "sign_in_user": sign_in_user,
            "app": granted.app if granted else "",
            "subject": granted.subject if granted else "",
            "scope": granted.scope if granted else "",
            "expires_at": granted.expires_at if granted else None,
            "dies_at": granted.dies_at if granted else None,
            "refreshed_at": None,
            "refused_code": "",
            "refused_at": None,
            "warned_at": None,
            "warned_days": None,
        },
    )


def load_credentials(mailbox: Mailbox, use: Use = "session") -> Credentials:
    """The unsealed credentials, with the allowance for that use; raise sealing.Unsealable or Grant.DoesNotExist."""
    grant = Grant.objects.get(mailbox=mailbox)
    secrets = unseal_secrets(bytes(grant.sealed), mailbox.pk, mailbox.workspace_id)
    return Credentials(
        address=mailbox.address,
        secrets=secrets,
        tokens=GrantTokens.of(grant, secrets) if grant.app else None,
        sign_in_user=grant.sign_in_user,
        allowance=allowance_of(mailbox, use),
        is_for_import=use == "import",
    )
