"""Companies and their domains. Each domain belongs to one company of the workspace."""

from __future__ import annotations

from collections.abc import Sequence

from django.core.exceptions import ValidationError
from django.db import transaction

from postroom.mail.address import address_key, is_valid
from postroom.records.models import Company, CompanyDomain, Note, RecordType
from postroom.workspaces import audit
from postroom.workspaces.members import Member


class DomainTaken(Exception):
    """Another company of the workspace has this domain."""

    def __init__(self, domain: str, company: Company) -> None:
        self.domain = domain
        self.company = company
        super().__init__(domain)


@transaction.atomic
def add_company(member: Member, name: str, domains: Sequence[str] = ()) -> Company:
    """Make a company. Raises DomainTaken, and ValidationError for what is no domain."""
    company = Company.objects.create(workspace=member.workspace, name=name.strip())
    _set_domains(company, domains)
    audit.record(member, "company.added", company.name)
    return company


@transaction.atomic
def change_company(
    member: Member, company: Company, *, name: str | None = None, domains: Sequence[str] | None = None
) -> Company:
    """Change what is given. Raises DomainTaken, and ValidationError for what is no domain."""
    if name is not None:
        company.name = name.strip()
        company.save(update_fields=["name"])
    if domains is not None:
        _set_domains(company, domains)
    audit.record(member, "company.changed", company.name)
    return company


@transaction.atomic
def delete_company(member: Member, company: Company) -> None:
    """Delete a company with its notes. Its contacts and deals stay, without a company."""
    Note.objects.filter(workspace=member.workspace, record_type=RecordType.COMPANY, record_id=company.pk).delete()
    audit.record(member, "company.deleted", company.name)
    company.delete()


def _set_domains(company: Company, domains: Sequence[str]) -> None:
    keys = [_domain_key(domain) for domain in dict.fromkeys(domains)]
    taken = CompanyDomain.objects.filter(workspace_id=company.workspace_id, domain__in=keys).exclude(company=company)
    if found := taken.select_related("company").first():
        raise DomainTaken(found.domain, found.company)
    company.domains.exclude(domain__in=keys).delete()
    known = set(company.domains.values_list("domain", flat=True))
    company.domains.bulk_create(
        CompanyDomain(workspace_id=company.workspace_id, company=company, domain=key)
        for key in dict.fromkeys(keys)
        if key not in known
    )


def _domain_key(domain: str) -> str:
    """The domain as addresses are compared: lower case, A-labels."""
    key = address_key(f"postmaster@{domain.strip().removeprefix('@')}")
    if not is_valid(key) or "." not in key or key.endswith("]"):
        raise ValidationError({"domains": f"“{domain[:80]}” is not a domain; one looks like company.example."})
    return key.partition("@")[2]
