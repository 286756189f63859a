"""/contacts, and the notes on them."""

from __future__ import annotations

from uuid import UUID

from ninja import Router, Status
from ninja.decorators import decorate_view

from postroom.api import schemas
from postroom.api.auth import ApiRequest
from postroom.api.fields import Line
from postroom.api.find import one
from postroom.api.idempotency import idempotent
from postroom.api.mailboxes import show_person
from postroom.api.paging import PageOf, PageQuery, page
from postroom.api.problems import Problem
from postroom.filing.people import AddressTaken, add_contact, change_contact, delete_contact
from postroom.records.access import contacts, find_contacts
from postroom.records.models import Contact, Note, RecordType
from postroom.records.notes import add_note

router = Router(tags=["contacts"])


@router.post("", response={201: schemas.Contact})
@decorate_view(idempotent)
def create_contact(request: ApiRequest, body: schemas.ContactIn) -> Status[schemas.Contact]:
    """Make a contact; mail with its addresses that is here already is put on it at once.

    409 `address_taken` (with `contact_id`) when another contact has one of the addresses.
    """
    typed = body.model_dump()
    try:
        contact = add_contact(request.auth, typed.pop("name"), typed.pop("addresses"), **typed)
    except AddressTaken as taken:
        raise _taken(taken) from taken
    return Status(201, show_contact(contact))


@router.get("", response=schemas.Page[schemas.Contact])
def list_contacts(request: ApiRequest, query: Line = "", asked: PageQuery = PageOf) -> schemas.Page[schemas.Contact]:
    """Contacts, newest first; every word of `query` is in their name or an address."""
    found = find_contacts(request.auth, query).prefetch_related("addresses")
    return page(found, asked, schemas.Page[schemas.Contact], show_contact)


@router.get("/{uuid:contact_id}", response=schemas.Contact)
def read_contact(request: ApiRequest, contact_id: UUID) -> schemas.Contact:
    """One contact."""
    return show_contact(one(contacts(request.auth), contact_id))


@router.patch("/{uuid:contact_id}", response=schemas.Contact)
def update_contact(request: ApiRequest, contact_id: UUID, body: schemas.ContactChange) -> schemas.Contact:
    """Change what is given; `addresses` replaces all of them and files anew."""
    contact = one(contacts(request.auth), contact_id)
    changed = body.model_dump(exclude_unset=True)
    changed = {name: value for name, value in changed.items() if value is not None or name == "company_id"}
    try:
        change_contact(request.auth, contact, **changed)
    except AddressTaken as taken:
        raise _taken(taken) from taken
    return show_contact(one(contacts(request.auth), contact_id))


@router.delete("/{uuid:contact_id}", response={204: None})
def remove_contact(request: ApiRequest, contact_id: UUID) -> Status[None]:
    """Delete the contact. Its mail stays in the mailboxes."""
    delete_contact(request.auth, one(contacts(request.auth), contact_id))
    return Status(204, None)


@router.post("/{uuid:contact_id}/notes", response={201: schemas.Note})
@decorate_view(idempotent)
def create_note(request: ApiRequest, contact_id: UUID, body: schemas.NoteIn) -> Status[schemas.Note]:
    """Write a note on the contact."""
    contact = one(contacts(request.auth), contact_id)
    return Status(201, show_note(add_note(request.auth, RecordType.CONTACT, contact.pk, body.text)))


def show_contact(contact: Contact) -> schemas.Contact:
    return schemas.Contact(
        id=contact.pk,
        name=contact.name,
        addresses=[row.address for row in contact.addresses.all()],
        title=contact.title,
        phone=contact.phone,
        company_id=contact.company_id,
        created_at=contact.created_at,
    )


def show_note(note: Note) -> schemas.Note:
    author = show_person(note.author) if note.author else None
    return schemas.Note(id=note.pk, text=note.text, author=author, created_at=note.created_at)


def _taken(taken: AddressTaken) -> Problem:
    reason = f"{taken.address} belongs to {taken.contact.name}."
    return Problem("address_taken", reason, fields={"addresses": reason}, contact_id=str(taken.contact.pk))
