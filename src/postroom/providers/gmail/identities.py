"""The addresses a Gmail mailbox may send as (settings.sendAs.list)."""

from __future__ import annotations

from collections.abc import Sequence

from postroom.providers.base import RemoteIdentity
from postroom.providers.gmail import units
from postroom.providers.gmail.requests import ME, Api


async def list_identities(api: Api) -> Sequence[RemoteIdentity]:
    """Its own address, and the aliases whose owner has confirmed them: Gmail replaces any other From."""
    told = await api.call("GET", f"{ME}/settings/sendAs", units=units.SEND_AS_LIST)
    return [
        RemoteIdentity(
            address=str(row.get("sendAsEmail", "")),
            name=str(row.get("displayName") or ""),
            reply_to=str(row.get("replyToAddress") or ""),
            signature=str(row.get("signature") or ""),
            is_default=row.get("isDefault") is True,
        )
        for row in told.get("sendAs") or ()
        if isinstance(row, dict)
        and row.get("sendAsEmail")
        and (row.get("isPrimary") is True or row.get("verificationStatus") == "accepted")
    ]
