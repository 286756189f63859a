"""/settings/mailboxes/connect/<provider>/: to a provider's sign-in page and back, and how it ended."""

from __future__ import annotations

from datetime import timedelta
from typing import Final
from urllib.parse import urlencode
from uuid import UUID

from asgiref.sync import async_to_sync
from django.contrib import messages
from django.http import Http404, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from postroom.mail.address import is_valid
from postroom.mailboxes.access import manageable_mailboxes
from postroom.mailboxes.arrivals import Arrival, arrive
from postroom.mailboxes.connect import ConnectRequest
from postroom.mailboxes.journeys import (
    APPROVAL_LONGEST,
    AppMissing,
    Departure,
    JourneyState,
    approve,
    begin,
    begin_again,
    journey_state,
    own_journeys,
)
from postroom.mailboxes.models import DirectionState, Grant, Journey, Mailbox
from postroom.mailboxes.same_account import is_delegated
from postroom.web.events.topics import stream_url
from postroom.web.forms.journeys import AtProviderForm
from postroom.web.outcomes import ENDED_WELL, NEEDS_APPROVAL, WHY, approval, outcome, verdict
from postroom.web.refusal import CODES, Refusal, find_flat_refusal, find_refusal, granted_kind, refusal_of
from postroom.web.rights import MemberRequest, own, signed_in
from postroom.web.ways import Way, oauth_of, way_to
from postroom.workspaces.approval import NotApproved
from postroom.workspaces.members import Member

RECENT: Final = timedelta(days=1)  # a journey that may still wait at the provider's page: some refuse there alone


@signed_in
@never_cache
def depart(request: MemberRequest, provider: str) -> HttpResponse:
    """What will be asked and what will not; POST leads to the provider's sign-in page."""
    way = way_to(request.member, provider)
    mailbox = _mailbox(request, provider)
    initial = {"address": request.GET.get("address", "")[:320], "sign_in_user": request.member.user.email}
    initial |= granted_kind(request.member, provider, initial["address"]) if initial["address"] else {}
    typed = request.POST if request.method == "POST" and mailbox is None else None
    form = AtProviderForm(typed, opens_shared=way.opens_shared, initial=initial)
    refusal = None if mailbox else find_flat_refusal(request.member, provider, "")
    if request.method == "POST" and way.is_ready and (mailbox is not None or form.is_valid()):
        user = request.POST.get("sign_in_user", "").strip()[:320]
        wanted = _of_mailbox(provider, mailbox, user) if mailbox else form.request(provider)
        try:
            return _off(request, way, begin(request.member, _session_key(request), provider, wanted, mailbox))
        except AppMissing:  # removed meanwhile
            return redirect("connect_at", provider)
        except NotApproved as refused:
            refusal = refusal_of(request.member, provider, refused.verdict)
    grant = Grant.objects.filter(mailbox=mailbox).defer("sealed").first() if mailbox else None
    context = {
        "section": "settings",
        "way": way,
        "form": form,
        "mailbox": mailbox,
        "signed_in_as": grant.sign_in_user if grant else "",
        "is_delegated": mailbox is not None and is_delegated(mailbox, grant),
        "waiting": _waiting(request, provider),
        "administrators": way.administrators,
        "refusal": refusal,
    }
    return render(request, "postroom/connect/at_provider.html", context, status=422 if form.errors else 200)


@require_safe
@never_cache
def come_back(request: MemberRequest, provider: str) -> HttpResponse:
    """Where the provider sends people back to. What comes along is used once and leaves the address bar."""
    owner = oauth_of(provider).owner
    if request.member is None:
        context = {"owner": owner, "next": reverse("connect_at", args=[provider])}
        return render(request, "postroom/journeys/stranger.html", context, status=403)
    way = way_to(request.member, provider)
    arrival = async_to_sync(arrive)(request.member, _session_key(request), provider, request.GET.dict())
    if arrival.code in ENDED_WELL and arrival.mailbox is not None:
        messages.success(request, _welcome(arrival, arrival.mailbox, owner))
        return redirect("mailbox_preview" if arrival.mailbox.awaits_start else "mailbox", arrival.mailbox.pk)
    if arrival.journey_id is not None:
        why = f"?{urlencode({'why': arrival.code})}" if arrival.code in WHY else ""
        return redirect(reverse("journey", args=[arrival.journey_id]) + why)
    context = {"section": "settings", "way": way, "verdict": verdict(arrival.code, arrival.facts, owner)}
    return render(request, "postroom/journeys/lost.html", context, status=409)


