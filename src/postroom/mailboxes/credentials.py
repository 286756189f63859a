"""What opens a mailbox, sealed in its Grant."""

from __future__ import annotations

import json
from typing import Any

from postroom.mailboxes import sealing
from postroom.mailboxes.models import Grant, Mailbox
from postroom.providers.base import Credentials

_PLACE = {"table": "mailboxes_grant", "column": "sealed"}


def store_credentials(mailbox: Mailbox, secrets: dict[str, Any], *, sign_in_user: str) -> None:
    plain = json.dumps(secrets).encode()
    sealed = sealing.seal(plain, row_id=mailbox.pk, workspace_id=mailbox.workspace_id, **_PLACE)
    Grant.objects.update_or_create(
        mailbox=mailbox,
        defaults={"workspace_id": mailbox.workspace_id, "sealed": sealed, "sign_in_user": sign_in_user},
    )


def load_credentials(mailbox: Mailbox) -> Credentials:
    """The unsealed credentials; raise sealing.Unsealable or Grant.DoesNotExist."""
    grant = Grant.objects.get(mailbox=mailbox)
    plain = sealing.unseal(bytes(grant.sealed), row_id=mailbox.pk, workspace_id=mailbox.workspace_id, **_PLACE)
    return Credentials(address=mailbox.address, secrets=json.loads(plain))
