"""/explain/: why a message is not on a contact; the answer and its cure first, then how it was found."""

from __future__ import annotations

from datetime import date, datetime
from typing import Final
from uuid import UUID

from django.http import Http404, HttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.views.decorators.http import require_safe

from postroom.filing.absence import LONGEST_QUERY, Asked, why_not_here
from postroom.records.access import contacts
from postroom.sync.completeness import months_of
from postroom.web.rights import MemberRequest, own, signed_in

OFFERED_YEARS: Final = 2  # of months to choose from


@signed_in
@require_safe
def explain(request: MemberRequest) -> HttpResponse:
    """`?contact=` names the contact, `?q=` an address, a subject or a Message-ID, `?around=2026-04` a month."""
    try:
        contact = own(contacts(request.member), UUID(request.GET.get("contact", "")))
    except ValueError as error:
        raise Http404 from error
    text = request.GET.get("q", "").replace("\0", "").strip()[:LONGEST_QUERY]
    around = _month(request.GET.get("around", ""))
    today = timezone.localdate()
    context = {
        "section": "contacts",
        "contact": contact,
        "text": text,
        "around": around,
        "months": months_of(today.replace(year=today.year - OFFERED_YEARS, day=1), today),
        "answer": why_not_here(request.member, contact, Asked(text, around)) if text else None,
    }
    return render(request, "postroom/history/explain.html", context)


def _month(text: str) -> date | None:
    """2026-04 → its first day; None for nonsense, which asks about all time."""
    try:
        month = datetime.strptime(text, "%Y-%m").date()  # noqa: DTZ007  a month has no zone
    except ValueError:
        return None
    return month if date.min.year < month.year < date.max.year else None  # no calendar has a month after the last one
