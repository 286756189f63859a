"""A connected address, what opens it, and how far its folders are read."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from django.conf import settings
from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models.functions import Now
from django.utils import timezone

from postroom.providers import catalogue
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
    owner_told_at = models.DateTimeField(null=True, blank=True)  # that it has failed for a day; once
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
        if self.receiving_state == DirectionState.OFF:
            return "connected"
        if not self.import_planned_at:
            return "connecting"
        return "connected" if self.import_finished_at else "importing"

    @property
    def error(self) -> catalogue.Entry | None:
        return catalogue.explain(self.error_code, **self.error_facts) if self.error_code else None

    @property
    def is_importing(self) -> bool:
        return self.state in ("connecting", "importing")

    def is_resting(self, now: datetime) -> bool:
        """Whether it is left alone after failures, until `not_before`."""
        return self.paused_at is None and self.not_before is not None and self.not_before > now

    @property
    def has_open_import(self) -> bool:
        """Whether an import is under way, or waits for the end of a pause."""
        return self.is_importing or (self.state == "paused" and not self.import_finished_at)


class Grant(models.Model):
    """What opens a mailbox: the provider's own secrets, sealed (see sealing.py)."""

    mailbox = models.OneToOneField(Mailbox, models.CASCADE, primary_key=True, related_name="grant")
    workspace = models.ForeignKey(Workspace, models.CASCADE)
    sign_in_user = models.CharField(max_length=320, blank=True)
    sealed = models.BinaryField()
    updated_at = models.DateTimeField(auto_now=True)  # rises when its owner reconnects, not with each fresh token
    # Of a grant by OAuth:
    app = models.CharField(max_length=20, blank=True)  # the provider whose OAuthApp it came by
    subject = models.CharField(max_length=300, blank=True)  # who signed in, as the provider's unchanging id
    scope = models.TextField(blank=True)  # as granted (RFC 6749 section 5.1)
    expires_at = models.DateTimeField(null=True, blank=True)  # of the access token
    dies_at = models.DateTimeField(null=True, blank=True)  # of the refresh token, where the provider says or we know
    refreshed_at = models.DateTimeField(null=True, blank=True)
    # The refresh token is dead, as this code of the catalogue says; it is tried again once an hour (tokens.py).
    refused_code = models.CharField(max_length=60, blank=True)
    refused_at = models.DateTimeField(null=True, blank=True)
    warned_at = models.DateTimeField(null=True, blank=True)  # its owner, that it dies soon


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


class OAuthApp(models.Model):
    """The workspace's own registration at a provider: client id, sealed secret, and how mailboxes are connected.

    One in the environment (POSTROOM_*_CLIENT_ID) needs no row; a row then holds its state alone.
    """

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    workspace = models.ForeignKey(Workspace, models.CASCADE)
    provider = models.CharField(max_length=20)
    client_id = models.CharField(max_length=300, blank=True)
    sealed = models.BinaryField(default=bytes)  # the secret (sealing.py)
    tenant = models.CharField(max_length=200, blank=True)
    way = models.CharField(max_length=10, default="api", choices=[("api", "api"), ("servers", "servers")])
    audience = models.CharField(max_length=20, blank=True)  # internal, testing, production: who may sign in
    secret_expires_on = models.DateField(null=True, blank=True)
    reminded_at = models.DateTimeField(null=True, blank=True)  # that the secret expires soon
    push_topic = models.CharField(max_length=300, blank=True)
    checked_at = models.DateTimeField(null=True, blank=True)
    # The provider refused our id or secret: one alarm for the administrators, not a reconnect for every mailbox.
    error_code = models.CharField(max_length=60, blank=True)
    error_words = models.TextField(blank=True)
    error_at = models.DateTimeField(null=True, blank=True)
    alarmed_at = models.DateTimeField(null=True, blank=True)
    updated_at = models.DateTimeField(auto_now=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["workspace", "provider"], name="one_app_a_provider")]


