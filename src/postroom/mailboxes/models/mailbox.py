"""A connected address, who may use it, and how it is."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

from django.conf import settings
from django.db import models
from django.utils import timezone

from postroom.providers import catalogue
from postroom.providers.errors import printable
from postroom.workspaces.ids import new_id
from postroom.workspaces.models import Workspace


class Kind(models.TextChoices):
    PERSONAL = "personal"
    SHARED = "shared"


class Usage(models.TextChoices):
    GENERAL = "general"
    SALES = "sales"
    SUPPORT = "support"
    BILLING = "billing"
    PERSONAL = "personal"


class Keep(models.TextChoices):
    EVERYTHING = "everything"
    RECORDS = "records"


class Sharing(models.TextChoices):
    """What colleagues see of a personal mailbox's filed mail (DESIGN.md 8); nothing until its owner says so."""

    EVERYTHING = "everything"
    SUBJECT = "subject"
    METADATA = "metadata"
    NOTHING = "nothing"


class DirectionState(models.TextChoices):
    """One of the three directions that can fail on their own: sign-in, receiving, sending."""

    UNKNOWN = "unknown"
    OK = "ok"
    FAILING = "failing"
    OFF = "off"  # its permission was not given at the provider's sign-in page: nothing is tried


class Mailbox(models.Model):
    """One connected address with all its mail."""

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    workspace = models.ForeignKey(Workspace, models.CASCADE, related_name="mailboxes")
    address = models.CharField(max_length=320)
    display_name = models.CharField(max_length=200, blank=True)
    kind = models.CharField(max_length=10, choices=Kind.choices)
    usage = models.CharField(max_length=10, choices=Usage.choices, default=Usage.GENERAL)
    provider = models.CharField(max_length=20)
    owner = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, related_name="mailboxes")
    keep = models.CharField(max_length=12, choices=Keep.choices)
    sharing = models.CharField(max_length=12, choices=Sharing.choices, default=Sharing.NOTHING)
    backfill_days = models.PositiveSmallIntegerField(default=30)
    reads = models.BooleanField(default=True)  # its mail is read into Postroom
    sends = models.BooleanField(default=True)  # mail may leave through it
    # Connected and checked; nothing is stored until somebody has seen what would come and said yes (filing/dry_run.py).
    awaits_start = models.BooleanField(default=False)
    created_at = models.DateTimeField(default=timezone.now)

    # Ownership by worker rows (DESIGN.md 5). `epoch` rises with every claim and fences every save.
    worker_id = models.UUIDField(null=True, blank=True)
    epoch = models.BigIntegerField(default=0)

    sign_in_state = models.CharField(max_length=10, choices=DirectionState.choices, default=DirectionState.UNKNOWN)
    receiving_state = models.CharField(max_length=10, choices=DirectionState.choices, default=DirectionState.UNKNOWN)
    sending_state = models.CharField(max_length=10, choices=DirectionState.choices, default=DirectionState.UNKNOWN)
    error_code = models.CharField(max_length=60, blank=True)
    error_facts = models.JSONField(default=dict, blank=True)
    error_words = models.TextField(blank=True)
    error_at = models.DateTimeField(null=True, blank=True)
    needs_reconnect = models.BooleanField(default=False)
    # Patience that survives restarts: failures in a row, and until when the mailbox is left alone (sync/backoff.py).
    failures = models.PositiveIntegerField(default=0)
    not_before = models.DateTimeField(null=True, blank=True)
    failing_since = models.DateTimeField(null=True, blank=True)
    owner_told_at = models.DateTimeField(null=True, blank=True)  # that it fails; once
    # Sending fails on its own: why, since when, and when its owner was told.
    sending_code = models.CharField(max_length=60, blank=True)
    sending_facts = models.JSONField(default=dict, blank=True)
    sending_words = models.TextField(blank=True)
    sending_failing_since = models.DateTimeField(null=True, blank=True)
    sending_told_at = models.DateTimeField(null=True, blank=True)
    paused_at = models.DateTimeField(null=True, blank=True)
    disconnected_at = models.DateTimeField(null=True, blank=True)  # the row stays while its history does
    last_synced_at = models.DateTimeField(null=True, blank=True)
    last_received_at = models.DateTimeField(null=True, blank=True)
    last_sent_at = models.DateTimeField(null=True, blank=True)

    # The import's progress, counted by the page writer in the page's own transaction.
    listed_count = models.PositiveIntegerField(default=0)
    kept_count = models.PositiveIntegerField(default=0)
    filed_count = models.PositiveIntegerField(default=0)
    done_count = models.PositiveIntegerField(default=0)
    listed_octets = models.PositiveBigIntegerField(default=0)
    done_octets = models.PositiveBigIntegerField(default=0)
    # What was done when the import under way began: its pace counts from there (progress.py).
    done_before = models.PositiveIntegerField(default=0)
    octets_before = models.PositiveBigIntegerField(default=0)
    import_started_at = models.DateTimeField(null=True, blank=True)
    import_planned_at = models.DateTimeField(null=True, blank=True)
    import_finished_at = models.DateTimeField(null=True, blank=True)
    # Up to when records' addresses were asked for, where the provider lists by address (Capabilities.lists_by_address).
    asked_until = models.DateTimeField(null=True, blank=True)
    identities_listed_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["workspace", "address"],
                condition=models.Q(disconnected_at=None),
                name="one_mailbox_an_address",
            )
        ]
        indexes = [models.Index(fields=["worker_id"])]

    def __str__(self) -> str:
        return self.address

    @property
    def state(self) -> str:
        """The contract's one word: connecting, importing, connected, needs_reconnect, paused or failed."""
        if self.needs_reconnect:
            return "needs_reconnect"
        if self.paused_at:
            return "paused"
        if self.error_code:
            return "failed"
        if self.receiving_state == DirectionState.OFF or not self.reads:
            return "connected"
        if self.awaits_start or not self.import_planned_at:
            return "connecting"
        return "connected" if self.import_finished_at else "importing"

    @property
    def error(self) -> catalogue.Entry | None:
        return catalogue.explain(self.error_code, **self.error_facts) if self.error_code else None

    @property
    def is_importing(self) -> bool:
        return self.state in ("connecting", "importing")

    @property
    def is_read(self) -> bool:
        """Whether its mail is fetched: not where it only sends, nor while its import waits for a yes."""
        return self.reads and not self.awaits_start and self.receiving_state != DirectionState.OFF

    def is_resting(self, now: datetime) -> bool:
        """Whether it is left alone after failures, until `not_before`."""
        return self.paused_at is None and self.not_before is not None and self.not_before > now

    @property
    def is_proven(self) -> bool:
        """Whether it has shown that it works: a message left through it, and one arrived since it was connected.

        A sign-in that was accepted proves neither. What it is not there for needs no proof.
        """
        reads = self.reads and self.receiving_state != DirectionState.OFF
        sends = self.sends and self.sending_state != DirectionState.OFF
        return (bool(self.last_received_at) or not reads) and (bool(self.last_sent_at) or not sends)

    @property
    def has_open_import(self) -> bool:
        """Whether an import is under way, or waits for the end of a pause."""
        return self.is_importing or (self.state == "paused" and not self.import_finished_at)


