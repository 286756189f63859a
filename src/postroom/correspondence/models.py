"""Threads and messages. These are the bulk tables: written in pages by store.py, without foreign keys (DESIGN.md 4).

What a message *is* (Message, Body, Participant, Attachment) and where it *sits* (Placement) are two things:
losing or renumbering placements never loses what hangs on the message.
"""

from __future__ import annotations

from django.contrib.postgres.fields import ArrayField
from django.contrib.postgres.indexes import GinIndex
from django.db import models

from postroom.workspaces.ids import new_id


class Thread(models.Model):
    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    workspace_id = models.UUIDField()
    subject = models.TextField()
    created_at = models.DateTimeField()


class ThreadRef(models.Model):
    """A message id (hashed) that belongs to a thread, whether that message is here or not."""

    pk = models.CompositePrimaryKey("workspace_id", "ref")
    workspace_id = models.UUIDField()
    ref = models.UUIDField()
    thread_id = models.UUIDField()

    class Meta:
        indexes = [models.Index(fields=["thread_id"])]


class Direction(models.IntegerChoices):
    IN = 1, "in"
    OUT = 2, "out"


class Message(models.Model):
    """One RFC 5322 message, once per workspace. `identity` is what makes two copies one (mail/mime/identity.py)."""

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    workspace_id = models.UUIDField()
    thread_id = models.UUIDField()
    identity = models.UUIDField()
    ref = models.UUIDField()  # hash of internet_message_id, to look a message up by its header
    internet_message_id = models.TextField()
    direction = models.PositiveSmallIntegerField(choices=Direction.choices)
    at = models.DateTimeField()  # the provider's time, the order of every timeline
    date = models.DateTimeField(null=True)  # the Date header, a claim
    from_name = models.TextField()
    from_address = models.TextField()
    subject = models.TextField()
    snippet = models.TextField()
    size = models.PositiveIntegerField()
    attachment_count = models.PositiveSmallIntegerField()
    is_readable = models.BooleanField()
    # Why the text is not here: unreadable, too_large, or "" when it is. An older `parser_version` is read again.
    problem = models.CharField(max_length=20, default="")
    parser_version = models.PositiveSmallIntegerField(default=0)
    has_twin = models.BooleanField(default=False)  # another message with other content carries the same Message-ID

    class Meta:
        constraints = [models.UniqueConstraint(fields=["workspace_id", "identity"], name="one_message_an_identity")]
        indexes = [
            models.Index(fields=["thread_id", "at"]),
            models.Index(fields=["workspace_id", "ref"]),
            models.Index(fields=["workspace_id", "-at"], name="newest_messages"),
            models.Index(fields=["workspace_id", "-at"], condition=~models.Q(problem=""), name="problem_messages"),
        ]


class Body(models.Model):
    """Text, HTML and raw headers of a message as one zstd blob (blobs.py); the first octet says the format."""

    message_id = models.UUIDField(primary_key=True)
    workspace_id = models.UUIDField()
    content = models.BinaryField()


class Placement(models.Model):
    """A message in one folder of one mailbox. `size` and `received_at` are this copy's: they find it again when its
    remote id is void (sync/rebuilding.py).

    `removed_at` is set when the provider has it there no longer. The last one of a mailbox then stays as a row: it says
    whose mail the message is, so that who may read it does not change when somebody tidies up his inbox.
    """

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    workspace_id = models.UUIDField()
    mailbox_id = models.UUIDField()
    folder_id = models.UUIDField()
    message_id = models.UUIDField()
    remote_id = models.TextField()
    flags = ArrayField(models.TextField())
    size = models.PositiveBigIntegerField(default=0)
    received_at = models.DateTimeField(null=True)
    removed_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["folder_id", "remote_id"],
                condition=models.Q(removed_at__isnull=True),
                name="one_placement_a_remote_id",
            )
        ]
        indexes = [
            models.Index(fields=["message_id"]),
            models.Index(fields=["mailbox_id"]),
            # What left its last folder is found again by its id where that is mailbox-wide (placed.py).
            models.Index(
                fields=["mailbox_id", "remote_id"],
                condition=models.Q(removed_at__isnull=False),
                name="removed_placements",
            ),
        ]


class Participant(models.Model):
    """An address on a message, with its role."""

    pk = models.CompositePrimaryKey("message_id", "role", "position")
    workspace_id = models.UUIDField()
    message_id = models.UUIDField()
    role = models.CharField(max_length=8)
    position = models.PositiveSmallIntegerField()
    name = models.TextField()
    address = models.TextField()
    key = models.TextField()

    class Meta:
        indexes = [models.Index(fields=["workspace_id", "key"])]


class Attachment(models.Model):
    """A file of a message. The octets lie content-addressed in the attachment storage, under `sha256`."""

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    workspace_id = models.UUIDField()
    message_id = models.UUIDField()
    position = models.PositiveSmallIntegerField()
    filename = models.TextField()
    content_type = models.TextField()
    size = models.PositiveBigIntegerField()
    sha256 = models.BinaryField(max_length=32)
    content_id = models.TextField()
    is_inline = models.BooleanField()

    class Meta:
        indexes = [
            models.Index(fields=["message_id"]),
            models.Index(fields=["sha256"], name="attachments_by_content"),
        ]


class Sighting(models.Model):
    """A message seen and not kept: no subject, no text, no address, only keyed hashes (DESIGN.md 5).

    `hashes` are those of sightings.py: of its message id, its references and its participants. `is_wanted` says that a
    record has claimed it since, and that the mailbox's session shall fetch it.
    """

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    workspace_id = models.UUIDField()
    mailbox_id = models.UUIDField()
    folder_id = models.UUIDField()
    remote_id = models.TextField()
    at = models.DateTimeField()
    size = models.PositiveBigIntegerField(default=0)
    hashes = ArrayField(models.UUIDField())
    is_wanted = models.BooleanField(default=False)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["folder_id", "remote_id"], name="one_sighting_a_remote_id")]
        indexes = [
            # Without the list of pending entries, which every look would read whole, and each page looks once.
            GinIndex(fields=["hashes"], name="sighting_hashes", fastupdate=False),
            models.Index(fields=["mailbox_id"], condition=models.Q(is_wanted=True), name="wanted_sightings"),
        ]