@require_safe
@never_cache
def thank(request: MemberRequest, provider: str) -> HttpResponse:
    """Where the provider sends the administrator who approved: in his own browser, without a sign-in here."""
    owner = oauth_of(provider).owner
    context = {"owner": owner, "is_approved": approve(provider, request.GET.dict())}
    return render(request, "postroom/journeys/thanks.html", context)


@signed_in
@never_cache
def journey(request: MemberRequest, journey_id: UUID) -> HttpResponse:
    """How a journey ended; POST goes once more, with all that was typed."""
    member = request.member
    refusal: Refusal | None = None
    try:
        state = journey_state(member, journey_id)
        way = way_to(member, state.provider)
        if request.method == "POST":
            return _off(request, way, begin_again(member, _session_key(request), journey_id))
    except (Journey.DoesNotExist, Mailbox.DoesNotExist):
        raise Http404 from None
    except AppMissing:
        return redirect("connect_at", state.provider)
    except NotApproved as refused:  # the rules have changed meanwhile
        refusal = refusal_of(member, state.provider, refused.verdict)
    ended = outcome(member, state, way, request.GET.get("why", ""))
    context = {
        "section": "settings",
        "way": way,
        "outcome": ended,
        "refusal": refusal or (_refusal(member, state) if state.outcome in CODES else None),
        "approval": approval(member, state, way) if ended.awaits_approval else None,
        "events_url": stream_url(member, [ended.topic]) if ended.awaits_approval else "",
        "client_id": way.app.client_id if way.app else "",
    }
    return render(request, "postroom/journeys/show.html", context)


def _refusal(member: Member, state: JourneyState) -> Refusal | None:
    """Why the workspace does not let the member connect what he signed in for, as it is by now."""
    address, kind = (str(state.facts.get(name) or "") for name in ("address", "kind"))
    return find_refusal(member, state.provider, address, kind)


def _off(request: MemberRequest, way: Way, departure: Departure) -> HttpResponse:
    """A page that goes on to the provider by itself.

    A redirect would have to be allowed by form-action of the page with the form, and so would every further one: the
    provider's own, and those to the sign-in of the member's company, which nobody knows beforehand (Chromium checks
    them all). A refresh is no part of the form's sending, so the policy stays 'self'.
    """
    return render(request, "postroom/journeys/depart.html", {"owner": way.owner, "url": departure.url})


def _mailbox(request: MemberRequest, provider: str) -> Mailbox | None:
    """The connected mailbox that is signed in for again.

    Http404 for one that the member may not change, or that another provider opens.
    """
    asked = request.POST.get("mailbox") or request.GET.get("mailbox")
    if not asked:
        return None
    opened_by = (provider, oauth_of(provider).servers.provider)
    try:
        return own(manageable_mailboxes(request.member).filter(provider__in=opened_by), UUID(asked))
    except ValueError:
        raise Http404 from None


def _of_mailbox(provider: str, mailbox: Mailbox, user: str) -> ConnectRequest:
    """`user` is who signs in from now on, where the mailbox is opened with somebody's rights to it."""
    wanted_user = user if is_valid(user) else ""
    return ConnectRequest(provider=provider, address=mailbox.address, kind=mailbox.kind, sign_in_user=wanted_user)


def _session_key(request: MemberRequest) -> str:
    return request.session.session_key or ""


def _waiting(request: MemberRequest, provider: str) -> Journey | None:
    """The member's last journey there, while nobody has come back from it or an administrator has to approve it."""
    last = own_journeys(request.member).filter(provider=provider).order_by("-created_at").first()
    if last is None:
        return None
    if last.outcome in NEEDS_APPROVAL:
        return last if last.created_at > timezone.now() - APPROVAL_LONGEST else None
    return last if last.used_at is None and last.created_at > timezone.now() - RECENT else None


def _welcome(arrival: Arrival, mailbox: Mailbox, owner: str) -> str:
    if arrival.code == "reconnected":
        return f"{owner} lets Postroom into {mailbox.address} again."
    if mailbox.receiving_state == DirectionState.OFF:
        return f"{owner} confirmed {mailbox.address}. Reading it was not allowed, so nothing is imported."
    if mailbox.awaits_start:
        return f"{owner} confirmed {mailbox.address}. Nothing is imported before you say yes."
    return f"{owner} confirmed {mailbox.address}. Its last {mailbox.backfill_days} days are being imported."