class MailboxMember(models.Model):
    """A member who may read and send through a shared mailbox. A shared mailbox without rows is everybody's."""

    mailbox = models.ForeignKey(Mailbox, models.CASCADE, related_name="members")
    user = models.ForeignKey(settings.AUTH_USER_MODEL, models.CASCADE)
    can_send = models.BooleanField(default=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["mailbox", "user"], name="one_mailbox_member_each")]


class Identity(models.Model):
    """An address one may send as through a mailbox, with the name people see."""

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    workspace = models.ForeignKey(Workspace, models.CASCADE)
    mailbox = models.ForeignKey(Mailbox, models.CASCADE, related_name="identities")
    address = models.CharField(max_length=320)
    name = models.CharField(max_length=200, blank=True)
    reply_to = models.CharField(max_length=320, blank=True)
    signature = models.TextField(blank=True)
    is_default = models.BooleanField(default=False)
    is_listed = models.BooleanField(default=False)  # the provider told it; it goes when the provider tells it no more

    class Meta:
        indexes = [models.Index(fields=["workspace", "address"])]


def mailbox_topic(mailbox_id: UUID) -> str:
    """The topic of the event stream that says "something about this mailbox changed"."""
    return f"mailbox:{mailbox_id}"


def as_facts(facts: dict[str, Any]) -> dict[str, str]:
    """Facts of an error as the JSON column holds them; a server may have named them."""
    return {key: printable(str(value)) for key, value in facts.items()}
