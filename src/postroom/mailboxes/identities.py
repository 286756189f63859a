"""The addresses that a mailbox may send as, as its provider tells them."""

from __future__ import annotations

from collections.abc import Sequence

from django.db import transaction

from postroom.mailboxes.models import Identity, Mailbox
from postroom.providers.base import RemoteIdentity


@transaction.atomic
def store_identities(mailbox: Mailbox, listed: Sequence[RemoteIdentity]) -> None:
    """Make the listed identities those that the provider tells now; what a member wrote stays as it is.

    The mailbox's own address is not listed, for it never goes: the provider fills what is empty there.
    """
    own = {one.address.lower(): one for one in Identity.objects.select_for_update().filter(mailbox=mailbox)}
    for one in listed:
        stored = own.get(one.address.lower())
        if stored is None:
            stored = Identity(workspace=mailbox.workspace, mailbox=mailbox, address=one.address)
        elif not stored.is_listed:
            stored.name = stored.name or one.name[:200]
            stored.reply_to, stored.signature = stored.reply_to or one.reply_to, stored.signature or one.signature
            stored.save()
            continue
        stored.name, stored.reply_to, stored.signature = one.name[:200], one.reply_to, one.signature
        stored.is_listed = True
        stored.save()
    told = {one.address.lower() for one in listed}
    Identity.objects.filter(pk__in=[one.pk for key, one in own.items() if one.is_listed and key not in told]).delete()
