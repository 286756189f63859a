"""The folders of a mailbox, how far each is read, and the proof of it."""

from __future__ import annotations

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.utils import timezone

from postroom.mailboxes.models.mailbox import Mailbox
from postroom.workspaces.ids import new_id
from postroom.workspaces.models import Workspace


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


class FolderMonth(models.Model):
    """Proof of completeness: what the server counts in one month of one folder, and what of it is known here."""

    workspace = models.ForeignKey(Workspace, models.CASCADE)
    folder = models.ForeignKey(Folder, models.CASCADE, related_name="months")
    month = models.DateField()  # its first day; messages belong to the day the server received them
    at_server = models.PositiveIntegerField()
    here = models.PositiveIntegerField()  # stored messages
    left_out = models.PositiveIntegerField(default=0)  # seen, and kept out by a rule (sightings)
    missing = models.PositiveIntegerField(default=0)  # neither: they are being fetched
    checked_at = models.DateTimeField(default=timezone.now)
    is_asked = models.BooleanField(default=False)  # somebody wants it counted again now
    repaired_at = models.DateTimeField(null=True, blank=True)  # when what was missing was fetched last
    fruitless = models.PositiveSmallIntegerField(default=0)  # turns in a row without any of what the server lists

    class Meta:
        constraints = [models.UniqueConstraint(fields=["folder", "month"], name="one_proof_a_folder_month")]


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
