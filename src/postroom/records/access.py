"""The only way to get records: all of a workspace's are its members' (DESIGN.md 8)."""

from __future__ import annotations

from uuid import UUID

from django.db.models import Q, QuerySet

from postroom.records.models import Company, Contact, Deal, Note, RecordType
from postroom.workspaces.members import Member

MOST_WORDS = 8  # of a query


def contacts(member: Member) -> QuerySet[Contact]:
    return Contact.objects.filter(workspace=member.workspace)


def companies(member: Member) -> QuerySet[Company]:
    return Company.objects.filter(workspace=member.workspace)


def deals(member: Member) -> QuerySet[Deal]:
    return Deal.objects.filter(workspace=member.workspace)


def notes(member: Member, record_type: int, record_id: UUID) -> QuerySet[Note]:
    return Note.objects.filter(workspace=member.workspace, record_type=record_type, record_id=record_id)


def find_contacts(member: Member, query: str) -> QuerySet[Contact]:
    """Contacts whose name or one of whose addresses holds every word of the query, by name."""
    found = contacts(member)
    for word in query.replace("\0", "").split()[:MOST_WORDS]:
        found = found.filter(Q(name__icontains=word) | Q(addresses__address__icontains=word))
    return found.distinct().order_by("name", "pk")


def find_record(member: Member, record_type: int, record_id: UUID) -> Contact | Company | Deal | None:
    """One record of the member's workspace; None when there is no such one."""
    if record_type == RecordType.CONTACT:
        return contacts(member).filter(pk=record_id).first()
    if record_type == RecordType.COMPANY:
        return companies(member).filter(pk=record_id).first()
    if record_type == RecordType.DEAL:
        return deals(member).filter(pk=record_id).first()
    return None
