"""/deals/: the board, create, details, stage, delete."""

from __future__ import annotations

from uuid import UUID

from django.contrib import messages
from django.core.exceptions import ValidationError
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.http import url_has_allowed_host_and_scheme
from django.views.decorators.http import require_POST, require_safe

from postroom.filing.people import add_deal, change_deal, delete_deal
from postroom.records.access import deals
from postroom.records.models import Deal, Stage
from postroom.web.forms.fields import put_errors
from postroom.web.forms.records import DealForm, StageForm
from postroom.web.record_page import RecordPage, frame
from postroom.web.rights import MemberRequest, own, signed_in
from postroom.web.views.records import deleted

MOST_CARDS = 500  # a board beyond that wants a filter


@signed_in
@require_safe
def board(request: MemberRequest) -> HttpResponse:
    stages: dict[str, list[Deal]] = {stage: [] for stage in Stage.values}
    shown = deals(request.member).select_related("company").prefetch_related("contacts").order_by("-created_at")
    for deal in shown[:MOST_CARDS]:
        stages[deal.stage].append(deal)
    columns = [(Stage(value), cards) for value, cards in stages.items()]
    open_count = sum(len(cards) for stage, cards in columns if stage not in (Stage.WON, Stage.LOST))
    context = {"section": "deals", "columns": columns, "stages": Stage.choices, "open_count": open_count}
    return render(request, "postroom/deals/board.html", context)


@signed_in
def create(request: MemberRequest) -> HttpResponse:
    form = DealForm(request.member, request.POST or None, initial={"contacts": request.GET.getlist("contact")[:20]})
    if request.method == "POST" and form.is_valid():
        typed = form.cleaned_data
        try:
            deal = add_deal(
                request.member,
                typed["name"],
                [contact.pk for contact in typed["contacts"]],
                typed["stage"],
                _company_id(typed),
            )
            return redirect("deal_emails", deal.pk)
        except ValidationError as refused:
            put_errors(form, refused, "name")
    context = {"section": "deals", "form": form}
    return render(request, "postroom/deals/create.html", context, status=422 if form.errors else 200)


@signed_in
def details(request: MemberRequest, record_id: UUID) -> HttpResponse:
    deal = own(deals(request.member).select_related("company"), record_id)
    page = RecordPage("deal", deal)
    initial = {"name": deal.name, "stage": deal.stage, "contacts": deal.contacts.all(), "company": deal.company}
    form = DealForm(request.member, request.POST or None, initial=initial)
    if request.method == "POST" and form.is_valid():
        typed = form.cleaned_data
        contact_ids = [contact.pk for contact in typed["contacts"]]
        change_deal(
            request.member,
            deal,
            name=typed["name"],
            stage=typed["stage"],
            contact_ids=contact_ids,
            company_id=_company_id(typed),
        )
        return redirect(page.details_url)
    context = frame(request.member, page, "details") | {"form": form}
    return render(request, "postroom/records/details.html", context, status=422 if form.errors else 200)


@signed_in
@require_POST
def move(request: MemberRequest, record_id: UUID) -> HttpResponse:
    deal = own(deals(request.member), record_id)
    form = StageForm(request.POST)
    if form.is_valid():
        change_deal(request.member, deal, stage=form.cleaned_data["stage"])
    else:
        messages.error(request, "Choose one of the stages.")
    back = request.POST.get("next", "")
    safe = url_has_allowed_host_and_scheme(back, allowed_hosts={request.get_host()}, require_https=request.is_secure())
    return redirect(back if safe else reverse("deals"))


@signed_in
@require_POST
def delete(request: MemberRequest, record_id: UUID) -> HttpResponse:
    deal = own(deals(request.member), record_id)
    delete_deal(request.member, deal)
    return deleted(request, deal.name, "deals")


def _company_id(typed: dict[str, object]) -> UUID | None:
    company = typed.get("company")
    return company.pk if company else None  # type: ignore[attr-defined]
