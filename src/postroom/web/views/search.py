"""/search/: what the palette shows (Ctrl K)."""

from __future__ import annotations

from django.http import HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from postroom.records.access import deals
from postroom.web.rights import MemberRequest, signed_in
from postroom.web.views.contacts import search as search_contacts

EACH = 6


@signed_in
@require_safe
def palette(request: MemberRequest) -> HttpResponse:
    query = request.GET.get("q", "").strip()[:200].replace("\0", "")
    people = search_contacts(request.member, query)[:EACH]
    found = deals(request.member).select_related("company")
    for word in query.split()[:8]:
        found = found.filter(name__icontains=word)
    context = {"query": query, "people": people, "deals": found.order_by("-created_at")[:EACH]}
    return render(request, "postroom/shared/_palette_results.html", context)
