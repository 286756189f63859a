"""What mail is filed on: contacts, companies, deals; and what people write beside it."""

from __future__ import annotations

from django.conf import settings
from django.db import models
from django.db.models.functions import Now
from django.utils import timezone

from postroom.workspaces.ids import new_id
from postroom.workspaces.models import Workspace


class RecordType(models.IntegerChoices):
    """The number a filing stores for the kind of its record."""

    CONTACT = 1, "contact"
    COMPANY = 2, "company"
    DEAL = 3, "deal"
    TICKET = 4, "ticket"


class Company(models.Model):
    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    workspace = models.ForeignKey(Workspace, models.CASCADE)
    name = models.CharField(max_length=200)
    created_at = models.DateTimeField(default=timezone.now)

    def __str__(self) -> str:
        return self.name


class CompanyDomain(models.Model):
    workspace = models.ForeignKey(Workspace, models.CASCADE)
    company = models.ForeignKey(Company, models.CASCADE, related_name="domains")
    domain = models.CharField(max_length=253)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["workspace", "domain"], name="one_company_a_domain")]


class Contact(models.Model):
    """A person outside, known by one or several addresses."""

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    workspace = models.ForeignKey(Workspace, models.CASCADE)
    name = models.CharField(max_length=200)
    title = models.CharField(max_length=200, blank=True)
    phone = models.CharField(max_length=60, blank=True)
    company = models.ForeignKey(Company, models.SET_NULL, null=True, blank=True, related_name="contacts")
    created_by = models.ForeignKey(settings.AUTH_USER_MODEL, models.SET_NULL, null=True)
    created_at = models.DateTimeField(default=timezone.now)

    class Meta:
        indexes = [models.Index(fields=["workspace", "name"])]

    def __str__(self) -> str:
        return self.name


class ContactAddress(models.Model):
    """One address of a contact; `key` is the spelling that is compared (mail/address.py)."""

    workspace = models.ForeignKey(Workspace, models.CASCADE)
    contact = models.ForeignKey(Contact, models.CASCADE, related_name="addresses")
    address = models.CharField(max_length=320)
    key = models.CharField(max_length=320)
    position = models.PositiveSmallIntegerField(default=0)
    created_at = models.DateTimeField(db_default=Now())  # mailboxes ask their provider for what is new (sync/asking.py)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["workspace", "key"], name="one_contact_an_address")]
        ordering = ["position"]


class Stage(models.TextChoices):
    NEW = "new", "New"
    OFFER = "offer", "Offer sent"
    NEGOTIATION = "negotiation", "Negotiation"
    WON = "won", "Won"
    LOST = "lost", "Lost"


class Deal(models.Model):
    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    workspace = models.ForeignKey(Workspace, models.CASCADE)
    name = models.CharField(max_length=200)
    stage = models.CharField(max_length=20, choices=Stage.choices, default=Stage.NEW)
    company = models.ForeignKey(Company, models.SET_NULL, null=True, blank=True, related_name="deals")
    contacts = models.ManyToManyField(Contact, related_name="deals")
    created_by = models.ForeignKey(settings.AUTH_USER_MODEL, models.SET_NULL, null=True)
    created_at = models.DateTimeField(default=timezone.now)

    def __str__(self) -> str:
        return self.name


class Note(models.Model):
    """What somebody wrote down on a record."""

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    workspace = models.ForeignKey(Workspace, models.CASCADE)
    record_type = models.PositiveSmallIntegerField(choices=RecordType.choices)
    record_id = models.UUIDField()
    text = models.TextField()
    author = models.ForeignKey(settings.AUTH_USER_MODEL, models.SET_NULL, null=True)
    created_at = models.DateTimeField(default=timezone.now)

    class Meta:
        indexes = [models.Index(fields=["workspace", "record_type", "record_id", "-created_at"])]
