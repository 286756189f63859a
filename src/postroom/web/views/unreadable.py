"""/settings/unreadable/: messages that are kept though Postroom could not read them, for administrators."""

from __future__ import annotations

from typing import Final

from django.core.paginator import Paginator
from django.http import HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from postroom.filing.access import problem_messages
from postroom.web.rights import MemberRequest, administrators
from postroom.web.views.home import links

AT_ONCE: Final = 50


@administrators
@require_safe
def index(request: MemberRequest) -> HttpResponse:
    page = Paginator(problem_messages(request.member), AT_ONCE).get_page(request.GET.get("page"))
    found = list(page.object_list)
    context = {
        "section": "settings",
        "settings_page": "unreadable",
        "page": page,
        "rows": list(zip(found, links(found), strict=True)),
    }
    return render(request, "postroom/settings/unreadable.html", context)
