"""/companies."""

from __future__ import annotations

from uuid import UUID

from ninja import Router, Status
from ninja.decorators import decorate_view

from postroom.api import schemas
from postroom.api.auth import ApiRequest
from postroom.api.fields import Line
from postroom.api.find import one
from postroom.api.idempotency import idempotent
from postroom.api.paging import PageOf, PageQuery, page
from postroom.api.problems import Problem
from postroom.records.access import companies
from postroom.records.companies import DomainTaken, add_company, change_company, delete_company
from postroom.records.models import Company

router = Router(tags=["companies"])


@router.post("", response={201: schemas.Company})
@decorate_view(idempotent)
def create_company(request: ApiRequest, body: schemas.CompanyIn) -> Status[schemas.Company]:
    """Make a company. 409 `domain_taken` when another company has one of the domains."""
    try:
        return Status(201, show_company(add_company(request.auth, body.name, body.domains)))
    except DomainTaken as taken:
        raise _taken(taken) from taken


@router.get("", response=schemas.Page[schemas.Company])
def list_companies(request: ApiRequest, query: Line = "", asked: PageQuery = PageOf) -> schemas.Page[schemas.Company]:
    """Companies, newest first; `query` looks in their names."""
    rows = companies(request.auth).prefetch_related("domains")
    for word in query.split():
        rows = rows.filter(name__icontains=word)
    return page(rows, asked, schemas.Page[schemas.Company], show_company)


@router.get("/{uuid:company_id}", response=schemas.Company)
def read_company(request: ApiRequest, company_id: UUID) -> schemas.Company:
    """One company."""
    return show_company(one(companies(request.auth), company_id))


@router.patch("/{uuid:company_id}", response=schemas.Company)
def update_company(request: ApiRequest, company_id: UUID, body: schemas.CompanyChange) -> schemas.Company:
    """Change the name; `domains` replaces all of them."""
    try:
        change_company(request.auth, one(companies(request.auth), company_id), **body.model_dump(exclude_unset=True))
    except DomainTaken as taken:
        raise _taken(taken) from taken
    return show_company(one(companies(request.auth), company_id))


@router.delete("/{uuid:company_id}", response={204: None})
def remove_company(request: ApiRequest, company_id: UUID) -> Status[None]:
    """Delete the company. Its contacts and deals stay, without a company."""
    delete_company(request.auth, one(companies(request.auth), company_id))
    return Status(204, None)


def show_company(company: Company) -> schemas.Company:
    domains = sorted(row.domain for row in company.domains.all())
    return schemas.Company(id=company.pk, name=company.name, domains=domains, created_at=company.created_at)


def _taken(taken: DomainTaken) -> Problem:
    reason = f"{taken.domain} belongs to {taken.company.name}."
    return Problem("domain_taken", reason, fields={"domains": reason}, company_id=str(taken.company.pk))
