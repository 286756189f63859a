"""/settings/audit/: who did what, when; for administrators."""

from __future__ import annotations

from typing import Final

from django.core.paginator import Paginator
from django.http import HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from postroom.web.audit_words import sentence
from postroom.web.rights import MemberRequest, administrators
from postroom.workspaces.models import AuditEntry

AT_ONCE: Final = 50


@administrators
@require_safe
def index(request: MemberRequest) -> HttpResponse:
    entries = (
        AuditEntry.objects.filter(workspace=request.member.workspace).select_related("user").order_by("-at", "-pk")
    )
    page = Paginator(entries, AT_ONCE).get_page(request.GET.get("page"))
    context = {
        "section": "settings",
        "settings_page": "audit",
        "page": page,
        "rows": [(entry, sentence(entry.action)) for entry in page.object_list],
    }
    return render(request, "postroom/settings/audit.html", context)
