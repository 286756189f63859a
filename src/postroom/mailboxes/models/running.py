"""What runs beside a mailbox: workers, watches and allowances; and what is noted of it."""

from __future__ import annotations

from datetime import timedelta

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models.functions import Now
from django.utils import timezone

from postroom.mailboxes.models.mailbox import Mailbox
from postroom.workspaces.ids import new_id
from postroom.workspaces.models import Workspace


class Worker(models.Model):
    """A worker process. `seen_at` is the database's clock; one without a beat for DEAD_AFTER is dead."""

    DEAD_AFTER = timedelta(seconds=7.5)  # and the others look each 2 s: its mailboxes move within 10 s

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    seen_at = models.DateTimeField(db_default=Now())
    name = models.CharField(max_length=200, blank=True)
    kind = models.CharField(max_length=20, default="sessions")
    counters = models.JSONField(default=dict, blank=True)  # since its start, for /metrics (engine/counters.py)

    @classmethod
    def living(cls) -> models.QuerySet[Worker]:
        return cls.objects.filter(seen_at__gt=Now() - cls.DEAD_AFTER)


class PushWatch(models.Model):
    """A provider's promise to call us when mail arrives, with an expiry."""

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    workspace = models.ForeignKey(Workspace, models.CASCADE)
    mailbox = models.ForeignKey(Mailbox, models.CASCADE, related_name="watches")
    provider = models.CharField(max_length=20)
    remote_id = models.CharField(max_length=300, blank=True, db_index=True)
    resource = models.TextField(blank=True)
    secret_digest = models.CharField(max_length=64, blank=True)  # of what the provider has to repeat
    expires_at = models.DateTimeField()
    due_at = models.DateTimeField(default=timezone.now, db_index=True)  # when it is made, renewed or tried again
    created_at = models.DateTimeField(default=timezone.now)
    called_at = models.DateTimeField(null=True, blank=True)
    error_code = models.CharField(max_length=60, blank=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["mailbox", "resource"], name="one_watch_a_resource")]


class MailboxAllowance(models.Model):
    """How much of a provider's allowance is spoken for: a leaky bucket by its arrival time (engine/limiter.py).

    `rests_until` is how long the provider itself asked to be left alone.
    """

    mailbox = models.OneToOneField(Mailbox, models.CASCADE, primary_key=True, related_name="allowance")
    due_at = models.DateTimeField(default=timezone.now)
    rests_until = models.DateTimeField(null=True, blank=True)


class JournalEntry(models.Model):
    """What sync did with a mailbox, for people; journal.py has the sentence of each kind. Kept for a month."""

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    workspace = models.ForeignKey(Workspace, models.CASCADE)
    mailbox = models.ForeignKey(Mailbox, models.CASCADE, related_name="journal")
    at = models.DateTimeField(default=timezone.now)
    kind = models.CharField(max_length=40)
    facts = models.JSONField(default=dict, blank=True)

    class Meta:
        indexes = [models.Index(fields=["mailbox", "-at"], name="newest_journal_entries")]


class HealthDay(models.Model):
    """How one mailbox was on one day (UTC), for the picture of its last 90 days and the chart of its numbers."""

    class State(models.TextChoices):
        """The worst that lasted: `slow` is the provider's, or a limit that was reached."""

        OK = "ok"
        SLOW = "slow"
        FAILING = "failing"

    workspace = models.ForeignKey(Workspace, models.CASCADE)
    mailbox = models.ForeignKey(Mailbox, models.CASCADE, related_name="days")
    day = models.DateField()
    state = models.CharField(max_length=10, choices=State.choices, default=State.OK)
    failing_seconds = models.PositiveIntegerField(default=0)
    slow_seconds = models.PositiveIntegerField(default=0)
    received = models.PositiveIntegerField(default=0)
    sent = models.PositiveIntegerField(default=0)
    failed = models.PositiveIntegerField(default=0)  # sends that ended with a no
    codes = ArrayField(models.CharField(max_length=60), default=list, blank=True)  # what went wrong, each once
    looked_at = models.DateTimeField(default=timezone.now)  # up to when its seconds are counted

    class Meta:
        constraints = [models.UniqueConstraint(fields=["mailbox", "day"], name="one_health_row_a_day")]
