"""/explain/: why a message is not on a contact; the answer and its cure, a look on the servers, how it was found."""

from __future__ import annotations

from datetime import date, datetime
from typing import Final
from uuid import UUID

from asgiref.sync import async_to_sync
from django.http import Http404, HttpResponse, HttpResponseBase, QueryDict
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_POST, require_safe

from postroom.filing.absence import LONGEST_QUERY, Asked, why_not_here
from postroom.filing.server_verdict import verdict
from postroom.records.access import contacts
from postroom.records.models import Contact
from postroom.sync.completeness import months_of
from postroom.web import explain_page
from postroom.web.lines import STREAM_HEADER, stream
from postroom.web.rights import MemberRequest, own, signed_in

OFFERED_YEARS: Final = 2  # of months to choose from


@signed_in
@require_safe
def explain(request: MemberRequest) -> HttpResponse:
    """`?contact=` names the contact, `?q=` an address, a subject or a Message-ID, `?around=2026-04` a month."""
    return _page(request, _contact(request, request.GET), _asked(request.GET))


@signed_in
@require_POST
@never_cache
def look(request: MemberRequest) -> HttpResponseBase:
    """Look on the servers for the same: live to a page with script, whole to one without."""
    contact, asked = _contact(request, request.POST), _asked(request.POST)
    if not asked.text:
        return redirect(f"{reverse('explain')}?contact={contact.pk}")
    page = explain_page.look_page(request, contact, asked)
    if STREAM_HEADER in request.headers:
        return stream(explain_page.lines(page))
    looks = async_to_sync(page.look.run_whole)()
    return _page(request, contact, asked, looks=[page.row(one) for one in looks], verdict=verdict(looks))


def _page(request: MemberRequest, contact: Contact, asked: Asked, **report: object) -> HttpResponse:
    today = timezone.localdate()
    context = {
        "section": "contacts",
        "contact": contact,
        "asked": asked,
        "text": asked.text,
        "around": asked.month,
        "months": months_of(today.replace(year=today.year - OFFERED_YEARS, day=1), today),
        "answer": why_not_here(request.member, contact, asked) if asked.text else None,
        **report,
    }
    return render(request, "postroom/history/explain.html", context)


def _contact(request: MemberRequest, typed: QueryDict) -> Contact:
    try:
        return own(contacts(request.member), UUID(typed.get("contact", "")))
    except ValueError as error:
        raise Http404 from error


def _asked(typed: QueryDict) -> Asked:
    text = typed.get("q", "").replace("\0", "").strip()[:LONGEST_QUERY]
    return Asked(text, _month(typed.get("around", "")))


def _month(text: str) -> date | None:
    """2026-04 → its first day; None for nonsense, which asks about all time."""
    try:
        month = datetime.strptime(text, "%Y-%m").date()  # noqa: DTZ007  a month has no zone
    except ValueError:
        return None
    return month if date.min.year < month.year < date.max.year else None  # no calendar has a month after the last one
