"""/help/: what every error means and what to do; each has an anchor there and a page of its own."""

from __future__ import annotations

from collections.abc import Mapping

from django.http import Http404, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from postroom.providers.catalogue import CATALOGUE, MEANINGS, explain
from postroom.providers.known_words import known_words
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


@signed_in
@require_safe
def cause(request: MemberRequest, code: str) -> HttpResponse:
    """One code of the catalogue; 404 for others, the API's problems too: those stand on the index."""
    if code not in CATALOGUE:
        raise Http404
    entry = explain(code)
    meaning, follows = MEANINGS[entry.meaning]
    context = {
        "section": "settings",
        "settings_page": "help",
        "entry": entry,
        "meaning": meaning,
        "follows": follows,
        "is_about_mailboxes": entry.meaning != "none",
        "known_words": known_words().get(code, ()),
    }
    return render(request, "postroom/settings/cause.html", context)
