"""/settings/apps/: the workspace's registrations at providers that ask for OAuth. For administrators."""

from __future__ import annotations

from asgiref.sync import async_to_sync
from django.contrib import messages
from django.http import Http404, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_POST, require_safe

from postroom.mailboxes.oauth_apps import (
    AppRefused,
    TypedApp,
    check_app,
    find_readable_app,
    note_use,
    remove_app,
    save_app,
)
from postroom.web.app_page import AppCard, app_cards
from postroom.web.forms.apps import AppForm, known_app
from postroom.web.outcomes import Verdict, refusal
from postroom.web.rights import MemberRequest, administrators


@administrators
@require_safe
def index(request: MemberRequest) -> HttpResponse:
    context = {"section": "settings", "settings_page": "apps", "apps": app_cards(request.member.workspace)}
    return render(request, "postroom/apps/index.html", context)


@administrators
@never_cache
def app(request: MemberRequest, provider: str) -> HttpResponse:
    """The steps for the provider's console, and the form. What is typed is tried at the provider before it is kept."""
    card = _card(request, provider)
    typed = request.POST if request.method == "POST" else None
    form = AppForm(card.oauth, typed, has_secret=card.can_be_removed, initial=known_app(card.state.settings))
    verdict = None
    if typed is not None and not card.from_environment and form.is_valid():
        try:
            async_to_sync(save_app)(request.member, provider, form.typed())
        except AppRefused as refused:
            verdict = refusal(refused, card.owner)
        else:
            messages.success(request, f"{card.owner} knows the app. Mailboxes can be connected now.")
            return redirect("app", provider)
    return _page(request, card, form, verdict)


@administrators
@require_POST
def check(request: MemberRequest, provider: str) -> HttpResponse:
    """Try once more what is kept, or what the environment says."""
    card = _card(request, provider)
    try:
        kept = find_readable_app(request.member.workspace_id, provider)
        if kept is None:
            raise Http404
        again = TypedApp(kept.client_id, kept.client_secret, kept.tenant, kept.way)
        async_to_sync(check_app)(request.member.workspace_id, provider, again)
    except AppRefused as refused:
        form = AppForm(card.oauth, has_secret=card.can_be_removed, initial=known_app(card.state.settings))
        return _page(request, card, form, refusal(refused, card.owner))
    note_use(request.member.workspace_id, provider)
    messages.success(request, f"{card.owner} knows the app.")
    return redirect("app", provider)


@administrators
@require_POST
def remove(request: MemberRequest, provider: str) -> HttpResponse:
    card = _card(request, provider)
    if not card.can_be_removed:
        raise Http404
    remove_app(request.member, provider)
    messages.success(request, f"The {card.title} app is removed. Mail that is here stays.")
    return redirect("apps")


def _card(request: MemberRequest, provider: str) -> AppCard:
    found = next((card for card in app_cards(request.member.workspace) if card.provider == provider), None)
    if found is None:
        raise Http404
    return found


def _page(request: MemberRequest, card: AppCard, form: AppForm, verdict: Verdict | None) -> HttpResponse:
    context = {
        "section": "settings",
        "settings_page": "apps",
        "app": card,
        "form": form,
        "verdict": verdict,
        "scopes": card.scopes,
        "return_address": card.state.redirect_uri,
        "approval_address": card.state.approval_uri,
    }
    return render(request, "postroom/apps/show.html", context, status=422 if form.errors or verdict else 200)
