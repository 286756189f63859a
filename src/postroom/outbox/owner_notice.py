"""Tells the owner of a mailbox that has failed for a day, by mail from another mailbox of the workspace; once.

Who is told is claimed in the transaction that queues the letter, so two workers tell nobody twice, and one that dies
in between has told nobody. A mailbox that works again forgets that its owner was told (mailboxes/health.py). Where the
workspace has no other mailbox that works, the notice on every page is all there is (web/failing.py).
"""

from __future__ import annotations

import logging
from uuid import UUID

from django.conf import settings
from django.db import connection, transaction
from django.db.models import F, QuerySet

from postroom.mail.message import Address
from postroom.mailboxes.models import DirectionState, Kind, Mailbox
from postroom.outbox.composition import Composition, SubmitRefused
from postroom.outbox.sender import Choice
from postroom.outbox.submit import submit_notice

log = logging.getLogger(__name__)

MOST_AT_ONCE = 50
_UNTOLD = """disconnected_at IS NULL AND paused_at IS NULL AND failing_since < now() - interval '1 day'
 AND coalesce(owner_told_at < failing_since, true)
 AND NOT EXISTS (SELECT 1 FROM mailboxes_grant g JOIN mailboxes_oauthapp a USING (workspace_id)
  WHERE g.mailbox_id = mailboxes_mailbox.id AND a.provider = g.app AND a.error_code <> '')"""  # app_notice.py tells


def tell_owners() -> int:
    """Write to the owners who were not told yet; return how many that are."""
    told = 0
    for mailbox_id in _untold():
        with transaction.atomic():
            if _claim(mailbox_id):
                told += _write(Mailbox.objects.select_related("owner").get(pk=mailbox_id))
    return told


def _untold() -> list[UUID]:
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT id FROM mailboxes_mailbox WHERE {_UNTOLD} LIMIT {MOST_AT_ONCE}")  # noqa: S608
        return [mailbox_id for (mailbox_id,) in cursor.fetchall()]


def _claim(mailbox_id: UUID) -> bool:
    """Whether it is ours to tell. Whoever comes second waits for our transaction and then finds it told."""
    with connection.cursor() as cursor:
        cursor.execute(
            f"UPDATE mailboxes_mailbox SET owner_told_at = now() WHERE id = %s AND {_UNTOLD} RETURNING 1",  # noqa: S608
            [mailbox_id],
        )
        return cursor.fetchone() is not None


def _write(failing: Mailbox) -> bool:
    sender = _senders(failing).first()
    if sender is None or not failing.owner.is_active:
        log.warning("the owner of a failing mailbox cannot be written to", extra={"mailbox_id": failing.pk})
        return False
    choice = Choice(sender.pk, sender.address, "Postroom", "It works, and the failing mailbox cannot tell by itself.")
    try:
        with transaction.atomic():
            submit_notice(sender, choice, letter(failing))
    except SubmitRefused as error:
        log.warning(
            "the letter about a failing mailbox was refused", extra={"mailbox_id": failing.pk, "code": error.code}
        )
        return False
    return True


def _senders(failing: Mailbox) -> QuerySet[Mailbox]:
    """Shared mailboxes that work, best first: the one that sent last."""
    return (
        Mailbox.objects.filter(
            workspace_id=failing.workspace_id,
            kind=Kind.SHARED,
            disconnected_at=None,
            paused_at=None,
            error_code="",
            needs_reconnect=False,
        )
        .exclude(pk=failing.pk)
        .exclude(sending_state=DirectionState.FAILING)
        .order_by(F("last_sent_at").desc(nulls_last=True), "created_at")
    )


def letter(failing: Mailbox) -> Composition:
    """The letter to the owner, in the catalogue's words."""
    entry, since = failing.error, failing.failing_since
    lines = [f"Hello {failing.owner.name}," if failing.owner.name else "Hello,", ""]
    lines.append(f"Postroom has not been able to read the mailbox {failing.address}")
    lines.append(f"since {since:%d %B %Y, %H:%M} UTC." if since else "for a day.")
    if entry is not None:
        lines += ["", entry.what]
        lines += (
            ["", "What to do:", *(f"{number}. {step}" for number, step in enumerate(entry.fix, 1))] if entry.fix else []
        )
    lines += ["", f"See the mailbox: {settings.BASE_URL}/settings/mailboxes/{failing.pk}/", ""]
    lines.append("Nothing is lost: mail stays in the mailbox and is fetched as soon as it can be read again.")
    lines.append("Postroom goes on trying, and writes to you about this once.")
    return Composition(
        to=(Address(failing.owner.email, failing.owner.name),),
        subject=f"Postroom cannot read {failing.address}",
        text="\n".join(lines) + "\n",
    )
