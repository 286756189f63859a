"""What a session found out about its mailbox, as the owner sees it: the three directions and the latest error."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

from django.utils import timezone
from procrastinate.contrib.django import app
from procrastinate.exceptions import AlreadyEnqueued

from postroom.mailboxes.credentials import load_credentials
from postroom.mailboxes.models import DirectionState, ImportSlice, Mailbox, as_facts, mailbox_topic
from postroom.mailboxes.sealing import Unsealable
from postroom.providers.base import Credentials
from postroom.providers.errors import NeedsReconnect, ProviderError
from postroom.workspaces import events
from postroom.workspaces.database import borrowed_connection


class MailboxHealth:
    """engine.health.Health on the ORM. Called from threads: each call leaves no stale connection behind."""

    @borrowed_connection()
    def credentials(self, mailbox_id: UUID) -> tuple[str, Credentials]:
        mailbox = Mailbox.objects.get(pk=mailbox_id)
        try:
            return mailbox.provider, load_credentials(mailbox)
        except Unsealable as error:
            raise NeedsReconnect("secret_unreadable") from error

    @borrowed_connection()
    def synced(self, mailbox_id: UUID, epoch: int) -> None:
        ok = DirectionState.OK
        mailbox = Mailbox.objects.filter(pk=mailbox_id, epoch=epoch)
        was_failing = mailbox.exclude(error_code="").exists()
        mailbox.update(
            last_synced_at=timezone.now(),
            sign_in_state=ok,
            receiving_state=ok,
            error_code="",
            error_facts={},
            error_words="",
            needs_reconnect=False,
        )
        if was_failing:
            events.notify(mailbox_topic(mailbox_id))

    @borrowed_connection()
    def failed(self, mailbox_id: UUID, epoch: int, error: ProviderError) -> None:
        is_refused = isinstance(error, NeedsReconnect)
        changed = {
            "receiving_state": DirectionState.FAILING,
            "error_code": error.code,
            "error_facts": as_facts(error.facts),
            "error_words": error.server_words[:2000],
            "error_at": timezone.now(),
            "needs_reconnect": is_refused,
        }
        if is_refused:
            changed["sign_in_state"] = DirectionState.FAILING
        Mailbox.objects.filter(pk=mailbox_id, epoch=epoch).update(**changed)
        events.notify(mailbox_topic(mailbox_id))

    @borrowed_connection()
    def planned(self, mailbox_id: UUID, slice_ids: Sequence[UUID]) -> None:
        for piece in ImportSlice.objects.filter(pk__in=slice_ids).only("position"):
            import_later(mailbox_id, piece)
        events.notify(mailbox_topic(mailbox_id))


def import_later(mailbox_id: UUID, piece: ImportSlice) -> None:
    """Queue a slice. The newest slice of every mailbox comes before an older one of any: one import never
    keeps another waiting. Two jobs for one slice do no harm, the queueing lock only saves the work."""
    task = app.configure_task(
        "import_slice", queue="import", priority=-piece.position, queueing_lock=f"slice {piece.pk}"
    )
    try:
        task.defer(slice_id=str(piece.pk))
    except AlreadyEnqueued:
        pass
