"""What leaves. A Submission is the decision to send; an Attempt is one try (DESIGN.md 7)."""

from __future__ import annotations

from django.conf import settings
from django.db import models
from django.utils import timezone

from postroom.mailboxes.models import Mailbox
from postroom.records.models import RecordType
from postroom.workspaces.ids import new_id
from postroom.workspaces.models import Workspace


class State(models.TextChoices):
    """queued → sending → in_doubt → sent | failed | unknown. From in_doubt on nothing is sent again without looking."""

    QUEUED = "queued"
    SENDING = "sending"
    IN_DOUBT = "in_doubt"
    SENT = "sent"
    FAILED = "failed"
    UNKNOWN = "unknown"
    CANCELLED = "cancelled"


class SentCopy(models.TextChoices):
    """The copy in the Sent folder, its own idempotent step after `sent`."""

    PENDING = "pending"
    FILED = "filed"
    FAILED = "failed"


class Draft(models.Model):
    """What somebody is writing. One person's, until it is sent."""

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    workspace = models.ForeignKey(Workspace, models.CASCADE)
    author = models.ForeignKey(settings.AUTH_USER_MODEL, models.CASCADE)
    record_type = models.PositiveSmallIntegerField(choices=RecordType.choices, null=True)
    record_id = models.UUIDField(null=True)
    mailbox_id = models.UUIDField(null=True)
    in_reply_to = models.UUIDField(null=True)  # Message.id
    to = models.TextField(blank=True)
    cc = models.TextField(blank=True)
    bcc = models.TextField(blank=True)
    subject = models.TextField(blank=True)
    html = models.TextField(blank=True)
    updated_at = models.DateTimeField(auto_now=True)


class Submission(models.Model):
    """A message to be sent: MIME, Message-ID and envelope are frozen here when it is queued."""

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    workspace = models.ForeignKey(Workspace, models.CASCADE)
    mailbox = models.ForeignKey(Mailbox, models.PROTECT, related_name="submissions")
    author = models.ForeignKey(settings.AUTH_USER_MODEL, models.SET_NULL, null=True)
    record_type = models.PositiveSmallIntegerField(choices=RecordType.choices, null=True)
    record_id = models.UUIDField(null=True)
    state = models.CharField(max_length=10, choices=State.choices, default=State.QUEUED)

    internet_message_id = models.TextField()
    from_address = models.CharField(max_length=320)
    from_name = models.CharField(max_length=200, blank=True)
    reason_for_from = models.TextField()
    to = models.JSONField(default=list)  # [{"name", "address"}], likewise cc and bcc
    cc = models.JSONField(default=list)
    bcc = models.JSONField(default=list)
    subject = models.TextField()
    snippet = models.TextField()
    mime = models.BinaryField()
    recipients = models.JSONField(default=list)  # the envelope
    in_reply_to = models.UUIDField(null=True)  # Message.id
    message_id = models.UUIDField(null=True)  # the Message it became

    created_at = models.DateTimeField(default=timezone.now)
    send_at = models.DateTimeField(default=timezone.now)  # not before: undo window or schedule
    worker_id = models.UUIDField(null=True)  # who claimed it; a dead worker's claim is void
    claimed_at = models.DateTimeField(null=True)
    doubted_at = models.DateTimeField(null=True)  # when in_doubt was committed, just before the act
    sent_at = models.DateTimeField(null=True)
    next_look_at = models.DateTimeField(null=True)
    looks = models.PositiveSmallIntegerField(default=0)
    tries = models.PositiveSmallIntegerField(default=0)
    sent_copy = models.CharField(max_length=10, choices=SentCopy.choices, default=SentCopy.PENDING)
    sent_copy_at = models.DateTimeField(null=True)  # when it was found there, or put there
    error_code = models.CharField(max_length=60, blank=True)
    error_facts = models.JSONField(default=dict, blank=True)
    error_words = models.TextField(blank=True)
    refused = models.JSONField(default=dict)  # recipient → the server's words
    # What the provider calls the message that was handed over before the act (base.Session.find_upload).
    upload = models.TextField(blank=True)
    # The Message-ID it left with, where the provider replaced ours: replies name that one.
    sent_internet_message_id = models.TextField(blank=True)

    class Meta:
        indexes = [
            models.Index(fields=["workspace", "record_id", "-created_at"]),
            models.Index(fields=["workspace", "internet_message_id"]),
            models.Index(fields=["message_id"], name="submission_of_message"),
            models.Index(
                fields=["workspace", "sent_internet_message_id"],
                condition=~models.Q(sent_internet_message_id=""),
                name="submission_by_sent_id",
            ),
            models.Index(fields=["state", "send_at"]),
        ]


class Attempt(models.Model):
    """One try to hand a submission over: how far it came and what the server said."""

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    submission = models.ForeignKey(Submission, models.CASCADE, related_name="attempts")
    started_at = models.DateTimeField(default=timezone.now)
    ended_at = models.DateTimeField(null=True)
    outcome = models.CharField(max_length=20, blank=True)
    server_words = models.TextField(blank=True)


class ConnectionTest(models.Model):
    """A small marked message that proves a mailbox: sent, in Sent, seen by sync, filed, and answered.

    How far it came is read from what is stored (filing/connection_test.py), never kept here.
    """

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    workspace = models.ForeignKey(Workspace, models.CASCADE)
    mailbox = models.ForeignKey(Mailbox, models.CASCADE, related_name="tests")
    author = models.ForeignKey(settings.AUTH_USER_MODEL, models.SET_NULL, null=True)
    contact_id = models.UUIDField(null=True, blank=True)  # None: the mailbox writes to itself
    address = models.CharField(max_length=320)  # whom it was sent to
    submission = models.OneToOneField(Submission, models.SET_NULL, null=True, related_name="connection_test")
    started_at = models.DateTimeField(default=timezone.now)

    class Meta:
        indexes = [models.Index(fields=["mailbox", "-started_at"])]