class Journey(models.Model):
    """One member's way to a provider's sign-in page and back (RFC 6749 section 4.1). Its state is used once."""

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    workspace = models.ForeignKey(Workspace, models.CASCADE)
    user = models.ForeignKey(settings.AUTH_USER_MODEL, models.CASCADE)
    mailbox = models.ForeignKey(Mailbox, models.CASCADE, null=True, blank=True)  # the one that is reconnected
    provider = models.CharField(max_length=20)
    session_digest = models.CharField(max_length=64)  # of the browser session that left
    state_digest = models.CharField(max_length=64, unique=True)
    sealed = models.BinaryField()  # PKCE verifier and nonce
    address = models.CharField(max_length=320, blank=True)  # the one that is expected to come back
    request = models.JSONField(default=dict)  # what was typed: kind, usage, keep, days …; no secret
    created_at = models.DateTimeField(default=timezone.now)
    used_at = models.DateTimeField(null=True, blank=True)
    outcome = models.CharField(max_length=60, blank=True)  # "connected", or a code of the catalogue
    facts = models.JSONField(default=dict, blank=True)
    # An administrator of the provider may have to approve first; he comes back by this state, in his own browser.
    approval_digest = models.CharField(max_length=64, blank=True, db_index=True)
    approved_at = models.DateTimeField(null=True, blank=True)


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


class Folder(models.Model):
    """A folder at the provider and the cursor from which its changes are read on."""

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    workspace = models.ForeignKey(Workspace, models.CASCADE)
    mailbox = models.ForeignKey(Mailbox, models.CASCADE, related_name="folders")
    remote_name = models.TextField()
    name = models.TextField()
    role = models.CharField(max_length=10, blank=True)
    is_synced = models.BooleanField(default=True)
    cursor = models.TextField(blank=True)
    version = models.BigIntegerField(default=0)
    identity = models.TextField(blank=True)  # what stays when the folder is renamed (sync/remote.py)
    is_chosen = models.BooleanField(null=True, blank=True)  # by the owner; None: Postroom's own rule (sync/folders.py)
    listed_since = models.DateField(null=True, blank=True)  # from this day on everything is stored or planned
    swept_at = models.DateTimeField(null=True, blank=True)
    # A question that waits for the owner: mass_deletion or renumbered_often. `may_remove` is "yes, they were deleted".
    held_code = models.CharField(max_length=60, blank=True)
    held_facts = models.JSONField(default=dict, blank=True)
    held_at = models.DateTimeField(null=True, blank=True)
    may_remove = models.BooleanField(default=False)
    rebuilds = models.PositiveSmallIntegerField(default=0)  # renumberings since `rebuilds_since`, which is a day long
    rebuilds_since = models.DateTimeField(null=True, blank=True)
    is_label = models.BooleanField(default=False)  # a message may wear several
    sorts_inbox = models.BooleanField(default=False)  # a label that shows a part of the inbox once more

    class Meta:
        constraints = [models.UniqueConstraint(fields=["mailbox", "remote_name"], name="one_folder_a_remote_name")]

    def __str__(self) -> str:
        return "Inbox" if self.name.upper() == "INBOX" else self.name  # RFC 3501 section 5.1 writes it in capitals

    @property
    def is_wanted(self) -> bool:
        """Whether it is to be read: what the owner chose last, else as it is now."""
        return self.is_synced if self.is_chosen is None else self.is_chosen

    @property
    def is_asking(self) -> bool:
        """Whether it waits for an answer (questions.py); after "remove" it waits for the next look."""
        return bool(self.held_code) and not self.may_remove


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


class ImportSlice(models.Model):
    """A part of the first import: remote ids of one folder, newest first, worked off page by page.

    `done_count` moves in the page's own transaction, so a killed importer repeats one page at most. `failures` counts
    what nobody foresaw; after each it is not tried again before `not_before` (imports.py).
    """

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    workspace = models.ForeignKey(Workspace, models.CASCADE)
    mailbox = models.ForeignKey(Mailbox, models.CASCADE, related_name="slices")
    folder = models.ForeignKey(Folder, models.CASCADE)
    position = models.PositiveIntegerField()
    remote_ids = ArrayField(models.TextField())
    sizes = ArrayField(models.PositiveBigIntegerField())
    done_count = models.PositiveIntegerField(default=0)
    is_done = models.BooleanField(default=False)
    failures = models.PositiveSmallIntegerField(default=0)
    not_before = models.DateTimeField(null=True)

    class Meta:
        indexes = [models.Index(fields=["mailbox", "position"], condition=models.Q(is_done=False), name="open_slices")]


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


def mailbox_topic(mailbox_id: UUID) -> str:
    """The topic of the event stream that says "something about this mailbox changed"."""
    return f"mailbox:{mailbox_id}"


def as_facts(facts: dict[str, Any]) -> dict[str, str]:
    """Facts of an error as the JSON column holds them."""
    return {key: str(value) for key, value in facts.items()}
