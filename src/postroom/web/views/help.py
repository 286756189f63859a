"""/help/: what every error means and what to do, with an anchor for each code."""

from __future__ import annotations

from collections.abc import Mapping

from django.http import HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from postroom.providers.catalogue import CATALOGUE, explain
from postroom.web.rights import MemberRequest, signed_in


@signed_in
@require_safe
def index(request: MemberRequest, api_problems: Mapping[str, object]) -> HttpResponse:
    """`api_problems` has a `status`, a `title` and a `fix` by code: pages may not import the API (config/urls.py)."""
    context = {
        "section": "settings",
        "settings_page": "help",
        "entries": [explain(code) for code in CATALOGUE],
        "api_problems": api_problems.items(),
    }
    return render(request, "postroom/settings/help.html", context)
