"""/deals."""

from __future__ import annotations

from uuid import UUID

from ninja import Router, Status
from ninja.decorators import decorate_view

from postroom.api import schemas
from postroom.api.auth import ApiRequest
from postroom.api.contacts import show_note
from postroom.api.fields import Line
from postroom.api.find import one
from postroom.api.idempotency import idempotent
from postroom.api.paging import PageOf, PageQuery, page
from postroom.filing.people import add_deal, change_deal, delete_deal
from postroom.records.access import deals
from postroom.records.models import Deal, RecordType
from postroom.records.notes import add_note

router = Router(tags=["deals"])


@router.post("", response={201: schemas.Deal})
@decorate_view(idempotent)
def create_deal(request: ApiRequest, body: schemas.DealIn) -> Status[schemas.Deal]:
    """Make a deal with its contacts."""
    deal = add_deal(request.auth, body.name, body.contact_ids, body.stage, body.company_id)
    return Status(201, show_deal(deal))


@router.get("", response=schemas.Page[schemas.Deal])
def list_deals(request: ApiRequest, query: Line = "", asked: PageQuery = PageOf) -> schemas.Page[schemas.Deal]:
    """Deals, newest first; `query` looks in their names."""
    rows = deals(request.auth).prefetch_related("contacts")
    for word in query.split():
        rows = rows.filter(name__icontains=word)
    return page(rows, asked, schemas.Page[schemas.Deal], show_deal)


@router.get("/{uuid:deal_id}", response=schemas.Deal)
def read_deal(request: ApiRequest, deal_id: UUID) -> schemas.Deal:
    """One deal."""
    return show_deal(one(deals(request.auth), deal_id))


@router.patch("/{uuid:deal_id}", response=schemas.Deal)
def update_deal(request: ApiRequest, deal_id: UUID, body: schemas.DealChange) -> schemas.Deal:
    """Change what is given; `contact_ids` replaces all of them."""
    deal = one(deals(request.auth), deal_id)
    changed = body.model_dump(exclude_unset=True)
    changed = {name: value for name, value in changed.items() if value is not None or name == "company_id"}
    change_deal(request.auth, deal, **changed)
    return show_deal(one(deals(request.auth), deal_id))


@router.delete("/{uuid:deal_id}", response={204: None})
def remove_deal(request: ApiRequest, deal_id: UUID) -> Status[None]:
    """Delete the deal. Its contacts and their mail stay."""
    delete_deal(request.auth, one(deals(request.auth), deal_id))
    return Status(204, None)


@router.post("/{uuid:deal_id}/notes", response={201: schemas.Note})
@decorate_view(idempotent)
def create_note(request: ApiRequest, deal_id: UUID, body: schemas.NoteIn) -> Status[schemas.Note]:
    """Write a note on the deal."""
    deal = one(deals(request.auth), deal_id)
    return Status(201, show_note(add_note(request.auth, RecordType.DEAL, deal.pk, body.text)))


def show_deal(deal: Deal) -> schemas.Deal:
    return schemas.Deal(
        id=deal.pk,
        name=deal.name,
        contact_ids=[contact.pk for contact in deal.contacts.all()],
        stage=deal.stage,
        company_id=deal.company_id,
        created_at=deal.created_at,
    )
