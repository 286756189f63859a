"""What a session found out about its mailbox, as the owner sees it: the three directions and the latest error."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import Any
from uuid import UUID

from django.db import connection
from django.db.models import Exists, F, OuterRef, Q
from django.db.models.functions import Coalesce, Now
from django.utils import timezone

from postroom.engine.store import Fenced
from postroom.mailboxes.allowance import Use, rest_untold
from postroom.mailboxes.credentials import load_credentials
from postroom.mailboxes.identities import store_identities
from postroom.mailboxes.imports import BROKEN, broken_slices, import_later, import_next, is_one_at_a_time
from postroom.mailboxes.models import DirectionState, Grant, ImportSlice, Mailbox, as_facts, mailbox_topic
from postroom.mailboxes.oauth_apps import is_of_registration
from postroom.mailboxes.sealing import Unsealable
from postroom.providers.base import Credentials, RemoteIdentity
from postroom.providers.errors import NeedsAdministrator, NeedsReconnect, ProviderError, Throttled
from postroom.workspaces import events
from postroom.workspaces.database import borrowed_connection


class MailboxHealth:
    """engine.health.Health on the ORM. Called from threads: each call leaves no stale connection behind.

    `use` is what credentials are used for: an import leaves room in the mailbox's allowance.
    """

    def __init__(self, use: Use = "session") -> None:
        self._use: Use = use

    @borrowed_connection()
    def credentials(self, mailbox_id: UUID) -> tuple[str, Credentials]:
        """Raises Fenced when the mailbox is gone, NeedsReconnect when there is nothing to open it with."""
        mailbox = Mailbox.objects.filter(pk=mailbox_id, disconnected_at=None).first()
        if mailbox is None:
            raise Fenced
        try:
            return mailbox.provider, load_credentials(mailbox, self._use)
        except (Unsealable, Grant.DoesNotExist) as error:
            raise NeedsReconnect("secret_unreadable") from error

    @borrowed_connection()
    def synced(self, mailbox_id: UUID, epoch: int) -> None:
        ok = DirectionState.OK
        mailbox = Mailbox.objects.filter(pk=mailbox_id, epoch=epoch)
        # An error of another direction, or of a part of the import, is not over because folders could be read.
        of_sending = Q(receiving_state=ok, sending_state=DirectionState.FAILING)
        of_import = Q(Exists(broken_slices().filter(mailbox=OuterRef("pk"))), error_code=BROKEN)
        mailbox.exclude(of_sending | of_import).exclude(error_code="", needs_reconnect=False).update(
            error_code="", error_facts={}, error_words="", needs_reconnect=False
        )
        if mailbox.update(
            last_synced_at=timezone.now(),
            sign_in_state=ok,
            receiving_state=ok,
            failures=0,
            not_before=None,
            failing_since=None,
            owner_told_at=None,
        ):
            events.notify(mailbox_topic(mailbox_id))  # else an open page counts on: "looked 5 min ago"

    @borrowed_connection()
    def looked(self, looks: Sequence[tuple[UUID, int]]) -> None:
        mailbox_ids, epochs = [mailbox_id for mailbox_id, _ in looks], [epoch for _, epoch in looks]
        with connection.cursor() as cursor:
            cursor.execute(
                "WITH looked AS ("
                " UPDATE mailboxes_mailbox mailbox SET last_synced_at = now()"
                " FROM unnest(%s::uuid[], %s::bigint[]) AS look (id, epoch)"
                " WHERE mailbox.id = look.id AND mailbox.epoch = look.epoch RETURNING mailbox.id)"
                " SELECT pg_notify(%s, 'mailbox:' || id) FROM looked",
                [mailbox_ids, epochs, events.EVENTS],
            )

    @borrowed_connection()
    def failed(self, mailbox_id: UUID, epoch: int, error: ProviderError, wait_seconds: float) -> None:
        is_refused = isinstance(error, NeedsReconnect)
        if isinstance(error, Throttled):
            rest_untold(mailbox_id, error, wait_seconds)
        changed: dict[str, Any] = {
            "receiving_state": DirectionState.FAILING,
            "error_code": error.code,
            "error_facts": as_facts(error.facts),
            "error_words": error.server_words[:2000],
            "error_at": timezone.now(),
            "needs_reconnect": is_refused,
            "failures": F("failures") + 1,
            "not_before": Now() + timedelta(seconds=wait_seconds),
        }
        # A registration that is refused is one letter to the administrators, and none for each of its mailboxes.
        if not (isinstance(error, NeedsAdministrator) and is_of_registration(error.code)):
            changed["failing_since"] = Coalesce("failing_since", Now())
        if is_refused:
            changed["sign_in_state"] = DirectionState.FAILING
        Mailbox.objects.filter(pk=mailbox_id, epoch=epoch).update(**changed)
        events.notify(mailbox_topic(mailbox_id))

    @borrowed_connection()
    def identities(self, mailbox_id: UUID, epoch: int, listed: Sequence[RemoteIdentity]) -> None:
        mailbox = Mailbox.objects.filter(pk=mailbox_id, epoch=epoch).first()
        if mailbox is not None:
            store_identities(mailbox, listed)
            Mailbox.objects.filter(pk=mailbox_id).update(identities_listed_at=Now())

    @borrowed_connection()
    def planned(self, mailbox_id: UUID, slice_ids: Sequence[UUID]) -> int:
        found = ImportSlice.objects.filter(pk__in=slice_ids).only("position")
        pieces = list(found.annotate(length=Coalesce(F("remote_ids__len"), 0)))
        messages = sum(int(piece.length) for piece in pieces)
        if is_one_at_a_time(mailbox_id):
            import_next(mailbox_id)
        else:
            for piece in pieces:
                import_later(piece)
        events.notify(mailbox_topic(mailbox_id))
        return messages
