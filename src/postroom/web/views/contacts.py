"""/contacts/: list with search, create, details, delete."""

from __future__ import annotations

from uuid import UUID

from django.core.exceptions import ValidationError
from django.core.paginator import Paginator
from django.db.models import QuerySet
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_POST, require_safe

from postroom.filing.people import AddressTaken, add_contact, change_contact, delete_contact
from postroom.records.access import contacts, find_contacts
from postroom.records.models import Contact
from postroom.web.forms.fields import put_errors
from postroom.web.forms.records import ContactForm
from postroom.web.record_page import RecordPage, frame
from postroom.web.rights import MemberRequest, own, signed_in
from postroom.web.views.records import deleted
from postroom.workspaces.members import Member

PAGE = 50


@signed_in
@require_safe
def index(request: MemberRequest) -> HttpResponse:
    query = request.GET.get("q", "").strip()[:200].replace("\0", "")
    pages = Paginator(search(request.member, query), PAGE)
    people = pages.get_page(request.GET.get("page"))
    context = {"section": "contacts", "people": people, "query": query, "count": pages.count}
    return render(request, "postroom/contacts/index.html", context)


def search(member: Member, query: str) -> QuerySet[Contact]:
    """Contacts whose name or address holds every word of the query, by name, with what a row shows."""
    return find_contacts(member, query).select_related("company").prefetch_related("addresses")


@signed_in
def create(request: MemberRequest) -> HttpResponse:
    initial = {"addresses": request.GET.get("address", ""), "name": request.GET.get("name", "")}
    form = ContactForm(request.member, request.POST or None, initial=initial)
    if request.method == "POST" and form.is_valid():
        typed = dict(form.cleaned_data)
        try:
            contact = add_contact(request.member, typed.pop("name"), typed.pop("addresses"), **typed)
            return redirect("contact_emails", contact.pk)
        except AddressTaken as taken:
            tell_taken(form, taken)
        except ValidationError as refused:
            put_errors(form, refused, "addresses")
    context = {"section": "contacts", "form": form}
    return render(request, "postroom/contacts/create.html", context, status=422 if form.errors else 200)


@signed_in
def details(request: MemberRequest, record_id: UUID) -> HttpResponse:
    contact = own(contacts(request.member).select_related("company"), record_id)
    page = RecordPage("contact", contact)
    addresses = "\n".join(row.address for row in contact.addresses.all())
    initial = {name: getattr(contact, name) for name in ("name", "title", "phone", "company")} | {
        "addresses": addresses
    }
    form = ContactForm(request.member, request.POST or None, initial=initial)
    if request.method == "POST" and form.is_valid():
        try:
            change_contact(request.member, contact, **form.cleaned_data)
            return redirect(page.details_url)
        except AddressTaken as taken:
            tell_taken(form, taken)
        except ValidationError as refused:
            put_errors(form, refused, "addresses")
    context = frame(request.member, page, "details") | {"form": form}
    return render(request, "postroom/records/details.html", context, status=422 if form.errors else 200)


@signed_in
@require_POST
def delete(request: MemberRequest, record_id: UUID) -> HttpResponse:
    contact = own(contacts(request.member), record_id)
    delete_contact(request.member, contact)
    return deleted(request, contact.name, "contacts")


def tell_taken(form: ContactForm, taken: AddressTaken) -> None:
    form.add_error("addresses", f"{taken.address} belongs to {taken.contact.name} already. Take it off there first.")
