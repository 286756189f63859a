"""Contacts and deals as people change them; every change of an address refiles the mail at once."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from django.core.exceptions import ValidationError
from django.db import IntegrityError, transaction

from postroom.filing.refile import file_contact, unfile_addresses, unfile_record
from postroom.mail.address import address_key, parse_address
from postroom.records.models import Company, Contact, ContactAddress, Deal, Note, RecordType, Stage
from postroom.workspaces import audit
from postroom.workspaces.members import Member

LONGEST_NAME = 200
MOST_ADDRESSES = 50  # of one contact
_CONTACT_FIELDS = ("title", "phone", "company", "company_id")


class AddressTaken(Exception):
    """The address belongs to another contact: two contacts cannot share one."""

    def __init__(self, address: str, contact: Contact) -> None:
        super().__init__(f"{address} belongs to {contact.name}")
        self.address = address
        self.contact = contact


def add_contact(member: Member, name: str, addresses: Sequence[str], **fields: Any) -> Contact:
    """Make a contact and file its history. `fields`: title, phone, company or company_id.

    Raises ValidationError, or AddressTaken when one of the addresses is another contact's.
    """
    spellings = _clean_addresses(addresses)
    contact = Contact(workspace=member.workspace, name=_clean_name(name), created_by=member.user)
    _set_fields(member, contact, fields)
    try:
        with transaction.atomic():
            contact.save()
            _save_addresses(contact, spellings)
            audit.record(member, "contact.added", contact.name)
            file_contact(contact)
    except IntegrityError as error:
        raise _taken(member, contact, spellings) or error from error
    return contact


def change_contact(
    member: Member,
    contact: Contact,
    *,
    name: str | None = None,
    addresses: Sequence[str] | None = None,
    **fields: Any,
) -> Contact:
    """Change what is given and refile as addresses come and go. Raises like add_contact."""
    _check_own(member, contact)
    if name is not None:
        contact.name = _clean_name(name)
    _set_fields(member, contact, fields)
    spellings = None if addresses is None else _clean_addresses(addresses)
    try:
        with transaction.atomic():
            contact.save()
            if spellings is not None:
                _replace_addresses(contact, spellings)
            audit.record(member, "contact.changed", contact.name)
    except IntegrityError as error:
        raise _taken(member, contact, spellings or {}) or error from error
    return contact


def add_address(member: Member, contact: Contact, address: str) -> tuple[ContactAddress, int | None]:
    """Give a contact one more address; the row, and how many messages came to the contact by it.

    None of them where the contact had the address already: nothing is changed then, and there is nothing to undo.

    Raises like add_contact. The others stay as they are, so that providers are asked for the new one alone.
    """
    _check_own(member, contact)
    [(key, spelling)] = _clean_addresses([address]).items()
    if contact.addresses.count() >= MOST_ADDRESSES:
        raise ValidationError({"addresses": f"A contact has {MOST_ADDRESSES} addresses at most."}, code="too_many")
    try:
        with transaction.atomic():
            last = contact.addresses.order_by("-position").values_list("position", flat=True).first()
            row, is_new = contact.addresses.get_or_create(
                key=key,
                defaults={
                    "workspace": contact.workspace,
                    "address": spelling,
                    "position": 0 if last is None else last + 1,
                },
            )
            if not is_new:
                return row, None
            audit.record(member, "contact.changed", contact.name)
            return row, file_contact(contact).filed
    except IntegrityError as error:
        raise _taken(member, contact, {key: spelling}) or error from error


@transaction.atomic
def remove_address(member: Member, contact: Contact, row: ContactAddress) -> None:
    """Take an address off a contact, and with it the mail that was there by this address alone."""
    _check_own(member, contact)
    key = row.key
    row.delete()
    unfile_addresses(contact, {key})
    audit.record(member, "contact.changed", contact.name)


@transaction.atomic
def delete_contact(member: Member, contact: Contact) -> None:
    """Delete a contact with its notes and filings. The mail stays in its mailboxes."""
    _check_own(member, contact)
    _delete_record(member, RecordType.CONTACT, contact)
    audit.record(member, "contact.deleted", contact.name)


@transaction.atomic
def add_deal(
    member: Member,
    name: str,
    contact_ids: Sequence[UUID],
    stage: str = Stage.NEW,
    company_id: UUID | None = None,
) -> Deal:
    """Make a deal. Raises ValidationError."""
    deal = Deal(workspace=member.workspace, name=_clean_name(name), created_by=member.user, stage=_clean_stage(stage))
    deal.company = _find_company(member, company_id)
    people = _find_contacts(member, contact_ids)
    deal.save()
    deal.contacts.set(people)
    audit.record(member, "deal.added", deal.name)
    return deal


@transaction.atomic
def change_deal(member: Member, deal: Deal, **changes: Any) -> Deal:
    """Change what is given of name, stage, company_id and contact_ids. Raises ValidationError."""
    _check_own(member, deal)
    if "name" in changes:
        deal.name = _clean_name(changes["name"])
    if "stage" in changes:
        deal.stage = _clean_stage(changes["stage"])
    if "company_id" in changes:
        deal.company = _find_company(member, changes["company_id"])
    deal.save()
    if "contact_ids" in changes:
        deal.contacts.set(_find_contacts(member, changes["contact_ids"]))
    audit.record(member, "deal.changed", deal.name)
    return deal


@transaction.atomic
def delete_deal(member: Member, deal: Deal) -> None:
    """Delete a deal with its notes and filings. The mail stays in its mailboxes."""
    _check_own(member, deal)
    _delete_record(member, RecordType.DEAL, deal)
    audit.record(member, "deal.deleted", deal.name)


def _delete_record(member: Member, record_type: RecordType, record: Contact | Deal) -> None:
    record_id = record.pk
    record.delete()
    Note.objects.filter(workspace=member.workspace, record_type=record_type, record_id=record_id).delete()
    unfile_record(member.workspace_id, record_type, record_id)


def _clean_name(name: str) -> str:
    name = " ".join(name.replace("\0", "").split())
    if not name:
        raise ValidationError({"name": "A name is needed."}, code="required")
    if len(name) > LONGEST_NAME:
        raise ValidationError({"name": f"A name holds {LONGEST_NAME} characters at most."}, code="too_long")
    return name


def _clean_stage(stage: str) -> str:
    if stage not in Stage.values:
        raise ValidationError({"stage": f"The stage is one of: {', '.join(Stage.values)}."}, code="invalid")
    return stage


def _clean_addresses(addresses: Sequence[str]) -> dict[str, str]:
    """Address by key, in their order, each once. An address without a name, as it is spelt."""
    found: dict[str, str] = {}
    for text in addresses:
        parsed = parse_address(text)
        if parsed is None or not parsed.address:
            raise ValidationError({"addresses": f"{text} is not a mail address."}, code="invalid")
        found.setdefault(address_key(parsed.address), parsed.address)
    if len(found) > MOST_ADDRESSES:
        raise ValidationError({"addresses": f"A contact has {MOST_ADDRESSES} addresses at most."}, code="too_many")
    return found


def _set_fields(member: Member, contact: Contact, fields: dict[str, Any]) -> None:
    if unknown := fields.keys() - set(_CONTACT_FIELDS):
        raise TypeError(f"a contact has no {', '.join(sorted(unknown))}")
    for name in ("title", "phone"):
        if name in fields:
            setattr(contact, name, (fields[name] or "").replace("\0", "").strip())
    if "company" in fields:
        company = fields["company"]
        contact.company = _find_company(member, company.pk if company else None)
    elif "company_id" in fields:
        contact.company = _find_company(member, fields["company_id"])


def _find_company(member: Member, company_id: UUID | None) -> Company | None:
    if company_id is None:
        return None
    company = Company.objects.filter(workspace=member.workspace, pk=company_id).first()
    if company is None:
        raise ValidationError({"company_id": "There is no such company."}, code="not_found")
    return company


def _find_contacts(member: Member, contact_ids: Sequence[UUID]) -> list[Contact]:
    found = Contact.objects.filter(workspace=member.workspace).in_bulk(list(set(contact_ids)))
    if len(found) != len(set(contact_ids)):
        raise ValidationError({"contact_ids": "There is no such contact."}, code="not_found")
    return list(found.values())


def _save_addresses(contact: Contact, spellings: dict[str, str]) -> None:
    for position, (key, address) in enumerate(spellings.items()):
        ContactAddress.objects.create(
            workspace=contact.workspace, contact=contact, address=address, key=key, position=position
        )


def _replace_addresses(contact: Contact, spellings: dict[str, str]) -> None:
    before = set(contact.addresses.values_list("key", flat=True))
    contact.addresses.all().delete()
    _save_addresses(contact, spellings)
    if gone := before - spellings.keys():
        unfile_addresses(contact, gone)
    elif spellings.keys() - before:
        file_contact(contact)


def _taken(member: Member, contact: Contact, spellings: dict[str, str]) -> AddressTaken | None:
    row = (
        ContactAddress.objects.select_related("contact")
        .filter(workspace=member.workspace, key__in=list(spellings))
        .exclude(contact_id=contact.pk)
        .first()
    )
    return AddressTaken(spellings[row.key], row.contact) if row else None


def _check_own(member: Member, record: Contact | Deal) -> None:
    if record.workspace_id != member.workspace_id:
        raise LookupError("a record of another workspace")
