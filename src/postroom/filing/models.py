"""A message on a record, with the reason."""

from __future__ import annotations

from django.db import models

from postroom.records.models import RecordType
from postroom.workspaces.ids import new_id


class Reason(models.TextChoices):
    """Why a message is on a record, strongest first."""

    MANUAL = "manual", "put here by hand"
    SENT_FROM_RECORD = "sent_from_record", "sent from here"
    ADDRESS = "address", "the address"
    THREAD = "thread", "the thread"
    TICKET_REPLY = "ticket_reply", "a reply to the ticket"
    DEAL_CONTACT = "deal_contact", "a contact of the deal"
    COMPANY_DOMAIN = "company_domain", "the domain"


class Filing(models.Model):
    """`address` names the address that matched (reason address). A removed filing stays as a row, so that no rule
    brings it back: removed by hand means removed for good."""

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    workspace_id = models.UUIDField()
    message_id = models.UUIDField()
    thread_id = models.UUIDField()
    record_type = models.PositiveSmallIntegerField(choices=RecordType.choices)
    record_id = models.UUIDField()
    reason = models.CharField(max_length=20, choices=Reason.choices)
    address = models.TextField()
    at = models.DateTimeField()  # the message's, so that a timeline is one index walk
    removed_by_id = models.UUIDField(null=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["message_id", "record_type", "record_id"], name="one_filing_a_record")
        ]
        indexes = [
            models.Index(fields=["record_id", "-at", "message_id"]),
            models.Index(fields=["thread_id"]),
        ]
