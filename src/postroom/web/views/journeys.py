"""/settings/mailboxes/connect/<provider>/: to a provider's sign-in page and back."""

from __future__ import annotations

from uuid import UUID

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render

from postroom.web.forms.journeys import AtProviderForm
from postroom.web.rights import MemberRequest, signed_in
from postroom.web.ways import oauth_of, way_to


@signed_in
def depart(request: MemberRequest, provider: str) -> HttpResponse:
    way = way_to(request.member, provider)
    form = AtProviderForm(opens_shared=way.opens_shared)
    return render(request, "postroom/connect/at_provider.html", {"section": "settings", "way": way, "form": form})


def come_back(request: HttpRequest, provider: str) -> HttpResponse:
    return render(request, "postroom/journeys/stranger.html", {"owner": oauth_of(provider).owner})


def thank(request: HttpRequest, provider: str) -> HttpResponse:
    return render(request, "postroom/journeys/thanks.html", {"owner": oauth_of(provider).owner})


@signed_in
def journey(request: MemberRequest, journey_id: UUID) -> HttpResponse:
    return render(request, "postroom/journeys/show.html", {})
